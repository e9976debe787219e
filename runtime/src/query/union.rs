//! Queries of the union of many stores: each store answers a part, the parts meet in a table in memory, and the rest of the query is
//! asked of that.
//!
//! A part of the builder's is the rows as far as one store can tell: joined, filtered, and cut to the first ones where only those can
//! count. What is about all rows (order, limit, groups, aggregates) is asked of the table. SQL of an app is asked as it stands, of a table
//! with the name and the columns of its own.

mod rows;
mod sql;

use super::{
    ByKey, Count, Exists, First, FirstGroup, FromTables, Groups, One, OneByKey, Query, Reads, RowRef, Select, SqlQuery,
    SqlShape, Totals, Yield, run,
    run::{Rows, Text},
    spec::SelectSpec,
};
use crate::{
    definition::StoreDefinition,
    error::QueryErrorKind,
    id::{StoreId, StoreKey},
    table::Table,
    value::ValueRef,
};

/// What a query asks of each store, and the table in which the answers meet.
#[doc(hidden)]
#[derive(Debug)]
pub struct Part {
    /// Makes the table. Its first column is the store's number.
    pub(crate) ddl: String,
    /// `INSERT INTO .. VALUES (?, ..)`
    pub(crate) insert: String,
    /// Deletes what one store has answered.
    pub(crate) delete: String,
    /// `None` where the query reads no table.
    pub(crate) text: Option<Text>,
}

/// The tables of a query, in the order of its parts, and whose rows they hold.
#[doc(hidden)]
pub struct Unions<'a> {
    pub(crate) tables: Vec<&'a mut dyn Reads>,
    pub(crate) next: usize,
    pub(crate) ids: &'a [StoreId],
}

impl<'a> Unions<'a> {
    fn table(&mut self) -> Result<&mut (dyn Reads + 'a), QueryErrorKind> {
        self.next += 1;
        let table = self.tables.get_mut(self.next - 1);
        table.map(|table| &mut **table).ok_or(QueryErrorKind::Interrupted)
    }

    /// The key of the store with the number in a row's column.
    fn key<K: StoreKey>(ids: &[StoreId], row: &RowRef<'_>, column: usize) -> Result<K, QueryErrorKind> {
        let id = match row.value(column) {
            ValueRef::Integer(number) => usize::try_from(number).ok().and_then(|number| ids.get(number)),
            _ => None,
        };
        let key = id.and_then(|id| K::from_store_id(id).ok());
        // Ids that are no keys were sorted out before any store was asked.
        key.ok_or(QueryErrorKind::Interrupted)
    }
}

/// A query that can be asked of the union of many stores with ids of type `K`: all of them but tuples of more than eight.
///
/// | query | what comes back |
/// |---|---|
/// | `Issue::filter(..)`, also joined and with `select` | `Vec<(K, Row)>`: each row with its store |
/// | the same with `first()`, `one()` | `Option<(K, Row)>`, `(K, Row)` |
/// | `Issue::by_key(7)` | `Vec<(K, Issue)>`: of every store that has it |
/// | `count()`, `exists()` | `u64`, `bool`, of all rows |
/// | `aggregate(..)`, `group_by(..)` | the same as of one store, made of all rows |
/// | SQL of `queries { .. }` on one table | the same as of one store, whose table holds the rows of all |
/// | a tuple of these | a tuple |
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be asked of many stores",
    label = "expected a query: `Table::all()`, `Table::filter(..)`, `Table::by_key(..)`, a query of the store's `queries {{ .. }}`, or a tuple of these"
)]
pub trait UnionQuery<K>: Query {
    /// What comes back.
    type Union: Send + Sync + 'static;

    /// Says what is asked of each store.
    #[doc(hidden)]
    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind>;

    /// Asks the tables that the parts have filled.
    #[doc(hidden)]
    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind>;
}

/// Reads a row that ends with the number of its store.
fn with_key<K: StoreKey, Src: FromTables, Out: Yield<Src>>(
    spec: &SelectSpec,
    most: Option<u64>,
    of: &mut Unions<'_>,
) -> Result<Vec<(K, Out::Row)>, QueryErrorKind> {
    let first = Src::First::schema();
    let (text, column) = (spec.union_rows(first, most)?, spec.wanted(first).len());
    let ids = of.ids;
    let mut rows = Vec::new();
    text.run(of.table()?, <Src::First as super::Row>::NAME, &mut |row| {
        rows.push((Unions::key(ids, row, column)?, Out::__row(row)?));
        Ok(true)
    })?;
    Ok(rows)
}

/// The only one of at most two.
fn only<Src: FromTables, R>(rows: Vec<R>) -> Result<R, QueryErrorKind> {
    let row = <Src::First as super::Row>::NAME;
    let mut rows = rows.into_iter();
    match (rows.next(), rows.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(QueryErrorKind::NotOne { row, found: "no row" }),
        _ => Err(QueryErrorKind::NotOne { row, found: "more than one row" }),
    }
}

impl<K: StoreKey, Src: FromTables, Out: Yield<Src>> UnionQuery<K> for Select<Src, Out> {
    type Union = Vec<(K, Out::Row)>;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(self.spec.union_part(Src::First::schema(), None)?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        with_key::<K, Src, Out>(&self.spec, None, of)
    }
}

impl<K: StoreKey, Src: FromTables, Out: Yield<Src>> UnionQuery<K> for First<Src, Out> {
    type Union = Option<(K, Out::Row)>;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(self.0.spec.union_part(Src::First::schema(), Some(1))?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        Ok(with_key::<K, Src, Out>(&self.0.spec, Some(1), of)?.into_iter().next())
    }
}

impl<K: StoreKey, Src: FromTables, Out: Yield<Src>> UnionQuery<K> for One<Src, Out> {
    type Union = (K, Out::Row);

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(self.select().spec.union_part(Src::First::schema(), Some(2))?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        only::<Src, _>(with_key::<K, Src, Out>(&self.select().spec, Some(2), of)?)
    }
}

impl<K: StoreKey, Src: FromTables, Out: Yield<Src>> UnionQuery<K> for Groups<Src, Out> {
    type Union = Vec<Out::Row>;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(self.0.spec.union_part(Src::First::schema(), None)?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        let text = self.0.spec.union_rows(Src::First::schema(), None)?;
        run::all(of.table()?, &text, super::select::rows::<Src, Out>())
    }
}

impl<K: StoreKey, Src: FromTables, Out: Yield<Src>> UnionQuery<K> for FirstGroup<Src, Out> {
    type Union = Option<Out::Row>;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(self.select().spec.union_part(Src::First::schema(), None)?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        let text = self.select().spec.union_rows(Src::First::schema(), Some(1))?;
        run::first(of.table()?, &text, super::select::rows::<Src, Out>())
    }
}

impl<K: StoreKey, Src: FromTables, Out: Yield<Src>> UnionQuery<K> for Totals<Src, Out> {
    type Union = Out::Row;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(self.select().spec.union_part(Src::First::schema(), None)?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        let text = self.select().spec.union_rows(Src::First::schema(), None)?;
        run::one(of.table()?, &text, super::select::rows::<Src, Out>())
    }
}

impl<K: StoreKey, Src: FromTables> UnionQuery<K> for Count<Src> {
    type Union = u64;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(self.0.spec.union_count_part(Src::First::schema())?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<u64, QueryErrorKind> {
        let rows: i64 = run::one(of.table()?, &self.0.spec.union_count()?, Rows::OF)?;
        Ok(rows.unsigned_abs())
    }
}

impl<K: StoreKey, Src: FromTables> UnionQuery<K> for Exists<Src> {
    type Union = bool;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        // One row more than those that are left out.
        let spec = SelectSpec { limit: Some(self.0.spec.limit.unwrap_or(1).min(1)), ..self.0.spec.clone() };
        into.push(spec.union_count_part(Src::First::schema())?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<bool, QueryErrorKind> {
        let spec = SelectSpec { limit: Some(self.0.spec.limit.unwrap_or(1).min(1)), ..self.0.spec.clone() };
        let rows: i64 = run::one(of.table()?, &spec.union_count()?, Rows::OF)?;
        Ok(rows > 0)
    }
}

impl<K: StoreKey, T: Table> UnionQuery<K> for ByKey<T> {
    type Union = Vec<(K, T)>;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(self.spec()?.union_part(T::schema(), None)?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        with_key::<K, T, super::Whole>(&self.spec()?, None, of)
    }
}

impl<K: StoreKey, T: Table> UnionQuery<K> for OneByKey<T> {
    type Union = (K, T);

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        UnionQuery::<K>::__parts(self.by_key(), into)
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        only::<T, _>(self.by_key().__union(of)?)
    }
}

impl<K: StoreKey, D: StoreDefinition, S: SqlShape> UnionQuery<K> for SqlQuery<D, S> {
    type Union = S::Output;

    fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
        into.push(sql::part::<D::Schema>(self.sql(), self.reads())?);
        Ok(())
    }

    fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
        self.__run(of.table()?)
    }
}

macro_rules! tuples {
    ($(($($query:ident $field:tt),+)),+ $(,)?) => {$(
        impl<Key, $($query: UnionQuery<Key>),+> UnionQuery<Key> for ($($query,)+) {
            type Union = ($($query::Union,)+);

            fn __parts(&self, into: &mut Vec<Part>) -> Result<(), QueryErrorKind> {
                $(self.$field.__parts(into)?;)+
                Ok(())
            }

            fn __union(&self, of: &mut Unions<'_>) -> Result<Self::Union, QueryErrorKind> {
                Ok(($(self.$field.__union(of)?,)+))
            }
        }
    )+};
}

tuples!(
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7),
);
