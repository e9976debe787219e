//! Parameters of SQL that an app writes.

use crate::value::{ColumnValue, Value, ValueError};

/// One parameter: a column value, `&str`, `&String`, `&[u8]`, or a [`Value`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of SQL",
    label = "expected a column value, `&str`, `&[u8]` or a `Value`"
)]
pub trait SqlParam {
    /// The value in its stored form.
    ///
    /// # Errors
    /// When it has none.
    fn into_param(self) -> Result<Value, ValueError>;
}

#[diagnostic::do_not_recommend]
impl<V: ColumnValue> SqlParam for V {
    fn into_param(self) -> Result<Value, ValueError> {
        Ok(self.encode()?.into_owned())
    }
}

#[diagnostic::do_not_recommend]
impl SqlParam for &str {
    fn into_param(self) -> Result<Value, ValueError> {
        Ok(Value::Text(self.to_owned()))
    }
}

#[diagnostic::do_not_recommend]
impl SqlParam for Option<&str> {
    fn into_param(self) -> Result<Value, ValueError> {
        Ok(self.map_or(Value::Null, |text| Value::Text(text.to_owned())))
    }
}

#[diagnostic::do_not_recommend]
impl SqlParam for &String {
    fn into_param(self) -> Result<Value, ValueError> {
        Ok(Value::Text(self.clone()))
    }
}

#[diagnostic::do_not_recommend]
impl SqlParam for &[u8] {
    fn into_param(self) -> Result<Value, ValueError> {
        Ok(Value::Blob(self.to_owned()))
    }
}

#[diagnostic::do_not_recommend]
impl SqlParam for Value {
    fn into_param(self) -> Result<Value, ValueError> {
        match self {
            Self::Real(number) if number.is_nan() => Err(ValueError::NotANumber),
            value => Ok(value),
        }
    }
}

/// The parameters of a statement, in the order of its `?`: a tuple, an array, a `Vec`, or `()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the parameters of SQL",
    label = "expected a tuple, an array or a `Vec` of values, or `()`"
)]
pub trait SqlParams {
    /// The values in order.
    ///
    /// # Errors
    /// When one has no stored form.
    fn into_values(self) -> Result<Vec<Value>, ValueError>;
}

impl SqlParams for () {
    fn into_values(self) -> Result<Vec<Value>, ValueError> {
        Ok(Vec::new())
    }
}

#[diagnostic::do_not_recommend]
impl<P: SqlParam, const N: usize> SqlParams for [P; N] {
    fn into_values(self) -> Result<Vec<Value>, ValueError> {
        self.into_iter().map(SqlParam::into_param).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<P: SqlParam> SqlParams for Vec<P> {
    fn into_values(self) -> Result<Vec<Value>, ValueError> {
        self.into_iter().map(SqlParam::into_param).collect()
    }
}

macro_rules! tuples {
    ($(($($param:ident $field:tt),+)),+ $(,)?) => {$(
        impl<$($param: SqlParam),+> SqlParams for ($($param,)+) {
            fn into_values(self) -> Result<Vec<Value>, ValueError> {
                Ok(vec![$(self.$field.into_param()?),+])
            }
        }
    )+};
}

tuples!(
    (A 0),
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7),
);
