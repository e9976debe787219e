//! Conditions on the rows of one table.

use std::marker::PhantomData;

use crate::value::{Value, ValueError};

/// A condition on rows of table `T`.
pub struct Predicate<T> {
    table: PhantomData<fn() -> T>,
}

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`, where `NULL` equals `NULL`
    Eq,
    /// `<>`, where `NULL` differs from every value
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `LIKE`
    Like,
}

impl<T> Predicate<T> {
    pub(crate) fn compare(_column: usize, _comparison: Comparison, _value: Result<Value, ValueError>) -> Self {
        unimplemented!()
    }

    pub(crate) fn null(_column: usize, _is: bool) -> Self {
        unimplemented!()
    }

    pub(crate) fn any_of(_column: usize, _values: Result<Vec<Value>, ValueError>) -> Self {
        unimplemented!()
    }

    /// Both hold.
    pub fn and(self, _other: Self) -> Self {
        unimplemented!()
    }
}
