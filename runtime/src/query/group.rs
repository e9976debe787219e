//! Groups of rows, and what is made of each.

use std::{fmt, marker::PhantomData};

use super::{
    Aggregates, Chosen, Description, Exprs, First, FromTables, Includes, Made, MadeOf, Picked, Position, Predicate,
    Query, Reads, RowCount, Select, Selection, Yield,
    aggregate::expr,
    spec::{ColumnAt, Expr, Function, GroupSpec},
};
use crate::{
    error::QueryErrorKind,
    table::{Order, Table},
};

/// One row for each group: its keys, and with [`aggregate`](Self::aggregate) what is made of its rows. In the order asked for, then in
/// ascending order of the keys.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct Groups<Src, Out>(pub(super) Select<Src, Out>);

impl<Src: FromTables> Select<Src> {
    /// Rows in groups: those that agree in a column, `Issue::STATUS`, or in each of a tuple of columns. `NULL` agrees with `NULL`.
    ///
    /// By itself this is each different key once. With [`aggregate`](Groups::aggregate) each group is a row of the keys and the
    /// aggregates, `(keys, aggregates)`. What is filtered, ordered and limited before is about the rows in the groups, what comes after
    /// about the groups.
    ///
    /// ```
    /// use larder::prelude::*;
    ///
    /// #[derive(Table)]
    /// struct Issue {
    ///     #[table(primary_key)]
    ///     number: i64,
    ///     open: bool,
    ///     assignee: Option<String>,
    ///     points: i64,
    /// }
    ///
    /// #[derive(Row)]
    /// struct Workload {
    ///     assignee: Option<String>,
    ///     open: i64,
    ///     points: i64,
    /// }
    ///
    /// // `Vec<(Option<String>, (u64, i64))>`
    /// let workload = Issue::filter(Issue::OPEN.eq(true))
    ///     .group_by(Issue::ASSIGNEE)
    ///     .aggregate((count(), Issue::POINTS.sum()))
    ///     .order_by(Issue::POINTS.sum().desc())
    ///     .limit(10);
    /// // `Vec<Workload>`
    /// let workload = workload.into_row::<Workload>();
    /// # fn is_query<Q: larder::Query<Output = Vec<Workload>>>(_: Q) {}
    /// # is_query(workload);
    /// ```
    pub fn group_by<K: Selection<Src, At>, At>(mut self, keys: K) -> Groups<Src, Chosen<K, At>> {
        self.spec.groups = Some(Box::new(GroupSpec { keys: Exprs::of(&keys), ..GroupSpec::default() }));
        Groups(self.yielding())
    }
}

/// The keys of groups that are not aggregated yet.
#[diagnostic::on_unimplemented(
    message = "these groups have their aggregates already",
    label = "a second `aggregate` would take their place",
    note = "write all of them in one tuple: `.aggregate((count(), Issue::POINTS.sum()))`"
)]
pub trait Keys<Src, At>: Picked<Src, At> {}

#[diagnostic::do_not_recommend]
impl<Src, K: Selection<Src, At>, At> Keys<Src, At> for K {}

impl<Src: FromTables, K, KeysAt> Groups<Src, Chosen<K, KeysAt>> {
    /// What is wanted of each group beside its keys: an aggregate, or a tuple of them.
    #[expect(clippy::type_complexity, reason = "the types are those of what was chosen, side by side")]
    pub fn aggregate<A, At>(mut self, aggregates: A) -> Groups<Src, Chosen<(K, A), (KeysAt, At)>>
    where
        K: Keys<Src, KeysAt>,
        A: Aggregates<Src, At>,
    {
        self.groups().wanted = Exprs::of(&aggregates);
        Groups(self.0.yielding())
    }
}

/// What groups can be filtered by: nothing.
#[diagnostic::on_unimplemented(
    message = "groups cannot be filtered",
    label = "this is a condition on rows",
    note = "filter the rows before they are grouped, `.filter(..).group_by(..)`; for a condition on groups write the query in SQL, with `HAVING`"
)]
pub trait OfGroups {}

impl<Src: FromTables, Out> Groups<Src, Out> {
    /// The groups in an order: by an aggregate, `count().desc()`, by a column, `Issue::STATUS.asc()`, or by several, in a tuple. Terms
    /// given before come first.
    ///
    /// By a column that is no key, a group stands where the first of its rows in that order would.
    pub fn order_by<At>(mut self, order: impl IntoGroupOrder<Src, At>) -> Self {
        let groups = self.groups();
        order.__add_to(&mut |GroupTermAt(expr, descending)| {
            // Groups that are equal by a term stay equal when ordered by it again.
            if groups.order.iter().all(|(other, _)| *other != expr) {
                groups.order.push((expr, descending));
            }
        });
        self
    }

    /// There for its message: rows are filtered before they are grouped.
    #[doc(hidden)]
    pub fn filter<T>(self, _: Predicate<T>) -> Self
    where
        Predicate<T>: OfGroups,
    {
        self
    }

    /// At most so many groups. The last limit given counts; integers as of [`Select::limit`].
    pub fn limit(mut self, groups: impl RowCount) -> Self {
        let limit = self.0.spec.rows_or_error(groups.row_count());
        self.groups().limit = Some(limit);
        self
    }

    /// Without the first so many groups. The last offset given counts; integers as of [`Select::limit`].
    pub fn offset(mut self, groups: impl RowCount) -> Self {
        let offset = self.0.spec.rows_or_error(groups.row_count());
        self.groups().offset = offset;
        self
    }

    /// The first group, if there is one.
    pub fn first(self) -> FirstGroup<Src, Out> {
        FirstGroup(self.0.first())
    }
}

/// The first group, if there is one.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct FirstGroup<Src, Out>(First<Src, Out>);

impl<Src, Out> FirstGroup<Src, Out> {
    pub(super) fn select(&self) -> &Select<Src, Out> {
        &self.0.0
    }
}

impl<Src: FromTables, Out: Yield<Src>> Query for FirstGroup<Src, Out> {
    type Output = Option<Out::Row>;

    fn __describe(&self, into: &mut Description) {
        self.0.__describe(into);
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        self.0.__run(on)
    }
}

impl<Src, Out> Clone for FirstGroup<Src, Out> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Src: FromTables, Out> fmt::Debug for FirstGroup<Src, Out> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<Src, C, At> Groups<Src, Chosen<C, At>>
where
    Src: FromTables,
    C: Picked<Src, At>,
{
    /// Makes a struct with `#[derive(Row)]` of each group: its fields take the keys, then the aggregates, as of [`Select::into_row`].
    pub fn into_row<R: MadeOf<C::__Before<()>>>(self) -> Groups<Src, Made<R>> {
        Groups(self.0.yielding())
    }
}

impl<Src: FromTables, Out: Yield<Src>> Query for Groups<Src, Out> {
    type Output = Vec<Out::Row>;

    fn __describe(&self, into: &mut Description) {
        self.0.__describe(into);
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        self.0.__run(on)
    }
}

/// A term of the order of groups: an aggregate's `asc()` or `desc()`.
pub struct GroupTerm<T> {
    of: Option<(Function, usize)>,
    descending: bool,
    table: PhantomData<fn() -> T>,
}

impl<T> GroupTerm<T> {
    pub(super) fn new(of: Option<(Function, usize)>, descending: bool) -> Self {
        Self { of, descending, table: PhantomData }
    }
}

/// What groups of rows of the tables `Src` can be ordered by: an aggregate's or a column's `asc()` or `desc()`, or a tuple of these. `At`
/// is where the columns stand, and inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an order of groups",
    label = "expected `count().desc()`, another aggregate's or a column's `.asc()` or `.desc()`, or a tuple of these"
)]
pub trait IntoGroupOrder<Src, At> {
    /// Hands over the terms, most significant first.
    #[doc(hidden)]
    fn __add_to(self, add: &mut dyn FnMut(GroupTermAt));
}

/// A term, without its types.
#[doc(hidden)]
pub struct GroupTermAt(Expr, bool);

impl<Src: Includes<T, P>, T: Table, P: Position> IntoGroupOrder<Src, P> for GroupTerm<T> {
    fn __add_to(self, add: &mut dyn FnMut(GroupTermAt)) {
        add(GroupTermAt(expr(self.of, P::__PLACE), self.descending));
    }
}

impl<Src> IntoGroupOrder<Src, ()> for GroupTerm<()> {
    fn __add_to(self, add: &mut dyn FnMut(GroupTermAt)) {
        add(GroupTermAt(expr(self.of, 0), self.descending));
    }
}

impl<Src: Includes<T, P>, T, P: Position> IntoGroupOrder<Src, P> for Order<T> {
    fn __add_to(self, add: &mut dyn FnMut(GroupTermAt)) {
        let column = ColumnAt { place: P::__PLACE, column: self.column };
        add(GroupTermAt(Expr::Column(column), self.descending));
    }
}

macro_rules! tuples {
    ($(($($term:ident $at:ident $field:tt),+)),+ $(,)?) => {$(
        impl<Src, $($term: IntoGroupOrder<Src, $at>, $at),+> IntoGroupOrder<Src, ($($at,)+)> for ($($term,)+) {
            fn __add_to(self, add: &mut dyn FnMut(GroupTermAt)) {
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
);

impl<Src, Out> Groups<Src, Out> {
    fn groups(&mut self) -> &mut GroupSpec {
        self.0.spec.groups.get_or_insert_default()
    }
}

impl<Src, Out> Clone for Groups<Src, Out> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Src: FromTables, Out> fmt::Debug for Groups<Src, Out> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
