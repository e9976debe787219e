//! Store definitions.

use crate::{
    errors::Errors,
    message,
    model::{Definition, Identity},
};

/// Checks a definition's names.
pub(crate) fn definition(definition: &Definition, errors: &mut Errors) {
    let name = definition.name.value();
    if name.len() > 64 || !is_id(&name) {
        errors.at(&definition.name, message::bad_definition_name(&name));
    }
    if let Identity::Singleton(id) = &definition.identity
        && (id.value().len() > 120 || !is_id(&id.value()))
    {
        errors.at(id, message::bad_singleton(&id.value()));
    }
    let mut seen = Vec::new();
    for query in &definition.queries {
        if seen.contains(&&query.ident) {
            errors.at(&query.ident, message::same_query(&query.ident));
        }
        seen.push(&query.ident);
    }
}

fn is_id(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|found| found.is_ascii_alphanumeric() || matches!(found, '.' | '_' | ':' | '~' | '-'))
        && !text.contains("..")
}
