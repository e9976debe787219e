//! Every message of the macros: lower case, no full stop, names in backticks, and what to write instead.

mod sql;
mod table;

pub(crate) use sql::*;
pub(crate) use table::*;

use std::fmt::Display;

use crate::{keys::Known, suggest};

fn list(known: &[Known]) -> String {
    known.iter().map(|known| format!("`{}`", known.name)).collect::<Vec<_>>().join(", ")
}

// Keys of attributes and of `define_store!`.

pub(crate) fn unknown_key(key: &str, known: &[Known], place: &str) -> String {
    match suggest::closest(key, known.iter().map(|known| known.name)) {
        Some(name) => format!("unknown key `{key}` in `{place}`; did you mean `{name}`?"),
        None => format!("unknown key `{key}` in `{place}`; known are {}", list(known)),
    }
}

pub(crate) fn repeated_key(key: &impl Display, place: &str) -> String {
    format!("`{key}` is written twice in `{place}`; keep one")
}

pub(crate) fn not_a_key(known: &[Known], place: &str) -> String {
    format!("expected a key in `{place}`: one of {}", list(known))
}

pub(crate) fn not_a_list(attribute: &str, known: &[Known]) -> String {
    format!("write `#[{attribute}(..)]` with keys in parentheses: {}", list(known))
}

pub(crate) fn wrong_value(key: &impl Display, usage: &str) -> String {
    format!("`{key}` is written `{usage}`")
}

pub(crate) fn takes_no_value(key: &impl Display) -> String {
    format!("`{key}` takes no value; write it alone")
}

pub(crate) fn missing_comma(place: &str) -> String {
    format!("expected `,` between the keys of `{place}`")
}

pub(crate) fn misplaced(attribute: &str, place: &str) -> String {
    format!("`#[{attribute}(..)]` has no place on {place}; remove it")
}

// What a derive may stand on.

pub(crate) fn generic(derive: &str) -> String {
    format!("`#[derive({derive})]` takes no generic parameters; write the type out")
}

pub(crate) fn needs_named_struct(derive: &str, name: &impl Display) -> String {
    let each = if derive == "Document" { "" } else { ", one per column" };
    format!("`#[derive({derive})]` needs a struct with named fields{each}: `struct {name} {{ .. }}`")
}

pub(crate) fn no_columns(derive: &str, name: &impl Display) -> String {
    let one = if derive == "Document" { "one" } else { "one column" };
    format!("`{name}` has no fields; `#[derive({derive})]` needs at least {one}")
}

// Events.

pub(crate) fn not_an_event_enum(name: &impl Display) -> String {
    format!("`#[derive(Event)]` needs an enum with one variant per event: `enum {name} {{ .. }}`")
}

pub(crate) fn no_wire_name(variant: &impl Display) -> String {
    format!("event `{variant}` has no wire name; write `#[event(name = \"v1.{variant}\")]` above it")
}

pub(crate) fn bad_wire_name(name: &str) -> String {
    format!(
        "{name:?} is not a wire name; use 1 to 120 characters without blanks or control characters, such as `v1.IssueOpened`"
    )
}

pub(crate) fn same_wire_name(name: &str, first: &impl Display) -> String {
    format!(
        "wire name `{name}` already belongs to event `{first}`; every event needs its own, such as `v2.{}`",
        bare(name)
    )
}

fn bare(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, bare)| bare)
}

pub(crate) fn event_tuple(variant: &impl Display) -> String {
    format!(
        "event `{variant}` has several unnamed fields; name them: `{variant} {{ .. }}`, so that they can change later"
    )
}

pub(crate) fn empty_event_tuple(variant: &impl Display) -> String {
    format!("event `{variant}` has empty parentheses; write `{variant}` for an event without arguments")
}

pub(crate) fn empty_reason() -> String {
    "say why, and what to commit instead: `deprecated = \"use v2.IssueOpened\"`".to_owned()
}

pub(crate) fn bad_from() -> String {
    "an upcaster is written `from(\"v1.IssueOpened\" = upgrade)`, where `upgrade` is a `fn(Old) -> Result<Self, E>`"
        .to_owned()
}

pub(crate) fn serde_on_enum(what: &str) -> String {
    format!(
        "`#[serde(..)]` has no place on {what}: an event's encoding is fixed to the JSON of the variant's fields; fields may have it"
    )
}

pub(crate) fn unknown_serde(key: &str, known: &[&str]) -> String {
    match suggest::closest(key, known.iter().copied()) {
        Some(name) => format!("unknown key `{key}` in `#[serde(..)]`; did you mean `{name}`?"),
        None => {
            let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("unknown key `{key}` in `#[serde(..)]`; a field of an event knows {known}")
        }
    }
}

pub(crate) fn serde_value(key: &str, usage: &str) -> String {
    format!("`{key}` is written `#[serde({usage})]` on a field of an event")
}

pub(crate) fn serde_not_here(key: &str) -> String {
    format!("`#[serde({key})]` has no place on a field of an event: events own their data and are encoded as they are")
}

pub(crate) fn serde_on_newtype(key: &str) -> String {
    format!(
        "`#[serde({key})]` does nothing on the only value of an event, which has no name and is always there; name the field, as in \
         `Selected {{ number: i64 }}`, or remove it (`with`, `serialize_with` and `deserialize_with` may stand here)"
    )
}

// Schemas.

pub(crate) fn no_events(name: &impl Display) -> String {
    format!("schema `{name}` names no events; write `#[schema(events = IssueEvent, tables(Issue))]`")
}

pub(crate) fn same_table() -> String {
    "this table is already in `tables(..)`; keep one".to_owned()
}

pub(crate) fn bad_version() -> String {
    "`version` is a whole number from 0 to 4294967295, such as `version = 1`".to_owned()
}

// Store keys.

pub(crate) fn not_a_key_struct(name: &impl Display) -> String {
    format!(
        "`{name}` cannot be a store key: `#[derive(StoreKey)]` needs a struct with fields; a store without an id has `singleton: \"..\"` in its `define_store!`"
    )
}

pub(crate) fn no_pattern(name: &impl Display, fields: &[String]) -> String {
    let fields = fields.iter().map(|field| format!("{{{field}}}")).collect::<Vec<_>>().join(":");
    format!("store key `{name}` has no pattern; write something like `#[store_key(\"kind:{fields}\")]` above it")
}

pub(crate) fn key_usage() -> String {
    "a store key's pattern is written `#[store_key(\"issue:{number}\")]`; after it, only `crate = path` is known"
        .to_owned()
}

pub(crate) fn two_patterns() -> String {
    "a store key has one pattern; keep one".to_owned()
}

pub(crate) fn pattern_brace(brace: char) -> String {
    format!("the pattern has a `{brace}` without its partner; a field is written `{{field}}`")
}

pub(crate) fn pattern_unknown_field<'a>(
    field: &str,
    key: &impl Display,
    fields: impl Iterator<Item = &'a str> + Clone,
) -> String {
    format!("in the pattern, {}", unknown_field(field, key, fields))
}

pub(crate) fn pattern_repeated(field: &str) -> String {
    format!("field `{field}` stands twice in the pattern; every field stands there once")
}

pub(crate) fn pattern_unused(field: &str) -> String {
    format!("field `{field}` is not in the pattern, so different keys would open one store; add `:{{{field}}}`")
}

pub(crate) fn pattern_character(found: char) -> String {
    format!("the pattern holds {found:?}; outside of fields a store id has letters, digits and `._:~-`")
}

pub(crate) fn pattern_separator(field: &str, text: &str) -> String {
    if text.is_empty() {
        format!("nothing separates field `{field}` from the next one; put `:` between them")
    } else {
        format!("`{text}` after field `{field}` begins with a character that the field may hold; begin it with `:`")
    }
}

pub(crate) fn pattern_start(found: char) -> String {
    format!("the pattern begins with `{found}`; a store id begins with a letter or digit")
}

pub(crate) fn pattern_dots() -> String {
    "the pattern could make `..`, which no store id may hold; write one dot, and none before a field".to_owned()
}

pub(crate) fn pattern_long(bytes: usize) -> String {
    format!("the pattern's own text has {bytes} bytes, a store id has 120 at most; shorten it")
}

// Definitions.

pub(crate) fn not_a_definition(place: &str) -> String {
    let body = match place {
        "define_store!" => "pub WorkspaceStore { name: \"workspace\", schema: .., adapter: .. }",
        _ => "pub IssueList { name: \"issue-list\", source: IssueStore, schema: .., adapter: .. }",
    };
    format!("`{place}` is written `{place} {{ {body} }}`")
}

pub(crate) fn one_definition(place: &str) -> String {
    format!("one `{place}` makes one {}; write another `{place}` for the next", made(place))
}

/// What a macro makes.
fn made(place: &str) -> &'static str {
    if place == "define_store!" { "store" } else { "projection" }
}

pub(crate) fn missing_keys(store: &impl Display, missing: &[&Known], place: &str) -> String {
    let keys = missing.iter().map(|known| format!("`{}`", known.usage)).collect::<Vec<_>>().join(", ");
    format!("{} `{store}` lacks {keys}", made(place))
}

pub(crate) fn bad_definition_name(name: &str) -> String {
    format!(
        "{name:?} is not a store definition's name; use 1 to 64 of letters, digits and `._:~-`, a letter or digit first, no `..`"
    )
}

pub(crate) fn bad_singleton(id: &str) -> String {
    format!("{id:?} is not a store id; use 1 to 120 of letters, digits and `._:~-`, a letter or digit first, no `..`")
}

pub(crate) fn singleton_with_id() -> String {
    "a singleton store is opened without an id; remove `id` or `singleton`".to_owned()
}

pub(crate) fn not_a_query() -> String {
    "a query is written `pub fn name(parameter: Type) -> Vec<Row> = \"SELECT ..\";`".to_owned()
}

pub(crate) fn query_without_result(name: &impl Display) -> String {
    format!("query `{name}` has no result type; write `-> Vec<Row>`, `-> Option<Row>` or `-> Row`")
}

pub(crate) fn query_has_receiver() -> String {
    "a query takes no `self`; the store is asked: `store.query(WorkspaceStore::name(..))`".to_owned()
}

pub(crate) fn query_parameter() -> String {
    "a parameter of a query is written `name: Type`".to_owned()
}

pub(crate) fn query_modifier() -> String {
    "a query is a plain `fn`, without generics, `async`, `const` or `unsafe`".to_owned()
}

pub(crate) fn indexed_twice() -> String {
    "`#[indexed]` is written twice; keep one".to_owned()
}

pub(crate) fn same_query(name: &impl Display) -> String {
    format!("query `{name}` is already declared; choose another name")
}

// The materializer.

pub(crate) fn not_a_materializer() -> String {
    "write `#[larder::materializer]` above `impl Materializer for YourSchema { .. }`".to_owned()
}

pub(crate) fn materializer_arguments() -> String {
    "`#[larder::materializer]` takes no arguments".to_owned()
}
