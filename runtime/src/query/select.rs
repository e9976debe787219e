//! Rows of one table: filter, order, limit, count, first, one.

use std::marker::PhantomData;

use super::Predicate;
use crate::table::{Order, Table};

/// Rows of table `T`.
pub struct Select<T> {
    table: PhantomData<fn() -> T>,
}

/// How many rows.
pub struct Count<T>(Select<T>);
/// Whether there is a row.
pub struct Exists<T>(Select<T>);
/// The first row, if there is one.
pub struct First<T>(Select<T>);
/// Exactly one row.
pub struct One<T>(Select<T>);

impl<T: Table> Select<T> {
    pub(crate) fn all() -> Self {
        Self { table: PhantomData }
    }

    /// Only rows that `predicate` holds for, too.
    pub fn filter(self, _predicate: Predicate<T>) -> Self {
        unimplemented!()
    }

    /// Ordered, first by the terms given first.
    pub fn order_by(self, _order: Order<T>) -> Self {
        unimplemented!()
    }
}
