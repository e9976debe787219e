//! What must hold between the columns of tables, said once per table by generated code so that the compiler can say what is wrong.

use super::{ColumnSchema, Table, TableSchema};
use crate::value::{ColumnType, Storage};

/// A type that can hold a reference to a row whose primary key is `K`.
#[diagnostic::on_unimplemented(
    message = "a column of type `{Self}` cannot reference a table whose primary key is `{K}`",
    label = "expected `{K}` or `Option<{K}>`",
    note = "a reference holds the whole primary key, which is one column; a table with a key of several columns cannot be referenced"
)]
pub trait PointsTo<K> {}

impl<K> PointsTo<K> for K {}
#[diagnostic::do_not_recommend]
impl<K> PointsTo<K> for Option<K> {}

/// A type that can become `NULL`.
#[diagnostic::on_unimplemented(
    message = "a column of type `{Self}` cannot become `NULL`",
    label = "`set_null` needs an `Option<_>`",
    note = "make the column `Option<{Self}>`, or use `on_delete = cascade` or `restrict`"
)]
pub trait Nullable {}

#[diagnostic::do_not_recommend]
impl<V> Nullable for Option<V> {}

/// A table that may be in schema `S`: every table it references is there, too. Generated code goes through it for everything that it
/// asks of a schema's tables, so that a type that is none is reported once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table",
    label = "expected a struct with `#[derive(Table)]`"
)]
pub trait TableIn<S>: Table {
    /// [`Table::schema`]
    fn __table() -> &'static TableSchema {
        Self::schema()
    }

    /// The SQL name.
    const __TABLE: &'static str = Self::__NAME;

    /// [`Table::__COLUMNS`]
    const __TABLE_COLUMNS: &'static [ColumnSchema] = Self::__COLUMNS;
}

/// For generated code.
pub const fn assert_reference<V: PointsTo<K>, K>() {}

/// For generated code.
pub const fn assert_nullable<V: Nullable>() {}

/// For generated code; runs while compiling.
#[track_caller]
pub const fn assert_key_column(ty: &ColumnType) {
    assert!(
        !ty.nullable,
        "a primary key is never `NULL`; use the type inside the `Option`, or make another field the key"
    );
}

/// The literal of a `default`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DefaultKind {
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Real(f64),
    /// `true` or `false`.
    Bool,
    /// A string, and whether it is JSON.
    Text(&'static str, bool),
}

/// For generated code; runs while compiling.
#[track_caller]
pub const fn assert_default(ty: &ColumnType, default: DefaultKind) {
    let is_bool = same(ty.encoding, "bool");
    match (default, ty.storage) {
        (DefaultKind::Integer(number), Storage::Integer) if !is_bool => assert_range(ty.encoding, number),
        (DefaultKind::Bool, Storage::Integer) if is_bool => {}
        (DefaultKind::Integer(number), Storage::Real) => assert_precision(ty.encoding, number as f64),
        (DefaultKind::Real(number), Storage::Real) => assert_precision(ty.encoding, number),
        (DefaultKind::Text(text, _), Storage::Text) if !ty.variants.is_empty() => assert!(
            contains(ty.variants, text),
            "this default is not the stored name of a variant of the column's enum"
        ),
        (DefaultKind::Text(_, json), Storage::Text) => assert!(
            json || !same(ty.encoding, "json"),
            "this default is not JSON, and the column is `Json<_>`; write the JSON as a string, such as `default = \"[]\"`"
        ),
        (DefaultKind::Bool, _) => {
            panic!("this default is a `bool`, and the column is not; write a literal of the column's type")
        }
        (_, Storage::Integer) if is_bool => {
            panic!("this default is no `bool`, and the column is; write `default = true` or `default = false`")
        }
        (DefaultKind::Integer(_), _) => {
            panic!("this default is a whole number, and the column is not; write a literal of the column's type")
        }
        (DefaultKind::Real(_), _) => {
            panic!("this default is a float, and the column is not; write a literal of the column's type")
        }
        (DefaultKind::Text(..), _) => panic!(
            "this default is a string, and the column is not stored as text; write a literal of the column's type"
        ),
    }
}

/// The integers that a column of an encoding reads back, and what is said of others. An encoding that is not here takes all.
const RANGES: &[(&str, i64, i64, &str)] = &[
    ("i8", i8::MIN as i64, i8::MAX as i64, "this default does not fit the column; an `i8` is from -128 to 127"),
    ("i16", i16::MIN as i64, i16::MAX as i64, "this default does not fit the column; an `i16` is from -32768 to 32767"),
    (
        "i32",
        i32::MIN as i64,
        i32::MAX as i64,
        "this default does not fit the column; an `i32` is from -2147483648 to 2147483647",
    ),
    ("u8", 0, u8::MAX as i64, "this default does not fit the column; a `u8` is from 0 to 255"),
    ("u16", 0, u16::MAX as i64, "this default does not fit the column; a `u16` is from 0 to 65535"),
    ("u32", 0, u32::MAX as i64, "this default does not fit the column; a `u32` is from 0 to 4294967295"),
    (
        "timestamp",
        -377_705_023_201_000_000,
        253_402_207_200_999_999,
        "this default does not fit the column; a `Timestamp` is in microseconds since 1970, from the year -9999 to 9999",
    ),
];

#[track_caller]
const fn assert_range(encoding: &str, number: i64) {
    let mut at = 0;
    while at < RANGES.len() {
        let (name, least, most, message) = RANGES[at];
        assert!(!same(name, encoding) || (least <= number && number <= most), "{}", message);
        at += 1;
    }
}

/// SQLite stores an `f64`; an `f32` reads back only what it holds itself.
#[track_caller]
const fn assert_precision(encoding: &str, number: f64) {
    assert!(
        !same(encoding, "f32") || number as f32 as f64 == number,
        "this default is no `f32`, and would not read back; write a number that an `f32` holds, such as 0.5, or make the column `f64`"
    );
}

/// For generated code; runs while compiling.
#[track_caller]
pub const fn assert_new_table(before: &[&str], name: &str) {
    let mut at = 0;
    while at < before.len() {
        assert!(
            !before[at].eq_ignore_ascii_case(name),
            "a table before this one has the same SQL name; give one of them another with `#[table(name = \"..\")]`"
        );
        at += 1;
    }
}

const fn contains(names: &[&str], wanted: &str) -> bool {
    let mut at = 0;
    while at < names.len() {
        if same(names[at], wanted) {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::RANGES;

    #[test]
    fn the_range_of_timestamps_is_that_of_their_type() {
        let of =
            |name| RANGES.iter().find(|(encoding, ..)| *encoding == name).map(|(_, least, most, _)| (*least, *most));
        let expected = (Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
        assert_eq!(of("timestamp"), Some(expected));
        for (name, least, most, message) in RANGES.iter().filter(|(name, ..)| *name != "timestamp") {
            assert!(message.contains(&format!("`{name}` is from {least} to {most}")), "{message}");
        }
    }
}
