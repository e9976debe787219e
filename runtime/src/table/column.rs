//! Typed columns: `Issue::STATUS`.

use std::{fmt, marker::PhantomData};

use super::{NewValue, Order, SetTo, Table};
use crate::{
    query::{Comparison, Predicate},
    value::{ColumnValue, IntoValue, Value, ValueError},
};

/// A column of table `T` with values of type `V`. `To` is the table it references, if it references one.
pub struct Column<T, V, To = ()> {
    index: usize,
    types: Types<T, V, To>,
}

type Types<T, V, To> = PhantomData<fn() -> (T, V, To)>;

impl<T, V, To> Clone for Column<T, V, To> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V, To> Copy for Column<T, V, To> {}

impl<T: Table, V, To> fmt::Debug for Column<T, V, To> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", T::schema().name, self.name())
    }
}

impl<T, V, To> Column<T, V, To> {
    /// The column at `index` of the table's columns; for generated code.
    #[doc(hidden)]
    pub const fn __new(index: usize) -> Self {
        Self { index, types: PhantomData }
    }

    /// Where the column stands in [`TableSchema::columns`](super::TableSchema::columns).
    pub const fn index(self) -> usize {
        self.index
    }
}

impl<T: Table, V, To> Column<T, V, To> {
    /// The SQL name.
    pub fn name(self) -> &'static str {
        T::schema().columns[self.index].name
    }

    /// Ascending order by this column.
    pub fn asc(self) -> Order<T> {
        Order::new(self.index, false)
    }

    /// Descending order by this column.
    pub fn desc(self) -> Order<T> {
        Order::new(self.index, true)
    }

    /// Rows where this column is `NULL`.
    pub fn is_null(self) -> Predicate<T> {
        Predicate::null(self.index, true)
    }

    /// Rows where this column is not `NULL`.
    pub fn is_not_null(self) -> Predicate<T> {
        Predicate::null(self.index, false)
    }
}

impl<T: Table, V: ColumnValue, To> Column<T, V, To> {
    /// Equal to `value`. For an `Option` column, `None` matches `NULL`.
    pub fn eq(self, value: impl IntoValue<V>) -> Predicate<T> {
        Predicate::compare(self.index, Comparison::Eq, value.into_value())
    }

    /// Not equal to `value`. For an `Option` column, `NULL` differs from every value.
    pub fn ne(self, value: impl IntoValue<V>) -> Predicate<T> {
        Predicate::compare(self.index, Comparison::Ne, value.into_value())
    }

    /// Less than `value`.
    pub fn lt(self, value: impl IntoValue<V>) -> Predicate<T> {
        Predicate::compare(self.index, Comparison::Lt, value.into_value())
    }

    /// Less than or equal to `value`.
    pub fn le(self, value: impl IntoValue<V>) -> Predicate<T> {
        Predicate::compare(self.index, Comparison::Le, value.into_value())
    }

    /// Greater than `value`.
    pub fn gt(self, value: impl IntoValue<V>) -> Predicate<T> {
        Predicate::compare(self.index, Comparison::Gt, value.into_value())
    }

    /// Greater than or equal to `value`.
    pub fn ge(self, value: impl IntoValue<V>) -> Predicate<T> {
        Predicate::compare(self.index, Comparison::Ge, value.into_value())
    }

    /// Between `low` and `high`, both included.
    pub fn between(self, low: impl IntoValue<V>, high: impl IntoValue<V>) -> Predicate<T> {
        self.ge(low).and(self.le(high))
    }

    /// Equal to one of `values`; of no values, no row.
    pub fn in_<I: IntoValue<V>>(self, values: impl IntoIterator<Item = I>) -> Predicate<T> {
        Predicate::any_of(self.index, values.into_iter().map(IntoValue::into_value).collect())
    }

    /// SQL `LIKE`, for columns of text: `%` is any text, `_` any one character, ASCII letters match in either case.
    pub fn like(self, pattern: impl Into<String>) -> Predicate<T>
    where
        V: TextColumn,
    {
        Predicate::compare(self.index, Comparison::Like, Ok(Value::Text(pattern.into())))
    }

    /// What an update writes: this column becomes `value`.
    pub(crate) fn assign<How>(self, value: impl SetTo<T, V, How>) -> Assignment {
        Assignment { column: self.index, value: value.__assigned().0 }
    }
}

/// `String` and `Option<String>`: the columns that have `like`.
#[diagnostic::on_unimplemented(
    message = "`like` needs a column of text, and this one is of `{Self}`",
    label = "expected a column of type `String` or `Option<String>`"
)]
pub trait TextColumn: ColumnValue {}

impl TextColumn for String {}
impl TextColumn for Option<String> {}

/// One column of an update and its new value.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) column: usize,
    pub(crate) value: Result<NewValue, ValueError>,
}
