//! Joins: on a column that references another table, from either side.

use std::marker::PhantomData;

use super::{
    FromTables, Includes, Position, Select,
    spec::{ColumnAt, JoinSpec},
};
use crate::table::{Column, Table};

impl<Src: FromTables> Select<Src> {
    /// Each row beside each row of another table that belongs to it. `on` is a column with `references(..)`; the query has one of the two
    /// tables, and gets the other: `Issue::all().join(Comment::ISSUE)` are issues with their comments, and
    /// `Comment::all().join(Comment::ISSUE)` comments with their issues. Rows to which none belongs are left out.
    ///
    /// A whole row is a tuple, `(Issue, Comment)`. Filters, orders and columns may be of either table, order and limit are of the joined
    /// rows. A query has at most 6 tables, each of them once.
    ///
    /// ```
    /// use larder::prelude::*;
    ///
    /// #[derive(Table)]
    /// struct Issue {
    ///     #[table(primary_key)]
    ///     number: i64,
    ///     title: String,
    /// }
    ///
    /// #[derive(Table)]
    /// struct Comment {
    ///     #[table(primary_key)]
    ///     id: Uuid,
    ///     #[table(references(Issue))]
    ///     issue: i64,
    ///     author: String,
    /// }
    ///
    /// // `Vec<(Issue, Comment)>`
    /// let all = Issue::all().join(Comment::ISSUE);
    /// // `Vec<(String, Uuid)>`
    /// let by_ada = Comment::filter(Comment::AUTHOR.eq("ada"))
    ///     .join(Comment::ISSUE)
    ///     .filter(Issue::TITLE.like("%leak%"))
    ///     .order_by((Issue::NUMBER.desc(), Comment::ID.asc()))
    ///     .select((Issue::TITLE, Comment::ID));
    /// // `Vec<(i64, u64)>`, with 0 for an issue without comments
    /// let comments = Issue::all().left_join(Comment::ISSUE).group_by(Issue::NUMBER).aggregate(Comment::ID.count());
    /// # let _ = (by_ada, comments, all);
    /// ```
    pub fn join<C, TableToAdd>(self, on: C) -> Select<<Src as JoinedWith<C::Added>>::Inner>
    where
        C: JoinColumn<Src, TableToAdd> + ToAnother,
        Src: JoinedWith<C::Added>,
    {
        self.joined(on.__on(), false)
    }

    /// As [`join`](Self::join), and rows to which none belongs stay: the right side of a whole row is an `Option`, `(Issue,
    /// Option<Comment>)`, and so is each column that is selected of it.
    ///
    /// A filter sees such a row as one where all columns of the right side are `NULL`: `Comment::ID.is_null()` leaves the issues without
    /// comments.
    pub fn left_join<C, TableToAdd>(self, on: C) -> Select<<Src as JoinedWith<C::Added>>::Left>
    where
        C: JoinColumn<Src, TableToAdd> + ToAnother,
        Src: JoinedWith<C::Added>,
    {
        self.joined(on.__on(), true)
    }

    fn joined<Joined>(mut self, JoinOn(mut join): JoinOn, left: bool) -> Select<Joined> {
        join.left = left;
        self.spec.joins.push(join);
        Select::new(self.spec)
    }
}

/// A column by which a table can be joined to those of the query `Src`: it is of one of them and references another, or references one of
/// them. `TableToAdd` is which of its two tables the query gets, and inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` joins no table to this query",
    label = "this query reads from `{Src}`",
    note = "join by a column with `references(..)`: of a table of the query, to get the table that it references, or of another table that references one of the query"
)]
pub trait JoinColumn<Src, TableToAdd> {
    /// The table that the query gets.
    type Added: Table;

    #[doc(hidden)]
    fn __on(self) -> JoinOn;
}

/// On what a table is joined.
#[doc(hidden)]
pub struct JoinOn(JoinSpec);

/// The query gets the table that has the column. Inferred, and never written.
pub struct Referencing<P>(PhantomData<fn() -> P>);

/// The query gets the table that the column references. Inferred, and never written.
pub struct Referenced<P>(PhantomData<fn() -> P>);

#[diagnostic::do_not_recommend]
impl<Src, T, V, To, P> JoinColumn<Src, Referencing<P>> for Column<T, V, To>
where
    Src: Includes<To, P>,
    T: Table,
    To: Table,
    P: Position,
{
    type Added = T;

    fn __on(self) -> JoinOn {
        let equals = ColumnAt { place: P::__PLACE, column: key::<To>() };
        JoinOn(JoinSpec::of(T::schema(), self.index(), equals))
    }
}

#[diagnostic::do_not_recommend]
impl<Src, T, V, To, P> JoinColumn<Src, Referenced<P>> for Column<T, V, To>
where
    Src: Includes<T, P>,
    T: Table,
    To: Table,
    P: Position,
{
    type Added = To;

    fn __on(self) -> JoinOn {
        JoinOn(JoinSpec::of(To::schema(), key::<To>(), self.at::<P>()))
    }
}

/// What a column references that references its own table.
pub enum Itself {}

/// A column that does not reference its own table.
#[diagnostic::on_unimplemented(
    message = "`{Self}` references its own table, which would be twice in this query",
    label = "this column references its own table",
    note = "a query has each table once; write this one in SQL, in `queries {{ .. }}` of the store's definition"
)]
pub trait ToAnother {}

#[diagnostic::do_not_recommend]
impl<T, V, To: Table> ToAnother for Column<T, V, To> {}

// It has a message of its own.
#[diagnostic::do_not_recommend]
impl<T, V> ToAnother for Column<T, V, ()> {}

// Only [`ToAnother`] is to say no.
#[diagnostic::do_not_recommend]
impl<Src, T: Table, V> JoinColumn<Src, Itself> for Column<T, V, Itself> {
    type Added = T;

    fn __on(self) -> JoinOn {
        JoinOn(JoinSpec::of(T::schema(), key::<T>(), ColumnAt { place: 0, column: self.index() }))
    }
}

/// A reference holds the whole primary key, which is one column.
fn key<T: Table>() -> usize {
    T::schema().primary_key.first().copied().unwrap_or_default()
}

/// A table that can be the seventh of a query: none.
#[diagnostic::on_unimplemented(
    message = "a query has at most 6 tables",
    label = "`{Self}` would be the 7th",
    note = "write this query in SQL, in `queries {{ .. }}` of the store's definition"
)]
pub trait Seventh {}

/// Tables of a query to which `T` can be joined.
pub trait JoinedWith<T>: FromTables {
    /// With a row of `T`.
    type Inner: FromTables;

    /// With a row of `T`, or none.
    type Left: FromTables;
}
