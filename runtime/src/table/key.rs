//! Primary keys: one column's type, or a tuple of them.

use crate::value::{ColumnValue, IntoValue, Value, ValueError};

/// The Rust type of a table's primary key.
pub trait KeyColumns: Send + Sync + 'static {}

/// A value that names a row of a table whose key is `K`: `K` or a reference to it, `&str` for a `String` key, a tuple of these
/// for a key of several columns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a primary key: the table's key is `{K}`",
    label = "expected `{K}`"
)]
pub trait IntoKey<K> {
    /// The key's values in key order.
    ///
    /// # Errors
    /// When a value has no stored form.
    fn into_key(self) -> Result<Vec<Value>, ValueError>;
}

// Any type: that the columns are columns is said where they are declared, once.
impl<K: Send + Sync + 'static> KeyColumns for K {}

#[diagnostic::do_not_recommend]
impl<K: ColumnValue, V: IntoValue<K>> IntoKey<K> for V {
    fn into_key(self) -> Result<Vec<Value>, ValueError> {
        Ok(vec![self.into_value()?])
    }
}

macro_rules! tuples {
    ($(($($column:ident $value:ident $field:tt),+)),+) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($column: ColumnValue, $value: IntoValue<$column>),+> IntoKey<($($column,)+)> for ($($value,)+) {
            fn into_key(self) -> Result<Vec<Value>, ValueError> {
                Ok(vec![$(self.$field.into_value()?),+])
            }
        }
    )+};
}

tuples!(
    (A X 0, B Y 1),
    (A X 0, B Y 1, C Z 2),
    (A X 0, B Y 1, C Z 2, D W 3)
);
