//! What must hold between the columns of tables, said once per table by generated code so that the compiler can say what is wrong.

use crate::{
    schema::HasTable,
    value::{ColumnType, ColumnValue, NotNull, Storage},
};

/// A type that a primary key may have: any column type but `Option<_>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be in a primary key",
    label = "a key is never `NULL`",
    note = "use the type inside the `Option`, or another field as key"
)]
pub trait KeyColumn {}

#[diagnostic::do_not_recommend]
impl<V: NotNull> KeyColumn for V {}

/// A type that can hold a reference to a row whose primary key is `K`.
#[diagnostic::on_unimplemented(
    message = "a column of type `{Self}` cannot reference a table whose primary key is `{K}`",
    label = "expected `{K}` or `Option<{K}>`",
    note = "a reference holds the whole primary key of one column; a table whose key has several columns cannot be referenced"
)]
pub trait PointsTo<K> {}

#[diagnostic::do_not_recommend]
impl<K: ColumnValue> PointsTo<K> for K {}

#[diagnostic::do_not_recommend]
impl<K: NotNull> PointsTo<K> for Option<K> {}

/// A type that can become `NULL`.
#[diagnostic::on_unimplemented(
    message = "a column of type `{Self}` cannot become `NULL`",
    label = "`set_null` needs an `Option<_>`",
    note = "make the column `Option<{Self}>`, or use `on_delete = cascade` or `restrict`"
)]
pub trait Nullable {}

impl<V: NotNull> Nullable for Option<V> {}

/// Every table that this one references is in schema `S`.
pub trait ReferencesIn<S> {}

/// For generated code.
pub const fn assert_key_column<V: KeyColumn>() {}

/// For generated code.
pub const fn assert_reference<V: PointsTo<K>, K>() {}

/// For generated code.
pub const fn assert_nullable<V: Nullable>() {}

/// For generated code. The bounds come one after the other, so that a table that is missing is reported once.
pub const fn assert_references<S: HasTable<T>, T: ReferencesIn<S>>() {}

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
pub const fn assert_default(ty: &ColumnType, kind: DefaultKind, text: &str) {
    match (kind, ty.storage) {
        (DefaultKind::Integer, Storage::Integer) if !same(ty.encoding, "bool") => {}
        (DefaultKind::Bool, Storage::Integer) if same(ty.encoding, "bool") => {}
        (DefaultKind::Integer | DefaultKind::Real, Storage::Real) => {}
        (DefaultKind::Text, Storage::Text) if ty.variants.is_empty() || contains(ty.variants, text) => {}
        (DefaultKind::Text, Storage::Text) => panic!("this `default` is not the name of one of the column's variants"),
        (DefaultKind::Integer, _) => panic!("this `default` is a whole number, and the column's type is not"),
        (DefaultKind::Real, _) => panic!("this `default` is a float, and the column's type is not"),
        (DefaultKind::Bool, _) => panic!("this `default` is a `bool`, and the column's type is not"),
        (DefaultKind::Text, _) => panic!("this `default` is a string, and the column is not stored as text"),
    }
}

/// For generated code; runs while compiling.
pub const fn assert_table_names(names: &[&str]) {
    let mut at = 0;
    while at < names.len() {
        let mut other = at + 1;
        while other < names.len() {
            assert!(
                !same_ignoring_case(names[at], names[other]),
                "two tables of this schema have the same SQL name; give one of them another with `#[table(name = \"..\")]`"
            );
            other += 1;
        }
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

const fn same_ignoring_case(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}
