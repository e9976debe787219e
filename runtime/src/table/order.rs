//! Orders: by one column or several.

use std::{fmt, marker::PhantomData};

use super::Table;

/// One term of an `ORDER BY`.
pub struct Order<T> {
    pub(crate) column: usize,
    pub(crate) descending: bool,
    table: PhantomData<fn() -> T>,
}

impl<T> Order<T> {
    pub(super) fn new(column: usize, descending: bool) -> Self {
        Self { column, descending, table: PhantomData }
    }
}

impl<T> Clone for Order<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Order<T> {}

impl<T: Table> fmt::Debug for Order<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.descending { "desc" } else { "asc" };
        write!(formatter, "{} {way}", T::schema().columns[self.column].name)
    }
}

/// What rows can be ordered by: one term, or several in a tuple, an array or a `Vec`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an order of `{T}`",
    label = "expected `{T}::COLUMN.asc()` or `.desc()`, or a tuple of these"
)]
pub trait IntoOrder<T> {
    /// Hands over the terms, most significant first.
    #[doc(hidden)]
    fn add_to(self, add: &mut dyn FnMut(Order<T>));
}

impl<T> IntoOrder<T> for Order<T> {
    fn add_to(self, add: &mut dyn FnMut(Order<T>)) {
        add(self);
    }
}

#[diagnostic::do_not_recommend]
impl<T, const N: usize> IntoOrder<T> for [Order<T>; N] {
    fn add_to(self, add: &mut dyn FnMut(Order<T>)) {
        self.into_iter().for_each(add);
    }
}

#[diagnostic::do_not_recommend]
impl<T> IntoOrder<T> for Vec<Order<T>> {
    fn add_to(self, add: &mut dyn FnMut(Order<T>)) {
        self.into_iter().for_each(add);
    }
}

macro_rules! tuples {
    ($(($($term:ident $field:tt),+)),+ $(,)?) => {$(
        #[diagnostic::do_not_recommend]
        impl<T, $($term: IntoOrder<T>),+> IntoOrder<T> for ($($term,)+) {
            fn add_to(self, add: &mut dyn FnMut(Order<T>)) {
                $(self.$field.add_to(add);)+
            }
        }
    )+};
}

tuples!(
    (A 0),
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
);
