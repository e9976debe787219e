//! Column values.

use syn::{Ident, Member, Type};

use crate::keys::Crate;

/// A `#[derive(ColumnValue)]` type.
pub(crate) struct ColumnValue {
    pub(crate) krate: Crate,
    pub(crate) ident: Ident,
    pub(crate) kind: ValueKind,
}

/// What the type is.
pub(crate) enum ValueKind {
    /// A unit enum, stored as text.
    Enum(Vec<ValueVariant>),
    /// A struct with one field, stored as that field.
    Newtype { member: Member, ty: Box<Type> },
}

/// A variant and its stored name.
pub(crate) struct ValueVariant {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) span: proc_macro2::Span,
}
