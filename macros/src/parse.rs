//! From tokens to the model. Everything that can be read is read: an error does not stop the rest.

pub(crate) mod definition;
pub(crate) mod document;
pub(crate) mod event;
pub(crate) mod key;
pub(crate) mod materializer;
pub(crate) mod query;
pub(crate) mod schema;
mod serde;
pub(crate) mod table;
pub(crate) mod value;

use syn::{Attribute, Data, DeriveInput, Field, Fields, Ident, LitStr, ext::IdentExt};

use crate::{errors::Errors, message};

/// Reports generic parameters: everything that is derived here is stored, and has one name on disk.
fn refuse_generics(input: &DeriveInput, derive: &str, errors: &mut Errors) {
    if !input.generics.params.is_empty() {
        errors.at(&input.generics, message::generic(derive));
    }
}

/// Reports attributes of a derive where they have no meaning.
fn refuse_attributes(attributes: &[Attribute], attribute: &str, place: &str, errors: &mut Errors) {
    for found in attributes.iter().filter(|found| found.path().is_ident(attribute)) {
        errors.at(found, message::misplaced(attribute, place));
    }
}

/// The named fields of a struct.
fn named_fields<'a>(input: &'a DeriveInput, derive: &str, errors: &mut Errors) -> Option<Vec<&'a Field>> {
    let Data::Struct(data) = &input.data else {
        errors.at(&input.ident, message::needs_named_struct(derive, &input.ident));
        return None;
    };
    match &data.fields {
        Fields::Named(fields) if !fields.named.is_empty() => Some(fields.named.iter().collect()),
        Fields::Named(_) => {
            errors.at(&input.ident, message::no_columns(derive, &input.ident));
            None
        }
        _ => {
            errors.at(&input.ident, message::needs_named_struct(derive, &input.ident));
            None
        }
    }
}

fn docs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).cloned().collect()
}

/// `r#type` as `type`.
fn bare(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// A name that the user wrote, or the default, and the place to underline.
fn name_or(written: Option<LitStr>, default: impl FnOnce() -> String, ident: &Ident) -> (String, proc_macro2::Span) {
    match written {
        Some(text) => (text.value(), text.span()),
        None => (default(), ident.span()),
    }
}

/// `IssueComment` as `issue_comment`.
fn snake_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, found) in characters.iter().enumerate() {
        let after_lower = at > 0 && !characters[at - 1].is_uppercase() && characters[at - 1] != '_';
        let before_lower = at > 0
            && characters[at - 1].is_uppercase()
            && characters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if found.is_uppercase() && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.extend(found.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn type_names_become_table_names() {
        assert_eq!(snake_case("Issue"), "issue");
        assert_eq!(snake_case("IssueComment"), "issue_comment");
        assert_eq!(snake_case("HTTPServer2Log"), "http_server2_log");
        assert_eq!(snake_case("A_B"), "a_b");
    }
}
