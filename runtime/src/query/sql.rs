//! SQL as text: what `queries { .. }` makes.

use std::marker::PhantomData;

/// A query in SQL whose result is `S`.
pub struct SqlQuery<D, S> {
    types: PhantomData<fn() -> (D, S)>,
}

/// What an SQL query returns: `Vec<T>`, `Option<T>`, or `T` (exactly one).
pub trait SqlShape: Send + Sync + 'static {}
