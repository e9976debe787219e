//! Aggregates: how many, the sum, the mean, the least and the greatest.

use std::{fmt, marker::PhantomData};

use super::{
    Chosen, Description, Exprs, FromTables, GroupTerm, Includes, Made, MadeOf, Nullable, One, Picked, Position, Query,
    Reads, RowRef, Select, Yield, Yields,
    spec::{ColumnAt, Expr, Function, GroupSpec},
};
use crate::{
    error::QueryErrorKind,
    table::{Column, Table},
    value::{ColumnValue, NotNull, ValueError, ValueRef},
};

/// A value of type `V` made of all rows, or of all rows of a group: [`count()`], `Issue::POINTS.sum()`. `T` is the table whose column it is
/// of.
///
/// [`Select::aggregate`] asks for it, [`Groups::aggregate`](super::Groups::aggregate) for one of each group.
pub struct Aggregate<T, V> {
    /// `None` for the number of rows.
    of: Option<(Function, usize)>,
    types: PhantomData<fn() -> (T, V)>,
}

/// How many rows there are, as an aggregate: of each group, or beside other aggregates.
///
/// ```
/// use larder::prelude::*;
///
/// #[derive(Table)]
/// struct Issue {
///     #[table(primary_key)]
///     number: i64,
///     assignee: Option<String>,
/// }
///
/// // `Vec<(Option<String>, u64)>`, the busiest first.
/// let workload = Issue::all().group_by(Issue::ASSIGNEE).aggregate(count()).order_by(count().desc());
/// // `(u64, Option<i64>)`
/// let size = Issue::all().aggregate((count(), Issue::NUMBER.max()));
/// # let _ = (workload, size);
/// ```
///
/// Alone, [`Select::count`] is shorter.
pub fn count() -> Aggregate<(), u64> {
    Aggregate { of: None, types: PhantomData }
}

impl<T: Table, V: ColumnValue, To> Column<T, V, To> {
    fn aggregate<Made>(self, function: Function) -> Aggregate<T, Made> {
        Aggregate { of: Some((function, self.index())), types: PhantomData }
    }

    /// How many values there are, `NULL` left out. On the right side of a left join this counts the rows that are there.
    pub fn count(self) -> Aggregate<T, u64> {
        self.aggregate(Function::Count)
    }

    /// The sum: an `i64` of integers, an `f64` of floats. `NULL` is left out, and of no values it is 0.
    ///
    /// A sum of integers beyond `i64` is a [`QueryErrorKind::Overflow`]. A sum of floats that is no number, of infinities of both
    /// signs, is NaN; a field of a struct takes it as `None` of an `Option<f64>`.
    pub fn sum<Sum>(self) -> Aggregate<T, Sum>
    where
        V: SumColumn<Sum>,
    {
        self.aggregate(if V::__IS_FLOAT { Function::Total } else { Function::Sum })
    }

    /// The mean: `None` of no values. `NULL` is left out.
    pub fn avg<Sum>(self) -> Aggregate<T, Option<f64>>
    where
        V: SumColumn<Sum>,
    {
        self.aggregate(Function::Avg)
    }

    /// The least value, as [`lt`](Self::lt) compares: `None` of no values. `NULL` is left out.
    pub fn min(self) -> Aggregate<T, <Nullable as Yields<V>>::Value>
    where
        Nullable: Yields<V>,
    {
        self.aggregate(Function::Min)
    }

    /// The greatest value, as [`gt`](Self::gt) compares: `None` of no values. `NULL` is left out.
    pub fn max(self) -> Aggregate<T, <Nullable as Yields<V>>::Value>
    where
        Nullable: Yields<V>,
    {
        self.aggregate(Function::Max)
    }
}

impl<T, V> Aggregate<T, V> {
    /// Groups in ascending order of it.
    pub fn asc(self) -> GroupTerm<T> {
        GroupTerm::new(self.of, false)
    }

    /// Groups in descending order of it.
    pub fn desc(self) -> GroupTerm<T> {
        GroupTerm::new(self.of, true)
    }
}

/// The columns that have `sum` and `avg`: numbers, and `Option` of them. `Sum` is the type of the sum.
#[diagnostic::on_unimplemented(
    message = "`sum` and `avg` need a column of numbers, and this one is of `{Self}`",
    label = "expected a column of integers or floats",
    note = "to count rows, ask for `count()`; of any column there are `min` and `max`"
)]
pub trait SumColumn<Sum>: ColumnValue {
    #[doc(hidden)]
    const __IS_FLOAT: bool;
}

macro_rules! sums {
    ($($type:ident $sum:ident $is_float:literal),+ $(,)?) => {$(
        #[diagnostic::do_not_recommend]
        impl SumColumn<$sum> for $type {
            const __IS_FLOAT: bool = $is_float;
        }
    )+};
}

sums!(
    i8 i64 false,
    i16 i64 false,
    i32 i64 false,
    i64 i64 false,
    u8 i64 false,
    u16 i64 false,
    u32 i64 false,
    f32 f64 true,
    f64 f64 true,
);

#[diagnostic::do_not_recommend]
impl<V: NotNull + SumColumn<Sum>, Sum> SumColumn<Sum> for Option<V> {
    const __IS_FLOAT: bool = V::__IS_FLOAT;
}

/// What an aggregate can be: a `u64`, `i64` or `f64`, or an `Option` of a column's type.
pub trait AggregateValue: Send + Sync + 'static {
    #[doc(hidden)]
    fn __decode(value: ValueRef<'_>) -> Result<Self, ValueError>
    where
        Self: Sized;
}

impl AggregateValue for u64 {
    fn __decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        // A count is never negative.
        i64::decode(value).map(i64::unsigned_abs)
    }
}

impl AggregateValue for i64 {
    fn __decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        Self::decode(value)
    }
}

impl AggregateValue for f64 {
    fn __decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        // SQLite knows no NaN.
        if value == ValueRef::Null { Ok(Self::NAN) } else { Self::decode(value) }
    }
}

#[diagnostic::do_not_recommend]
impl<V: NotNull> AggregateValue for Option<V> {
    fn __decode(value: ValueRef<'_>) -> Result<Self, ValueError> {
        Self::decode(value)
    }
}

/// What `aggregate` takes: an aggregate, or a tuple of them. `At` is where their columns stand, and inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "expected `count()`, a column's `.sum()`, `.avg()`, `.min()`, `.max()` or `.count()`, or a tuple of these",
    note = "a plain column has many values: group by it, `.group_by(column).aggregate(..)`, or take its `.min()` or `.max()`"
)]
pub trait Aggregates<Src, At>: Picked<Src, At> {}

impl<Src, T, V, P> Picked<Src, P> for Aggregate<T, V>
where
    Src: Includes<T, P>,
    T: Table,
    V: AggregateValue,
    P: Position,
{
    type Row = V;
    type __Before<Tail> = (V, Tail);

    const __COLUMNS: usize = 1;

    fn __add_to(&self, list: &mut Exprs) {
        list.0.push(self.expr(P::__PLACE));
    }

    fn __row(row: &RowRef<'_>) -> Result<V, QueryErrorKind> {
        row.__get(T::NAME, 0, V::__decode)
    }
}

impl<Src, T, V, P> Aggregates<Src, P> for Aggregate<T, V>
where
    Src: Includes<T, P>,
    T: Table,
    V: AggregateValue,
    P: Position,
{
}

/// [`count()`] is of no column, and fits everywhere.
impl<Src, V: AggregateValue> Picked<Src, ()> for Aggregate<(), V> {
    type Row = V;
    type __Before<Tail> = (V, Tail);

    const __COLUMNS: usize = 1;

    fn __add_to(&self, list: &mut Exprs) {
        list.0.push(self.expr(0));
    }

    fn __row(row: &RowRef<'_>) -> Result<V, QueryErrorKind> {
        row.__get("count", 0, V::__decode)
    }
}

impl<Src, V: AggregateValue> Aggregates<Src, ()> for Aggregate<(), V> {}

impl<T, V> Aggregate<T, V> {
    fn expr(&self, place: usize) -> Expr {
        expr(self.of, place)
    }
}

pub(super) fn expr(of: Option<(Function, usize)>, place: usize) -> Expr {
    of.map_or(Expr::Rows, |(function, column)| Expr::Of(function, ColumnAt { place, column }))
}

impl<Src: FromTables> Select<Src> {
    /// One value of all rows, or a tuple of several: `Issue::all().aggregate((count(), Issue::POINTS.sum()))`.
    ///
    /// It is of the rows within limit and offset. For one of each group, see [`group_by`](Self::group_by).
    pub fn aggregate<A: Aggregates<Src, At>, At>(mut self, aggregates: A) -> Totals<Src, Chosen<A, At>> {
        let wanted = Exprs::of(&aggregates);
        self.spec.groups = Some(Box::new(GroupSpec { wanted, ..GroupSpec::default() }));
        Totals(self.yielding::<Chosen<A, At>>().one())
    }
}

/// Aggregates of all rows: exactly one row, even where there are none to aggregate.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct Totals<Src, Out>(One<Src, Out>);

impl<Src, Out> Totals<Src, Out> {
    pub(super) fn into_select(self) -> Select<Src, Out> {
        self.0.into_select()
    }

    pub(super) fn select(&self) -> &Select<Src, Out> {
        self.0.select()
    }
}

impl<Src: FromTables, Out: Yield<Src>> Query for Totals<Src, Out> {
    type Output = Out::Row;

    fn __describe(&self, into: &mut Description) {
        self.0.__describe(into);
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        self.0.__run(on)
    }
}

impl<Src, C, At> Totals<Src, Chosen<C, At>>
where
    Src: FromTables,
    C: Picked<Src, At>,
{
    /// Makes a struct with `#[derive(Row)]` of the aggregates, as of [`Select::into_row`].
    pub fn into_row<R: MadeOf<C::__Before<()>>>(self) -> Totals<Src, Made<R>> {
        Totals(self.into_select().yielding::<Made<R>>().one())
    }
}

impl<Src, Out> Clone for Totals<Src, Out> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Src: FromTables, Out> fmt::Debug for Totals<Src, Out> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Totals").field(self.select()).finish()
    }
}

impl<Src, C, At> One<Src, Chosen<C, At>>
where
    Src: FromTables,
    C: Picked<Src, At>,
{
    /// Makes a struct with `#[derive(Row)]` of the columns, as of [`Select::into_row`].
    pub fn into_row<R: MadeOf<C::__Before<()>>>(self) -> One<Src, Made<R>> {
        self.into_select().yielding::<Made<R>>().one()
    }
}

impl<T, V> Clone for Aggregate<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Aggregate<T, V> {}

impl<T, V> fmt::Debug for Aggregate<T, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Aggregate").field(&self.of).finish()
    }
}
