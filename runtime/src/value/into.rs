//! What may be compared with a column or written to it.

use super::{ColumnValue, NotNull, Value, ValueError};

/// A value that can be compared with, or set to, a column of type `V`.
///
/// `V` itself and `&V`; `&str` for a `String` column; for an `Option<V>` column also `V`, `&V` and `&str`.
#[diagnostic::on_unimplemented(
    message = "a column of type `{V}` cannot be compared with or set to `{Self}`",
    label = "expected `{V}`, or a reference to one"
)]
pub trait IntoValue<V: ColumnValue> {
    /// The value in its stored form.
    ///
    /// # Errors
    /// When the value has no stored form; see [`ColumnValue::encode`].
    fn into_value(self) -> Result<Value, ValueError>;
}

#[diagnostic::do_not_recommend]
impl<V: ColumnValue> IntoValue<V> for V {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(self.encode()?.into_owned())
    }
}

#[diagnostic::do_not_recommend]
impl<V: ColumnValue> IntoValue<V> for &V {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(self.encode()?.into_owned())
    }
}

#[diagnostic::do_not_recommend]
impl IntoValue<String> for &str {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(Value::Text(self.to_owned()))
    }
}

#[diagnostic::do_not_recommend]
impl<V: NotNull> IntoValue<Option<V>> for V {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(self.encode()?.into_owned())
    }
}

#[diagnostic::do_not_recommend]
impl<V: NotNull> IntoValue<Option<V>> for &V {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(self.encode()?.into_owned())
    }
}

#[diagnostic::do_not_recommend]
impl IntoValue<Option<String>> for &str {
    fn into_value(self) -> Result<Value, ValueError> {
        Ok(Value::Text(self.to_owned()))
    }
}
