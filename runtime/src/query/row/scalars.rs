//! One column value as a row. Types with `#[derive(ColumnValue)]` get the same from the derive.

use serde::{Serialize, de::DeserializeOwned};

use super::{Row, RowRef};
use crate::{
    Timestamp, Uuid,
    error::QueryErrorKind,
    value::{ColumnType, ColumnValue, Json, NotNull},
};

macro_rules! scalars {
    ($(impl($($parameter:tt)*) $type:ty = $name:literal),+ $(,)?) => {$(
        impl<$($parameter)*> Row for $type {
            const NAME: &'static str = $name;
            const COLUMNS: &'static [&'static str] = &[];
            const __TYPES: &'static [ColumnType] = &[<Self as ColumnValue>::TYPE];

            fn decode(row: &RowRef<'_>) -> Result<Self, QueryErrorKind> {
                row.get(Self::NAME, 0)
            }
        }
    )+};
}

scalars!(
    impl() i8 = "i8",
    impl() i16 = "i16",
    impl() i32 = "i32",
    impl() i64 = "i64",
    impl() u8 = "u8",
    impl() u16 = "u16",
    impl() u32 = "u32",
    impl() f32 = "f32",
    impl() f64 = "f64",
    impl() bool = "bool",
    impl() String = "String",
    impl() Vec<u8> = "Vec<u8>",
    impl() Timestamp = "Timestamp",
    impl() Uuid = "Uuid",
    impl(T: Serialize + DeserializeOwned + Send + Sync + 'static) Json<T> = "Json",
    impl(T: NotNull) Option<T> = "Option",
);
