//! `#[derive(Document)]`

use syn::DeriveInput;

use super::{bare, name_or, named_fields, refuse_attributes, refuse_generics, snake_case};
use crate::{
    errors::Errors,
    keys::{self, CRATE, Crate, Known},
    model::Document,
};

const DOCUMENT: &[Known] = &[Known::once("name", "name = \"view\""), CRATE];

/// Reads a document.
pub(crate) fn document(input: &DeriveInput, errors: &mut Errors) -> Option<Document> {
    refuse_generics(input, "Document", errors);
    let (mut name, mut krate) = (None, None);
    keys::read(&input.attrs, "document", DOCUMENT, errors, &mut |found, _| {
        match found.key.to_string().as_str() {
            "name" => name = Some(found.string()?),
            _ => krate = Some(keys::crate_path(found)?),
        }
        Ok(())
    });
    let fields: Vec<_> = named_fields(input, "Document", errors)?.into_iter().cloned().collect();
    for field in &fields {
        refuse_attributes(&field.attrs, "document", "a field of a document", errors);
    }
    let (name, name_span) = name_or(name, || snake_case(&bare(&input.ident)), &input.ident);
    Some(Document { krate: Crate::new(krate), ident: input.ident.clone(), name, name_span, fields })
}
