//! Schemas.

use crate::{errors::Errors, message, model::Schema, relay, tokens};

/// Checks a schema: every table is named by its path, and once.
pub(crate) fn schema(schema: &Schema, errors: &mut Errors) {
    let mut seen = Vec::new();
    for table in &schema.tables {
        let text = tokens::line(quote::quote!(#table));
        if relay::path(table).is_none() {
            errors.at(table, message::not_a_table_path(&text));
        } else if seen.contains(&text) {
            errors.at(table, message::same_table());
        }
        seen.push(text);
    }
}
