//! What a query yields of its tables: whole rows, columns, aggregates, and structs made of these.

use std::marker::PhantomData;

use super::{FromTables, Includes, Position, Row, RowRef, Yields, spec::Expr};
use crate::{
    error::QueryErrorKind,
    table::{Column, Table},
    value::ColumnValue,
};

/// Whole rows: what a query yields unless it says otherwise.
pub enum Whole {}

/// What was chosen: the columns of a [`select`](super::Select::select), or the aggregates. `At` is where they stand, and inferred.
pub struct Chosen<C, At>(PhantomData<fn() -> (C, At)>);

/// Structs with `#[derive(Row)]`.
pub struct Made<R>(PhantomData<fn() -> R>);

/// What one row of a query on tables `Src` becomes.
pub trait Yield<Src> {
    /// The row's type.
    type Row: Send + Sync + 'static;

    /// Reads it.
    #[doc(hidden)]
    fn __row(row: &RowRef<'_>) -> Result<Self::Row, QueryErrorKind>;
}

#[diagnostic::do_not_recommend]
impl<Src: FromTables> Yield<Src> for Whole {
    type Row = Src;

    fn __row(row: &RowRef<'_>) -> Result<Src, QueryErrorKind> {
        Src::__whole(row)
    }
}

#[diagnostic::do_not_recommend]
impl<Src, C: Picked<Src, At>, At> Yield<Src> for Chosen<C, At> {
    type Row = C::Row;

    fn __row(row: &RowRef<'_>) -> Result<C::Row, QueryErrorKind> {
        C::__row(row)
    }
}

#[diagnostic::do_not_recommend]
impl<Src, R: Row> Yield<Src> for Made<R> {
    type Row = R;

    fn __row(row: &RowRef<'_>) -> Result<R, QueryErrorKind> {
        R::decode(row)
    }
}

/// Columns and aggregates of the tables `Src`, one or a tuple of them.
pub trait Picked<Src, At> {
    /// What they are in a row.
    type Row: Send + Sync + 'static;

    /// Their types as a list, before those of `Tail`: what a struct is made of.
    #[doc(hidden)]
    type __Before<Tail>;

    /// How many columns they take.
    #[doc(hidden)]
    const __COLUMNS: usize;

    /// Says which they are, in order.
    #[doc(hidden)]
    fn __add_to(&self, list: &mut Exprs);

    /// Reads them.
    #[doc(hidden)]
    fn __row(row: &RowRef<'_>) -> Result<Self::Row, QueryErrorKind>;
}

/// A list of what a statement yields.
#[doc(hidden)]
#[derive(Default)]
pub struct Exprs(pub(super) Vec<Expr>);

impl Exprs {
    pub(super) fn of<Src, At>(picked: &impl Picked<Src, At>) -> Vec<Expr> {
        let mut list = Self::default();
        picked.__add_to(&mut list);
        list.0
    }
}

/// What [`select`](super::Select::select) takes: a column, or a tuple of columns. `At` is where they stand, and inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be selected",
    label = "expected a column, or a tuple of columns, such as `(Issue::NUMBER, Issue::TITLE)`",
    note = "an aggregate is asked for with `.aggregate(..)`; with columns beside it, with `.group_by(columns).aggregate(..)`"
)]
pub trait Selection<Src, At>: Picked<Src, At> {}

impl<Src, T, V, To, P> Picked<Src, P> for Column<T, V, To>
where
    Src: Includes<T, P>,
    T: Table,
    P: Position,
    P::Side: Yields<V>,
{
    type Row = <P::Side as Yields<V>>::Value;
    type __Before<Tail> = (Self::Row, Tail);

    const __COLUMNS: usize = 1;

    fn __add_to(&self, list: &mut Exprs) {
        list.0.push(Expr::Column(self.at::<P>()));
    }

    fn __row(row: &RowRef<'_>) -> Result<Self::Row, QueryErrorKind> {
        row.__get(T::NAME, 0, Self::Row::decode)
    }
}

impl<Src, T, V, To, P> Selection<Src, P> for Column<T, V, To>
where
    Src: Includes<T, P>,
    T: Table,
    P: Position,
    P::Side: Yields<V>,
{
}

/// `(A, (B, (C, ..)))`
macro_rules! before {
    ($tail:ident; $picked:ident $at:ident) => { $picked::__Before<$tail> };
    ($tail:ident; $picked:ident $at:ident, $($rest:tt)+) => { $picked::__Before<before!($tail; $($rest)+)> };
}

macro_rules! tuples {
    ($(($($picked:ident $at:ident $field:tt),+)),+ $(,)?) => {$(
        impl<Src, $($picked: Picked<Src, $at>, $at),+> Picked<Src, ($($at,)+)> for ($($picked,)+) {
            type Row = ($($picked::Row,)+);
            type __Before<Tail> = before!(Tail; $($picked $at),+);

            const __COLUMNS: usize = 0 $(+ $picked::__COLUMNS)+;

            fn __add_to(&self, list: &mut Exprs) {
                $(self.$field.__add_to(list);)+
            }

            fn __row(row: &RowRef<'_>) -> Result<Self::Row, QueryErrorKind> {
                let mut rest = row.after(0);
                Ok(($($picked::__row(&rest.take($picked::__COLUMNS))?,)+))
            }
        }

        impl<Src, $($picked: Selection<Src, $at>, $at),+> Selection<Src, ($($at,)+)> for ($($picked,)+) {}

        impl<Src, $($picked: super::Aggregates<Src, $at>, $at),+> super::Aggregates<Src, ($($at,)+)> for ($($picked,)+) {}
    )+};
}

tuples!(
    (A AtA 0),
    (A AtA 0, B AtB 1),
    (A AtA 0, B AtB 1, C AtC 2),
    (A AtA 0, B AtB 1, C AtC 2, D AtD 3),
    (A AtA 0, B AtB 1, C AtC 2, D AtD 3, E AtE 4),
    (A AtA 0, B AtB 1, C AtC 2, D AtD 3, E AtE 4, F AtF 5),
    (A AtA 0, B AtB 1, C AtC 2, D AtD 3, E AtE 4, F AtF 5, G AtG 6),
    (A AtA 0, B AtB 1, C AtC 2, D AtD 3, E AtE 4, F AtF 5, G AtG 6, H AtH 7),
);
