//! Materializing: typed reads and writes for materializers.

use std::marker::PhantomData;

use crate::{
    error::{MaterializeError, QueryErrorKind},
    query::{FitsSchema, Query},
};

mod change;
mod conflict;
mod error;
mod params;
mod raw;
mod target;

pub use change::{Delete, Update};
pub use params::{SqlParam, SqlParams};
pub(crate) use raw::RawTables;
pub use target::Target;
#[doc(hidden)]
pub use target::{TableOf, Which};

/// What a materializer returns.
pub type MaterializeResult = Result<(), MaterializeError>;

/// The tables of schema `S`, inside the transaction of one commit.
///
/// An error that a materializer returns undoes all that its event wrote. A failed write that the materializer does not return has
/// changed nothing, and the materializer may go on; but when storage itself failed, all that follows fails, too.
///
/// The transaction of a commit is not over when a write returns: nobody else sees it yet.
pub struct Tables<'a, S> {
    raw: RawTables<'a>,
    schema: PhantomData<fn() -> S>,
}

impl<'a, S> Tables<'a, S> {
    pub(crate) fn new(raw: RawTables<'a>) -> Self {
        Self { raw, schema: PhantomData }
    }

    pub(crate) fn into_raw(self) -> RawTables<'a> {
        self.raw
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`MaterializeError::Exists`] when a row has the same primary key or unique columns, [`MaterializeError::Reference`] when
    /// it references a row that is not there, [`MaterializeError::Value`] when a value has no stored form.
    pub fn insert<T>(&mut self, row: T) -> MaterializeResult
    where
        T: TableOf<S>,
    {
        let mut values = Vec::with_capacity(T::schema().columns.len());
        let encoded = row.encode(&mut values);
        self.raw.insert(T::schema(), values, encoded, false)
    }

    /// Adds a row, or gives the row with the same primary key these values. Rows that reference it keep doing so.
    ///
    /// # Errors
    /// Those of [`insert`](Self::insert), but for a row with the same primary key.
    pub fn upsert<T>(&mut self, row: T) -> MaterializeResult
    where
        T: TableOf<S>,
    {
        let mut values = Vec::with_capacity(T::schema().columns.len());
        let encoded = row.encode(&mut values);
        self.raw.insert(T::schema(), values, encoded, true)
    }

    /// Changes rows: `tables.update(Issue::by_key(7)).set(Issue::STATUS, Status::Closed).run()`.
    ///
    /// Which rows is said by `Issue::by_key(..)`, `Issue::filter(..)` (with order, limit and offset, too) or `Issue::all()`.
    pub fn update<W>(&mut self, which: W) -> Update<'_, 'a, W::Table>
    where
        W: Target,
        W::Table: TableOf<S>,
    {
        Update::new(&mut self.raw, which)
    }

    /// Deletes rows, named as for [`update`](Self::update): `tables.delete(Issue::by_key(7)).run()`.
    pub fn delete<W>(&mut self, which: W) -> Delete<'_, 'a, W::Table>
    where
        W: Target,
        W::Table: TableOf<S>,
    {
        Delete::new(&mut self.raw, which)
    }

    /// Asks a query of the tables as they are now, with what this event has written.
    ///
    /// # Errors
    /// For the reasons of [`Store::query`](crate::Store::query), as a [`MaterializeError::Query`] after `?`; also when the query calls a function whose answer is not the same for every
    /// client, such as `random()` or `date('now')`.
    pub fn query<Q>(&mut self, query: Q) -> Result<Q::Output, QueryErrorKind>
    where
        Q: Query + FitsSchema<S>,
    {
        query.__run(&mut self.raw)
    }

    /// Runs one INSERT, UPDATE or DELETE on the schema's tables. Parameters take the places of `?` in order: a tuple, an array or a
    /// `Vec`; `()` for none.
    ///
    /// ```
    /// # use larder::{MaterializeResult, Tables};
    /// # fn close_all<S>(tables: &mut Tables<'_, S>, label: &str) -> MaterializeResult {
    /// tables.execute_sql("UPDATE issues SET open = ? WHERE number IN (SELECT issue FROM labels WHERE text = ?)", (false, label))
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`MaterializeError::Exists`] when a row has the same primary key or unique columns. [`MaterializeError::Sql`] when SQLite
    /// refuses it otherwise, when it touches anything but the schema's tables, when it calls a function whose answer is not the
    /// same for every client, or when it says `OR ROLLBACK`, which would undo other events.
    pub fn execute_sql(&mut self, sql: &str, params: impl SqlParams) -> MaterializeResult {
        self.execute_sql_count(sql, params).map(drop)
    }

    /// The same, and answers how many rows it wrote or deleted itself.
    ///
    /// # Errors
    /// Those of [`execute_sql`](Self::execute_sql).
    pub fn execute_sql_count(&mut self, sql: &str, params: impl SqlParams) -> Result<u64, MaterializeError> {
        self.raw.execute_sql(sql, params.into_values())
    }
}

#[cfg(test)]
mod tests;
