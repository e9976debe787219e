//! What an update computes from a row: `Issue::COMMENTS + 1`.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Add, Mul, Sub},
};

use super::{Column, Table};
use crate::value::{ColumnValue, IntoValue, Value, ValueError};

/// A number that SQLite computes of each row of an update, from the row as it was: `Issue::COMMENTS + 1`, `Issue::OPEN - Issue::DONE`.
/// A result that does not fit the column's type is an error of the update.
pub struct ComputedColumn<T, V> {
    formula: Result<Formula, ValueError>,
    types: PhantomData<fn() -> (T, V)>,
}

/// A column, and what is done with it.
#[derive(Clone, Debug)]
pub(crate) struct Formula {
    pub(crate) left: usize,
    pub(crate) operator: char,
    pub(crate) right: Operand,
    /// What the column's type holds, where SQLite would hold more.
    pub(crate) range: Option<(i64, i64)>,
}

/// What stands behind the operator.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Value(Value),
    Column(usize),
}

impl<T, V> Clone for ComputedColumn<T, V> {
    fn clone(&self) -> Self {
        Self { formula: self.formula.clone(), types: PhantomData }
    }
}

impl<T: Table, V> fmt::Debug for ComputedColumn<T, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |column: usize| T::schema().columns[column].name;
        match &self.formula {
            Ok(Formula { left, operator, right: Operand::Column(right), .. }) => {
                write!(formatter, "{} {operator} {}", name(*left), name(*right))
            }
            Ok(Formula { left, operator, right: Operand::Value(right), .. }) => {
                write!(formatter, "{} {operator} {right:?}", name(*left))
            }
            Err(error) => write!(formatter, "ComputedColumn({error})"),
        }
    }
}

/// A column type that an update computes with: `i64`, the smaller integers, and `f64`.
#[diagnostic::on_unimplemented(
    message = "a column of type `{Self}` cannot be computed with",
    label = "`+`, `-` and `*` are for columns of integers and of `f64`",
    note = "read the row with `tables.query(..)` and set the column to the new value"
)]
pub trait Number: ColumnValue {
    /// What the type holds, where SQLite would hold more.
    #[doc(hidden)]
    const __RANGE: Option<(i64, i64)>;
}

/// What may stand behind the operator of a computed value: a number of the column's type, or another column of it.
#[diagnostic::on_unimplemented(
    message = "a column of type `{V}` cannot be computed with `{Self}`",
    label = "expected `{V}`, or a column of type `{V}` of the same table"
)]
pub trait IntoOperand<T, V> {
    #[doc(hidden)]
    fn __operand(self) -> OperandOf;
}

/// An operand, without its types.
#[doc(hidden)]
pub struct OperandOf(Result<Operand, ValueError>);

#[diagnostic::do_not_recommend]
impl<T, V, To> IntoOperand<T, V> for Column<T, V, To> {
    fn __operand(self) -> OperandOf {
        OperandOf(Ok(Operand::Column(self.index())))
    }
}

macro_rules! numbers {
    ($($type:ident $range:expr),+ $(,)?) => {$(
        impl Number for $type {
            const __RANGE: Option<(i64, i64)> = $range;
        }

        #[diagnostic::do_not_recommend]
        impl<T> IntoOperand<T, $type> for $type {
            fn __operand(self) -> OperandOf {
                OperandOf(IntoValue::<$type>::into_value(self).map(Operand::Value))
            }
        }
    )+};
}

numbers!(
    i8 Some((i8::MIN as i64, i8::MAX as i64)),
    i16 Some((i16::MIN as i64, i16::MAX as i64)),
    i32 Some((i32::MIN as i64, i32::MAX as i64)),
    u8 Some((0, u8::MAX as i64)),
    u16 Some((0, u16::MAX as i64)),
    u32 Some((0, u32::MAX as i64)),
    i64 None,
    f64 None,
);

macro_rules! operators {
    ($($trait:ident $function:ident $operator:literal),+) => {$(
        #[diagnostic::do_not_recommend]
        impl<T, V: Number, To, R: IntoOperand<T, V>> $trait<R> for Column<T, V, To> {
            type Output = ComputedColumn<T, V>;

            fn $function(self, right: R) -> ComputedColumn<T, V> {
                let formula = right.__operand().0.map(|right| Formula {
                    left: self.index(),
                    operator: $operator,
                    right,
                    range: V::__RANGE,
                });
                ComputedColumn { formula, types: PhantomData }
            }
        }
    )+};
}

operators!(Add add '+', Sub sub '-', Mul mul '*');

/// What an update sets a column of table `T` and type `V` to: a value of its type, as for [`IntoValue`], or what is computed of the row.
/// `How` is one of these two, and inferred.
#[diagnostic::on_unimplemented(
    message = "a column of type `{V}` cannot be set to `{Self}`",
    label = "expected `{V}`, or a reference to one"
)]
pub trait SetTo<T, V, How> {
    #[doc(hidden)]
    fn __assigned(self) -> Assigned;
}

/// The new value of a column, without its types.
#[doc(hidden)]
pub struct Assigned(pub(crate) Result<NewValue, ValueError>);

/// The new value of a column.
#[derive(Clone, Debug)]
pub(crate) enum NewValue {
    Plain(Value),
    Computed(Formula),
}

/// A value.
#[doc(hidden)]
#[derive(Debug)]
pub enum Plain {}

/// Computed.
#[doc(hidden)]
#[derive(Debug)]
pub enum OfRow {}

#[diagnostic::do_not_recommend]
impl<T, V: ColumnValue, I: IntoValue<V>> SetTo<T, V, Plain> for I {
    fn __assigned(self) -> Assigned {
        Assigned(self.into_value().map(NewValue::Plain))
    }
}

#[diagnostic::do_not_recommend]
impl<T, V> SetTo<T, V, OfRow> for ComputedColumn<T, V> {
    fn __assigned(self) -> Assigned {
        Assigned(self.formula.map(NewValue::Computed))
    }
}
