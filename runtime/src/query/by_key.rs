//! The row with a primary key.

use std::{fmt, marker::PhantomData};

use super::{ColumnsRead, Comparison, Description, Predicate, Query, Reads, RowsRead, SelectSpec, run, source::THIS};
use crate::{
    error::QueryErrorKind,
    table::{IntoKey, Table},
    value::{Value, ValueError, ValueRef},
};

/// The row with a primary key, if there is one: `Issue::by_key(7)`.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct ByKey<T> {
    pub(crate) key: Result<Vec<Value>, ValueError>,
    table: PhantomData<fn() -> T>,
}

/// The row with a primary key, which must be there.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct OneByKey<T>(ByKey<T>);

impl<T: Table> ByKey<T> {
    pub(crate) fn new(key: impl IntoKey<T::Key>) -> Self {
        Self { key: key.into_key(), table: PhantomData }
    }

    /// The row, which must be there: otherwise a [`QueryErrorKind::NotOne`].
    pub fn one(self) -> OneByKey<T> {
        OneByKey(self)
    }

    /// The same as rows that meet a condition.
    pub(super) fn spec(&self) -> Result<SelectSpec, QueryErrorKind> {
        let key = self.key.as_ref().map_err(Clone::clone)?;
        let mut spec = SelectSpec::default();
        for (column, value) in T::schema().primary_key.iter().zip(key) {
            let predicate = Predicate::<T>::compare(*column, Comparison::Eq, Ok(value.clone()));
            spec.restrict(0, predicate.condition);
        }
        Ok(spec)
    }
}

impl<T> OneByKey<T> {
    pub(super) fn by_key(&self) -> &ByKey<T> {
        &self.0
    }
}

impl<T: Table> Query for ByKey<T> {
    type Output = Option<T>;

    fn __describe(&self, into: &mut Description) {
        match &self.key {
            Ok(key) => {
                into.statement(&T::schema().statements().select_by_key, key.iter().map(Value::as_ref));
                into.read(T::schema().name, RowsRead::Key(key.clone()), ColumnsRead::All);
            }
            Err(error) => into.built(&Err(error)),
        }
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        let key = self.key.as_ref().map_err(Clone::clone)?;
        match on.source().map(str::to_owned) {
            None => row(on, key),
            Some(source) => row_of_source(on, key, &source),
        }
    }
}

fn row<T: Table>(on: &mut dyn Reads, key: &[Value]) -> Result<Option<T>, QueryErrorKind> {
    let mut params = [ValueRef::Null; MAX_KEY];
    let params = key_params(key, &mut params);
    let statement = run::built(&T::schema().statements().select_by_key, params, T::NAME);
    run::collect_first(|each| on.rows(&statement, each), T::decode)
}

/// The same among the rows of one source.
#[cold]
fn row_of_source<T: Table>(on: &mut dyn Reads, key: &[Value], source: &str) -> Result<Option<T>, QueryErrorKind> {
    let mut key = key.to_vec();
    if let Some(first) = key.first_mut() {
        *first = own(first.as_ref(), source)?.to_owned();
    }
    row(on, &key)
}

/// The first column of a key among the rows of one source.
///
/// # Errors
/// When it is the key of another source's row.
pub(crate) fn own<'a>(first: ValueRef<'a>, source: &'a str) -> Result<ValueRef<'a>, QueryErrorKind> {
    match first {
        ValueRef::Text(other) if other != THIS && other != source => {
            Err(QueryErrorKind::OtherSource { source_id: other.to_owned() })
        }
        _ => Ok(ValueRef::Text(source)),
    }
}

/// The most columns of a key: [`IntoKey`] is there for tuples of so many.
pub(crate) const MAX_KEY: usize = 4;

/// The key as parameters, without a heap allocation.
pub(crate) fn key_params<'a, 'b>(key: &'b [Value], into: &'a mut [ValueRef<'b>; MAX_KEY]) -> &'a [ValueRef<'b>] {
    for (param, value) in into.iter_mut().zip(key) {
        *param = value.as_ref();
    }
    &into[..key.len().min(MAX_KEY)]
}

impl<T: Table> Query for OneByKey<T> {
    type Output = T;

    fn __describe(&self, into: &mut Description) {
        self.0.__describe(into);
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        self.0.__run(on)?.ok_or(QueryErrorKind::NotOne { row: T::NAME, found: "no row" })
    }
}

impl<T> Clone for ByKey<T> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), table: PhantomData }
    }
}

impl<T> Clone for OneByKey<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Table> fmt::Debug for ByKey<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ByKey").field("table", &T::schema().name).field("key", &self.key).finish()
    }
}

impl<T: Table> fmt::Debug for OneByKey<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
