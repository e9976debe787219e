//! SQL as text: what `queries { .. }` makes.

use std::{fmt, marker::PhantomData};

use super::{
    ColumnsRead, Description, EachRow, Origin, Params, Query, Reads, Row, RowsRead, Statement, TableReads, run,
};
use crate::{
    error::QueryErrorKind,
    value::{Value, ValueError, ValueRef},
};

/// A query of definition `D` in SQL, whose result is `S`: `Vec<T>`, `Option<T>`, or [`ExactlyOne<T>`](ExactlyOne).
///
/// A function of `queries { .. }` in `define_store!` makes one.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct SqlQuery<D, S> {
    sql: &'static str,
    reads: &'static [TableReads],
    params: Vec<(&'static str, Result<Value, ValueError>)>,
    types: PhantomData<fn() -> (D, S)>,
}

/// What an SQL query returns: `Vec<T>`, `Option<T>`, or `T` (exactly one).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query's result",
    label = "expected `Vec<T>`, `Option<T>`, or a row type"
)]
pub trait SqlShape: Send + Sync + 'static {
    /// What each row becomes.
    type Row: Row;

    /// What comes back.
    type Output: Send + Sync + 'static;

    /// Runs a statement and collects its rows.
    #[doc(hidden)]
    fn __collect(
        run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>,
    ) -> Result<Self::Output, QueryErrorKind>;
}

/// The shape of a query that yields exactly one row: none or several are a [`QueryErrorKind::NotOne`].
pub struct ExactlyOne<T>(PhantomData<fn() -> T>);

impl<T: Row> SqlShape for Vec<T> {
    type Row = T;
    type Output = Self;

    fn __collect(run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>) -> Result<Self, QueryErrorKind> {
        run::collect_all(run, T::decode)
    }
}

impl<T: Row> SqlShape for Option<T> {
    type Row = T;
    type Output = Self;

    fn __collect(run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>) -> Result<Self, QueryErrorKind> {
        run::collect_first(run, T::decode)
    }
}

impl<T: Row> SqlShape for ExactlyOne<T> {
    type Row = T;
    type Output = T;

    fn __collect(run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>) -> Result<T, QueryErrorKind> {
        run::collect_one(run, run::Rows::<T>::OF)
    }
}

impl<D, S> SqlQuery<D, S> {
    /// A query with named parameters; for generated code.
    #[doc(hidden)]
    pub fn __new(
        sql: &'static str,
        reads: &'static [TableReads],
        params: Vec<(&'static str, Result<Value, ValueError>)>,
    ) -> Self {
        Self { sql, reads, params, types: PhantomData }
    }

    pub(super) fn sql(&self) -> &'static str {
        self.sql
    }

    /// The tables and columns that SQLite reads for it, known since the app was compiled.
    pub fn reads(&self) -> &'static [TableReads] {
        self.reads
    }
}

impl<D: 'static, S: SqlShape> Query for SqlQuery<D, S> {
    type Output = S::Output;

    fn __describe(&self, into: &mut Description) {
        into.statement(self.sql, std::iter::empty());
        for (_, value) in &self.params {
            match value {
                Ok(value) => into.value(value.as_ref()),
                Err(error) => into.part(b'!', error.to_string().as_bytes()),
            }
        }
        for TableReads { table, columns } in self.reads {
            into.read(table, RowsRead::Any, ColumnsRead::Named(columns));
        }
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        let param = |(name, value): &(&'static str, Result<Value, ValueError>)| match value {
            Ok(value) => Ok((*name, value.clone())),
            Err(error) => Err(error.clone()),
        };
        let values = self.params.iter().map(param).collect::<Result<Vec<_>, _>>()?;
        let params: Vec<(&'static str, ValueRef<'_>)> =
            values.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        let statement = Statement {
            sql: self.sql,
            params: Params::Named(&params),
            origin: Origin::App,
            row: S::Row::NAME,
            columns: S::Row::COLUMNS,
        };
        S::__collect(|each| on.rows(&statement, each))
    }
}

impl<D, S> Clone for SqlQuery<D, S> {
    fn clone(&self) -> Self {
        Self { sql: self.sql, reads: self.reads, params: self.params.clone(), types: PhantomData }
    }
}

impl<D, S> fmt::Debug for SqlQuery<D, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqlQuery").field("sql", &self.sql).field("params", &self.params).finish()
    }
}
