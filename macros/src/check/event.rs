//! Events.

use std::collections::HashMap;

use proc_macro2::Span;
use syn::Ident;

use crate::{errors::Errors, message, model::EventEnum};

/// Longest wire name, in bytes.
const MAX_NAME: usize = 120;

/// Checks an event enum: every name, old ones too, belongs to one event.
pub(crate) fn event(events: &EventEnum, errors: &mut Errors) {
    let mut seen: HashMap<&str, &Ident> = HashMap::new();
    for variant in &events.variants {
        let own = std::iter::once((variant.name.as_str(), variant.name_span));
        let old = variant.from.iter().map(|from| (from.name.as_str(), from.span));
        for (name, span) in own.chain(old) {
            wire_name(name, span, errors);
            if let Some(first) = seen.insert(name, &variant.ident) {
                errors.span(span, message::same_wire_name(name, first));
            }
        }
    }
}

fn wire_name(name: &str, span: Span, errors: &mut Errors) {
    let bad = |found: char| found.is_whitespace() || found.is_control();
    if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
        errors.span(span, message::bad_wire_name(name));
    }
}
