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

/// What the literal of a `default` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultKind {
    /// A whole number.
    Integer,
    /// A number with a point.
    Real,
    /// `true` or `false`.
    Bool,
    /// A string.
    Text,
}

/// For generated code; runs while compiling.
#[track_caller]
pub const fn assert_default(ty: &ColumnType, kind: DefaultKind, text: &str) {
    let is_bool = same(ty.encoding, "bool");
    match (kind, ty.storage) {
        (DefaultKind::Integer, Storage::Integer) if !is_bool => {}
        (DefaultKind::Bool, Storage::Integer) if is_bool => {}
        (DefaultKind::Integer | DefaultKind::Real, Storage::Real) => {}
        (DefaultKind::Text, Storage::Text) if ty.variants.is_empty() || contains(ty.variants, text) => {}
        (DefaultKind::Text, Storage::Text) => {
            panic!("this default is not the stored name of a variant of the column's enum")
        }
        (DefaultKind::Integer, _) => panic!("this default is a whole number, and the column is not"),
        (DefaultKind::Real, _) => panic!("this default is a float, and the column is not"),
        (DefaultKind::Bool, _) => panic!("this default is a `bool`, and the column is not"),
        (DefaultKind::Text, _) => panic!("this default is a string, and the column is not stored as text"),
    }
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
