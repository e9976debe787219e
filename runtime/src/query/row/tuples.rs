//! A tuple of column values as a row, by position.

use super::{Row, RowRef};
use crate::{
    error::QueryErrorKind,
    value::{ColumnType, ColumnValue},
};

macro_rules! tuples {
    ($(($($value:ident $index:literal),+)),+ $(,)?) => {$(
        impl<$($value: ColumnValue),+> Row for ($($value,)+) {
            const NAME: &'static str = "a tuple";
            const COLUMNS: &'static [&'static str] = &[];
            const __TYPES: &'static [ColumnType] = &[$($value::TYPE),+];

            fn decode(row: &RowRef<'_>) -> Result<Self, QueryErrorKind> {
                Ok(($(row.get::<$value>(Self::NAME, $index)?,)+))
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
