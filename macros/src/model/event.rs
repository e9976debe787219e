//! Events.

use proc_macro2::Span;
use syn::{Attribute, Ident, Path, Type};

use crate::keys::Crate;

/// A `#[derive(Event)]` enum.
pub(crate) struct EventEnum {
    pub(crate) krate: Crate,
    pub(crate) ident: Ident,
    pub(crate) variants: Vec<EventVariant>,
}

/// One event.
pub(crate) struct EventVariant {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) client_only: bool,
    pub(crate) deprecated: Option<String>,
    pub(crate) from: Vec<Upcaster>,
    pub(crate) payload: Payload,
    /// The payload in words, for the schema's fingerprint.
    pub(crate) words: String,
}

/// `"v1.IssueOpened" = upgrade`
pub(crate) struct Upcaster {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) path: Path,
}

/// What an event carries.
pub(crate) enum Payload {
    /// Nothing.
    Unit,
    /// One value.
    Newtype(Box<PayloadField>),
    /// Named fields.
    Struct(Vec<PayloadField>),
}

impl Payload {
    /// The fields, named or not.
    pub(crate) fn fields(&self) -> &[PayloadField] {
        match self {
            Self::Unit => &[],
            Self::Newtype(field) => std::slice::from_ref(&**field),
            Self::Struct(fields) => fields,
        }
    }

    /// Whether no field's attribute needs to know its type.
    pub(crate) fn is_blind(&self) -> bool {
        self.fields().iter().all(|field| field.blind)
    }
}

/// A field, with the serde attributes that are passed on.
pub(crate) struct PayloadField {
    /// Absent for the value of a newtype variant.
    pub(crate) ident: Option<Ident>,
    pub(crate) serde: Vec<Attribute>,
    /// Whether no attribute needs to know the type, so that a generic struct can stand for the payload.
    pub(crate) blind: bool,
    pub(crate) ty: Type,
}
