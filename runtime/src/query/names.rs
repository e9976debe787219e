//! How the SQL of a query names its tables and columns: plainly while there is one table, `t0."number"` and `t1."body"` when there are
//! several.

use std::fmt::Write;

use super::spec::{ColumnAt, JoinSpec};
use crate::{seeded, table::TableSchema};

/// Begins the names of columns of a query within a query. No column of a table may begin so: `ORDER BY` would take one for the other.
pub(super) const INNER: &str = "larder_";

/// The tables of a query.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    first: &'a TableSchema,
    joins: &'a [JoinSpec],
    /// The columns of a query around that of the tables: `larder_0` is the first of these.
    inner: Option<&'a [ColumnAt]>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(first: &'a TableSchema, joins: &'a [JoinSpec]) -> Self {
        Self { first, joins, inner: None }
    }

    /// Names around a query that yields these columns, as [`push_inner`](Self::push_inner) names them.
    pub(super) fn around(self, columns: &'a [ColumnAt]) -> Self {
        Self { inner: Some(columns), ..self }
    }

    pub(super) fn table(&self, place: usize) -> &'a TableSchema {
        match place.checked_sub(1).and_then(|join| self.joins.get(join)) {
            Some(join) => join.table,
            None => self.first,
        }
    }

    /// Whether a row may have `NULL` there.
    pub(super) fn is_nullable(&self, ColumnAt { place, column }: ColumnAt) -> bool {
        let join = place.checked_sub(1).and_then(|join| self.joins.get(join));
        let may_have_none = join.is_some_and(|join| join.left) && !seeded::bug("left-join-never-null");
        self.table(place).columns[column].ty.nullable || may_have_none
    }

    /// A column.
    pub(super) fn push(&self, sql: &mut String, at: ColumnAt) {
        let ColumnAt { place, column } = at;
        let inner = self.inner.map(|columns| columns.iter().position(|other| *other == at).unwrap_or_default());
        // Writing to a `String` does not fail.
        let _ = match inner {
            Some(index) => write!(sql, "{INNER}{index}"),
            None if self.joins.is_empty() => sql.write_str(&self.table(place).statements().columns[column]),
            None => write!(sql, "t{place}.{}", self.table(place).statements().columns[column]),
        };
    }

    /// ` FROM .. JOIN ..`
    pub(super) fn push_from(&self, sql: &mut String) {
        sql.push_str(" FROM ");
        sql.push_str(&self.first.statements().name);
        if self.joins.is_empty() {
            return;
        }
        sql.push_str(" AS t0");
        for (index, join) in self.joins.iter().enumerate() {
            let (kind, name, place) = (if join.left { "LEFT " } else { "" }, &join.table.statements().name, index + 1);
            let _ = write!(sql, " {kind}JOIN {name} AS t{place} ON ");
            self.push(sql, ColumnAt { place, column: join.column });
            sql.push_str(" = ");
            self.push(sql, join.equals);
        }
    }
}
