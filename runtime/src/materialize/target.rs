//! Which rows an update or a delete is about.

use crate::{
    error::QueryErrorKind,
    query::{ByKey, Select, SelectSpec, Text, own},
    schema::HasTable,
    table::{Table, TableSchema},
    value::{Value, ValueError},
};

/// Rows to change: `Issue::by_key(..)`, `Issue::filter(..)` or `Issue::all()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which rows to change",
    label = "expected `Table::by_key(..)`, `Table::filter(..)` or `Table::all()`"
)]
pub trait Target {
    /// The table that the rows are in.
    type Table: Table;

    /// The rows, without the table's type.
    #[doc(hidden)]
    fn __which(self) -> Which;
}

/// Rows of a table.
#[doc(hidden)]
pub struct Which(pub(super) Rows);

pub(super) enum Rows {
    Key(Result<Vec<Value>, ValueError>),
    Select(SelectSpec),
}

/// A table that schema `S` has. Unlike `S: HasTable<T>` this never guesses `T` because `S` has one table only.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "table `{Self}` is not in `{S}`",
    label = "`{S}` does not have this table",
    note = "add `{Self}`, a struct with `#[derive(Table)]`, to `#[schema(tables(..))]` of `{S}`"
)]
pub trait TableOf<S>: Table {}

#[diagnostic::do_not_recommend]
impl<S: HasTable<T>, T: Table> TableOf<S> for T {}

impl<T: Table> Target for ByKey<T> {
    type Table = T;

    fn __which(self) -> Which {
        Which(Rows::Key(self.key))
    }
}

impl<T: Table> Target for Select<T> {
    type Table = T;

    fn __which(self) -> Which {
        Which(Rows::Select(self.spec))
    }
}

impl Rows {
    /// Only rows of this source.
    pub(super) fn keep_to(&mut self, source: &str) -> Result<(), QueryErrorKind> {
        match self {
            Self::Key(Ok(key)) => {
                if let Some(first) = key.first_mut() {
                    *first = own(first.as_ref(), source)?.to_owned();
                }
            }
            Self::Key(Err(_)) => {}
            Self::Select(spec) => spec.keep_to(source),
        }
        Ok(())
    }

    /// ` WHERE ..`
    pub(super) fn push_where(&self, text: &mut Text, table: &TableSchema) -> Result<(), QueryErrorKind> {
        match self {
            Self::Key(key) => {
                text.push(&table.statements().by_key);
                for value in key.as_ref().map_err(Clone::clone)? {
                    text.param(value);
                }
            }
            Self::Select(spec) => {
                spec.check()?;
                if spec.is_cut() {
                    push_key_in(text, table, spec);
                } else {
                    spec.push_where(text, table);
                }
            }
        }
        Ok(())
    }
}

/// ` WHERE (key) IN (SELECT key .. ORDER BY .. LIMIT ..)`: SQLite as it is built here has no UPDATE with LIMIT.
fn push_key_in(text: &mut Text, table: &TableSchema, spec: &SelectSpec) {
    let key = table.names(table.primary_key);
    text.push(&format!(" WHERE ({key}) IN (SELECT {key} FROM {}", table.statements().name));
    spec.push_where(text, table);
    spec.push_order(text, table);
    spec.push_limit(text, None);
    text.push(")");
}
