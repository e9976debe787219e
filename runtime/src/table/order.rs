//! Orders: by one column or several.

use std::{fmt, marker::PhantomData};

use super::Table;
use crate::query::{ColumnAt, Includes, Position, Term};

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

/// What rows of the tables `Src` can be ordered by: one term, or several in a tuple, an array or a `Vec`. `At` is where the columns stand,
/// and inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an order",
    label = "expected a column's `.asc()` or `.desc()`, or a tuple of these"
)]
pub trait IntoOrder<Src, At> {
    /// Hands over the terms, most significant first.
    #[doc(hidden)]
    fn __add_to(self, add: &mut dyn FnMut(OrderTerm));
}

/// A term, without its types.
#[doc(hidden)]
pub struct OrderTerm(pub(crate) Term);

impl<Src: Includes<T, P>, T, P: Position> IntoOrder<Src, P> for Order<T> {
    fn __add_to(self, add: &mut dyn FnMut(OrderTerm)) {
        let column = ColumnAt { place: P::__PLACE, column: self.column };
        add(OrderTerm(Term { column, descending: self.descending }));
    }
}

impl<Src, T, At, const N: usize> IntoOrder<Src, At> for [Order<T>; N]
where
    Order<T>: IntoOrder<Src, At>,
{
    fn __add_to(self, add: &mut dyn FnMut(OrderTerm)) {
        self.into_iter().for_each(|term| term.__add_to(add));
    }
}

impl<Src, T, At> IntoOrder<Src, At> for Vec<Order<T>>
where
    Order<T>: IntoOrder<Src, At>,
{
    fn __add_to(self, add: &mut dyn FnMut(OrderTerm)) {
        self.into_iter().for_each(|term| term.__add_to(add));
    }
}

macro_rules! tuples {
    ($(($($term:ident $at:ident $field:tt),+)),+ $(,)?) => {$(
        impl<Src, $($term: IntoOrder<Src, $at>, $at),+> IntoOrder<Src, ($($at,)+)> for ($($term,)+) {
            fn __add_to(self, add: &mut dyn FnMut(OrderTerm)) {
                $(self.$field.__add_to(add);)+
            }
        }
    )+};
}

tuples!(
    (A AtA 0),
    (A AtA 0, B AtB 1),
    (A AtA 0, B AtB 1, C AtC 2),
    (A AtA 0, B AtB 1, C AtC 2, D AtD 3),
    (A AtA 0, B AtB 1, C AtC 2, D AtD 3, E AtE 4),
    (A AtA 0, B AtB 1, C AtC 2, D AtD 3, E AtE 4, F AtF 5),
);
