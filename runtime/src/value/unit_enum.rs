//! What the derived column types share.

use super::{Encoded, NotNull, ValueError, ValueRef};

/// A type that a newtype may be around: any column type but `Option<_>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be inside a `ColumnValue` struct",
    label = "a derived column type is never `NULL`",
    note = "derive it for the type inside the `Option`, and make the column an `Option` of it"
)]
pub trait NewtypeOf {}

#[diagnostic::do_not_recommend]
impl<V: NotNull> NewtypeOf for V {}

/// For generated code.
pub const fn assert_newtype<V: NewtypeOf>() {}

/// For generated code.
pub fn text(name: &'static str) -> Encoded<'static> {
    Encoded::Text(name.into())
}

/// For generated code: a stored value that is none of an enum's variants.
#[cold]
pub fn not_a_variant(type_name: &'static str, variants: &[&str], value: ValueRef<'_>) -> ValueError {
    match value {
        ValueRef::Text(text) => ValueError::Invalid {
            expected: type_name,
            text: text.chars().take(64).collect(),
            reason: format!("it is none of its variants: {}", variants.join(", ")),
        },
        other => ValueError::Type { expected: type_name, found: other.storage_name() },
    }
}
