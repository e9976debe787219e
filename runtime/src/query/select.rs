//! Rows of one table: filter, order, limit, count, exists, first, one.

use std::{fmt, marker::PhantomData};

use super::{
    ColumnsRead, Description, Predicate, Query, Reads, RowCount, RowsRead,
    predicate::Condition,
    run::{self, Text},
};
use crate::{
    error::QueryErrorKind,
    table::{IntoOrder, Order, Table, TableSchema},
    value::{Value, ValueError},
};

/// Rows of table `T`, in the order asked for; rows that this leaves equal, and all without [`order_by`](Self::order_by), come in the
/// order of the primary key.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct Select<T> {
    pub(crate) spec: SelectSpec,
    table: PhantomData<fn() -> T>,
}

/// How many rows.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct Count<T>(Select<T>);
/// Whether there is a row.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct Exists<T>(Select<T>);
/// The first row, if there is one.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct First<T>(Select<T>);
/// Exactly one row.
#[must_use = "a query does nothing until it is asked of a store"]
pub struct One<T>(Select<T>);

/// What a [`Select`] asks for, without its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SelectSpec {
    pub(crate) condition: Condition,
    /// Column, and whether descending.
    pub(crate) order: Vec<(usize, bool)>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
}

impl<T: Table> Select<T> {
    pub(crate) fn all() -> Self {
        Self { spec: SelectSpec::default(), table: PhantomData }
    }

    /// Only rows that `predicate` holds for, too.
    pub fn filter(mut self, predicate: Predicate<T>) -> Self {
        let mut before = std::mem::take(&mut self.spec.condition);
        let error = before.error.take();
        let mut condition = if before.steps.is_empty() { predicate.condition } else { before.and(predicate.condition) };
        condition.error = error.or(condition.error);
        self.spec.condition = condition;
        self
    }

    /// Ordered: by one column (`Issue::OPENED_AT.desc()`), or by several, in a tuple, an array or a `Vec`. Terms given before come first.
    pub fn order_by(mut self, order: impl IntoOrder<T>) -> Self {
        order.add_to(&mut |term: Order<T>| {
            // Rows that are equal by a column stay equal when ordered by it again.
            if self.spec.order.iter().all(|(column, _)| *column != term.column) {
                self.spec.order.push((term.column, term.descending));
            }
        });
        self
    }

    /// At most so many rows. The last limit given counts.
    ///
    /// Any integer will do; a negative one is the query's error when it is asked.
    pub fn limit(mut self, rows: impl RowCount) -> Self {
        self.spec.limit = Some(self.spec.rows_or_error(rows.row_count()));
        self
    }

    /// Without the first so many rows. The last offset given counts. Integers as of [`limit`](Self::limit).
    pub fn offset(mut self, rows: impl RowCount) -> Self {
        self.spec.offset = self.spec.rows_or_error(rows.row_count());
        self
    }

    /// How many rows there are, within limit and offset.
    pub fn count(self) -> Count<T> {
        Count(self)
    }

    /// Whether there is a row.
    pub fn exists(self) -> Exists<T> {
        Exists(self)
    }

    /// The first row, if there is one.
    pub fn first(self) -> First<T> {
        First(self)
    }

    /// The only row: none or several are a [`QueryErrorKind::NotOne`].
    pub fn one(self) -> One<T> {
        One(self)
    }
}

impl SelectSpec {
    fn rows_or_error(&mut self, rows: Result<u64, ValueError>) -> u64 {
        rows.unwrap_or_else(|error| {
            self.condition.error.get_or_insert(error);
            0
        })
    }

    pub(crate) fn check(&self) -> Result<(), QueryErrorKind> {
        self.condition.error.clone().map_or(Ok(()), |error| Err(error.into()))
    }

    /// ` FROM .. WHERE ..`
    pub(crate) fn push_from(&self, text: &mut Text, table: &TableSchema) {
        text.push(" FROM ");
        text.push(&table.statements().name);
        self.push_where(text, table);
    }

    /// ` WHERE ..`
    pub(crate) fn push_where(&self, text: &mut Text, table: &TableSchema) {
        if !self.condition.steps.is_empty() {
            text.push(" WHERE ");
            text.condition(&self.condition, table);
        }
    }

    /// ` ORDER BY ..`, down to the primary key, in the direction of the last term: an index has it in that order.
    pub(crate) fn push_order(&self, text: &mut Text, table: &TableSchema) {
        for (index, (column, descending)) in self.terms(table).enumerate() {
            text.push(if index == 0 { " ORDER BY " } else { ", " });
            text.push(&table.statements().columns[column]);
            if descending {
                text.push(" DESC");
            }
        }
    }

    /// The order's terms, down to the primary key.
    pub(crate) fn whole_order(&self, table: &TableSchema) -> Vec<(usize, bool)> {
        self.terms(table).collect()
    }

    fn terms(&self, table: &TableSchema) -> impl Iterator<Item = (usize, bool)> {
        let last = self.order.last().is_some_and(|(_, descending)| *descending);
        let given = |column: &usize| self.order.iter().any(|(other, _)| other == column);
        let key = table.primary_key.iter().filter(move |column| !given(column)).map(move |column| (*column, last));
        self.order.iter().copied().chain(key)
    }

    /// ` LIMIT ? OFFSET ?`, where `most` is a limit of the query itself.
    pub(crate) fn push_limit(&self, text: &mut Text, most: Option<u64>) {
        let limit = self.limit.into_iter().chain(most).min();
        if limit.is_none() && self.offset == 0 {
            return;
        }
        // There are never more rows than this, and SQLite knows no OFFSET without LIMIT.
        let number = |rows: u64| Value::Integer(i64::try_from(rows).unwrap_or(i64::MAX));
        text.push(" LIMIT ");
        text.value(&number(limit.unwrap_or(u64::MAX)));
        if self.offset > 0 {
            text.push(" OFFSET ");
            text.value(&number(self.offset));
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }

    pub(crate) fn rows(&self, table: &TableSchema, most: Option<u64>) -> Result<Text, QueryErrorKind> {
        self.check()?;
        let mut text = Text::default();
        text.push(&table.statements().select);
        self.push_where(&mut text, table);
        self.push_order(&mut text, table);
        self.push_limit(&mut text, most);
        Ok(text)
    }

    pub(crate) fn count(&self, table: &TableSchema) -> Result<Text, QueryErrorKind> {
        self.check()?;
        let mut text = Text::default();
        let cut = self.is_cut();
        text.push(if cut { "SELECT count(*) FROM (SELECT 1" } else { "SELECT count(*)" });
        self.push_from(&mut text, table);
        if cut {
            self.push_limit(&mut text, None);
            text.push(")");
        }
        Ok(text)
    }

    fn exists(&self, table: &TableSchema) -> Result<Text, QueryErrorKind> {
        self.check()?;
        let mut text = Text::default();
        text.push("SELECT EXISTS (SELECT 1");
        self.push_from(&mut text, table);
        self.push_limit(&mut text, None);
        text.push(")");
        Ok(text)
    }
}

impl<T: Table> Query for Select<T> {
    type Output = Vec<T>;

    fn __describe(&self, into: &mut Description) {
        into.built(&self.spec.rows(T::schema(), None));
        into.select(&self.spec, T::schema(), None);
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        run::all(on, &self.spec.rows(T::schema(), None)?)
    }
}

impl<T: Table> Query for First<T> {
    type Output = Option<T>;

    fn __describe(&self, into: &mut Description) {
        into.built(&self.0.spec.rows(T::schema(), Some(1)));
        into.select(&self.0.spec, T::schema(), Some(1));
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        run::first(on, &self.0.spec.rows(T::schema(), Some(1))?)
    }
}

impl<T: Table> Query for One<T> {
    type Output = T;

    fn __describe(&self, into: &mut Description) {
        into.built(&self.0.spec.rows(T::schema(), Some(2)));
        into.select(&self.0.spec, T::schema(), Some(2));
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        run::one(on, &self.0.spec.rows(T::schema(), Some(2))?)
    }
}

impl<T: Table> Query for Count<T> {
    type Output = u64;

    fn __describe(&self, into: &mut Description) {
        into.built(&self.0.spec.count(T::schema()));
        into.read(T::schema().name, RowsRead::Matching(self.0.spec.condition.clone()), ColumnsRead::Named(&[]));
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        let rows: i64 = run::one(on, &self.0.spec.count(T::schema())?)?;
        Ok(rows.unsigned_abs())
    }
}

impl<T: Table> Query for Exists<T> {
    type Output = bool;

    fn __describe(&self, into: &mut Description) {
        into.built(&self.0.spec.exists(T::schema()));
        into.read(T::schema().name, RowsRead::Matching(self.0.spec.condition.clone()), ColumnsRead::Named(&[]));
    }

    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind> {
        run::one(on, &self.0.spec.exists(T::schema())?)
    }
}

impl<T> Clone for Select<T> {
    fn clone(&self) -> Self {
        Self { spec: self.spec.clone(), table: PhantomData }
    }
}

impl<T: Table> fmt::Debug for Select<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spec.rows(T::schema(), None) {
            Ok(text) => text.fmt(formatter),
            Err(error) => write!(formatter, "Select({error})"),
        }
    }
}

macro_rules! like_select {
    ($($query:ident),+) => {$(
        impl<T> Clone for $query<T> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<T: Table> fmt::Debug for $query<T> {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_tuple(stringify!($query)).field(&self.0).finish()
            }
        }
    )+};
}

like_select!(Count, Exists, First, One);
