//! The row with a primary key.

use std::marker::PhantomData;

use super::{Query, Reads};
use crate::{
    error::QueryError,
    table::{IntoKey, Table},
    value::{Value, ValueError},
};

/// The row with a primary key, if there is one: `Issue::by_key(7)`.
pub struct ByKey<T> {
    pub(crate) key: Result<Vec<Value>, ValueError>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> ByKey<T> {
    pub(crate) fn new(key: impl IntoKey<T::Key>) -> Self {
        Self { key: key.into_key(), table: PhantomData }
    }
}

impl<T: Table> Query for ByKey<T> {
    type Output = Option<T>;

    fn __run(&self, _on: &mut dyn Reads) -> Result<Self::Output, QueryError> {
        unimplemented!()
    }
}
