//! What the derived column types share.

use super::{ColumnType, Encoded, Value, ValueError, ValueRef};

/// For generated code; runs while compiling.
#[track_caller]
pub const fn assert_newtype(ty: &ColumnType) {
    assert!(
        !ty.nullable,
        "a derived column type is never `NULL`; derive it for the type inside the `Option`, and make the column an `Option` of it"
    );
}

/// For generated code: a parameter of a query, owned.
///
/// # Errors
/// When the value has no stored form.
pub fn bind(value: Result<Encoded<'_>, ValueError>) -> Result<Value, ValueError> {
    value.map(Encoded::into_owned)
}

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
