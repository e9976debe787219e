//! Documents.

use proc_macro2::Span;
use syn::{Field, Ident};

use crate::keys::Crate;

/// A `#[derive(Document)]` struct.
pub(crate) struct Document {
    pub(crate) krate: Crate,
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) fields: Vec<Field>,
}
