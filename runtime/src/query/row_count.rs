//! Numbers of rows: what `limit` and `offset` take.

use crate::value::ValueError;

/// A number of rows: any integer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number of rows",
    label = "expected an integer, such as `20`"
)]
pub trait RowCount {
    /// The number.
    ///
    /// # Errors
    /// When it is negative.
    fn row_count(self) -> Result<u64, ValueError>;
}

macro_rules! integers {
    ($($type:ident),*) => {$(
        #[diagnostic::do_not_recommend]
        impl RowCount for $type {
            fn row_count(self) -> Result<u64, ValueError> {
                u64::try_from(self)
                    .map_err(|_| ValueError::OutOfRange { expected: "a number of rows", value: self.to_string() })
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
