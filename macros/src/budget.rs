//! How much code the macros make of the stores of the `issues` example: more lines are more for the compiler to read in every app.

use std::fmt::Write;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Item, Path, punctuated::Punctuated};

use crate::entry;

const SOURCES: &[&str] = &[
    include_str!("../../examples/issues/src/stores.rs"),
    include_str!("../../examples/issues/src/stores/issue.rs"),
    include_str!("../../examples/issues/src/stores/settings.rs"),
    include_str!("../../examples/issues/src/stores/workspace.rs"),
];

/// Lines of what each macro makes, as `prettyplease` prints them. A number may fall; where one must rise, generated code has to stay data
/// and one-line calls.
const LINES: &str = "\
ColumnValue State: 63
StoreKey IssueId: 57
Table Issue: 155
Table Activity: 230
ColumnValue Kind: 67
Event IssueEvent: 156
StoreSchema IssueSchema: 42
define_store!: 22
Table Setting: 129
Event SettingEvent: 55
StoreSchema SettingsSchema: 32
define_store!: 27
StoreKey WorkspaceId: 42
Table Headline: 208
Table Applied: 107
Event WorkspaceEvent: 146
StoreSchema WorkspaceSchema: 47
Row Counts: 63
define_store!: 33
all: 1681
";

#[test]
fn the_macros_make_no_more_code_than_this() {
    let mut lines = String::new();
    let mut all = 0;
    for (place, expanded) in SOURCES.iter().flat_map(|source| expansions(source)) {
        let file = syn::parse2(expanded).unwrap_or_else(|error| panic!("{place}: {error}"));
        let count = prettyplease::unparse(&file).lines().count();
        all += count;
        writeln!(lines, "{place}: {count}").expect("a `String` takes everything");
    }
    writeln!(lines, "all: {all}").expect("a `String` takes everything");
    assert_eq!(lines.trim(), LINES.trim(), "what the macros make has another size:\n{lines}");
}

/// Every use of a macro of larder in a file, and what it makes. What an attribute leaves of the user's own code does not count.
fn expansions(source: &str) -> Vec<(String, TokenStream)> {
    let file = syn::parse_file(source).expect("the example is Rust");
    file.items.iter().flat_map(of_item).collect()
}

fn of_item(item: &Item) -> Vec<(String, TokenStream)> {
    let (name, attributes) = match item {
        Item::Struct(item) => (&item.ident, &item.attrs),
        Item::Enum(item) => (&item.ident, &item.attrs),
        Item::Macro(item) if item.mac.path.is_ident("define_store") => {
            return vec![("define_store!".to_owned(), entry::define_store(item.mac.tokens.clone()))];
        }
        _ => return Vec::new(),
    };
    let derive = |derive: &Path| {
        let expand = match derive.segments.last()?.ident.to_string().as_str() {
            "Table" => entry::table,
            "Row" => entry::row,
            "ColumnValue" => entry::column_value,
            "Event" => entry::event,
            "StoreSchema" => entry::store_schema,
            "StoreKey" => entry::store_key,
            _ => return None,
        };
        Some((format!("{} {name}", derive.segments.last()?.ident), expand(item.to_token_stream())))
    };
    attributes.iter().flat_map(derives).filter_map(|path| derive(&path)).collect()
}

fn derives(attribute: &Attribute) -> Vec<Path> {
    let is_derive = attribute.path().is_ident("derive");
    let paths = is_derive.then(|| attribute.parse_args_with(Punctuated::<Path, syn::Token![,]>::parse_terminated));
    paths.and_then(Result::ok).into_iter().flatten().collect()
}
