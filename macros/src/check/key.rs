//! Typed store ids: no two keys may make the same id, and each id reads back as its key.

use crate::{
    errors::Errors,
    message,
    model::{Segment, StoreKey},
};

/// Longest store id, in bytes.
const MAX_ID: usize = 120;

/// Checks a key and its pattern.
pub(crate) fn key(key: &StoreKey, errors: &mut Errors) {
    fields(key, errors);
    literals(key, errors);
    separators(key, errors);
}

fn fields(key: &StoreKey, errors: &mut Errors) {
    let before = errors.count();
    let mut seen: Vec<&str> = Vec::new();
    for segment in &key.segments {
        let Segment::Field(name) = segment else { continue };
        if !key.fields.iter().any(|field| field.name == *name) {
            let known = key.fields.iter().map(|field| field.name.as_str());
            errors.span(key.span, message::pattern_unknown_field(name, &key.ident, known));
        } else if seen.contains(&name.as_str()) {
            errors.span(key.span, message::pattern_repeated(name));
        }
        seen.push(name);
    }
    if errors.count() > before {
        return;
    }
    for field in key.fields.iter().filter(|field| !seen.contains(&field.name.as_str())) {
        errors.at(&field.member, message::pattern_unused(&field.name));
    }
}

fn literals(key: &StoreKey, errors: &mut Errors) {
    let mut bytes = 0;
    for (at, segment) in key.segments.iter().enumerate() {
        let Segment::Literal(text) = segment else { continue };
        bytes += text.len();
        let allowed = |found: char| found.is_ascii_alphanumeric() || matches!(found, '.' | '_' | ':' | '~' | '-');
        if let Some(found) = text.chars().find(|found| !allowed(*found)) {
            errors.span(key.span, message::pattern_character(found));
        }
        if at == 0
            && let Some(first) = text.chars().next().filter(|first| allowed(*first) && !first.is_ascii_alphanumeric())
        {
            errors.span(key.span, message::pattern_start(first));
        }
        let before_field = matches!(key.segments.get(at + 1), Some(Segment::Field(_)));
        if text.contains("..") || (before_field && text.ends_with('.')) {
            errors.span(key.span, message::pattern_dots());
        }
    }
    if bytes >= MAX_ID {
        errors.span(key.span, message::pattern_long(bytes));
    }
}

fn separators(key: &StoreKey, errors: &mut Errors) {
    for pair in key.segments.windows(2) {
        match pair {
            [Segment::Field(name), Segment::Field(_)] => errors.span(key.span, message::pattern_separator(name, "")),
            [Segment::Field(name), Segment::Literal(text)] if !text.starts_with(':') => {
                errors.span(key.span, message::pattern_separator(name, text));
            }
            _ => {}
        }
    }
}
