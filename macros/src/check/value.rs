//! Column values.

use std::collections::HashMap;

use crate::{
    errors::Errors,
    message,
    model::{ColumnValue, ValueKind, ValueVariant},
};

/// Checks a column type.
pub(crate) fn value(value: &ColumnValue, errors: &mut Errors) {
    let ValueKind::Enum(variants) = &value.kind else { return };
    if variants.is_empty() {
        errors.at(&value.ident, message::empty_enum("ColumnValue", &value.ident));
    }
    let mut seen: HashMap<&str, &ValueVariant> = HashMap::new();
    for variant in variants {
        if variant.name.is_empty() {
            errors.span(variant.span, message::empty_variant_name());
        }
        if let Some(first) = seen.insert(&variant.name, variant) {
            errors.span(variant.span, message::same_variant_name(&variant.name, &first.ident));
        }
    }
}
