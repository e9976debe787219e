//! Documents.

use super::table::check_table_name;
use crate::{errors::Errors, model::Document};

/// Checks a document's name: it is that of a table.
pub(crate) fn document(document: &Document, errors: &mut Errors) {
    check_table_name(&document.name, document.name_span, errors);
}
