//! Schemas.

use crate::{errors::Errors, message, model::Schema, tokens};

/// Checks a schema: every table stands in it once.
pub(crate) fn schema(schema: &Schema, errors: &mut Errors) {
    let mut seen = Vec::new();
    for table in &schema.tables {
        let text = tokens::line(quote::quote!(#table));
        if seen.contains(&text) {
            errors.at(table, message::same_table());
        }
        seen.push(text);
    }
}
