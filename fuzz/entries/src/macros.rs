//! Every macro, with any source text.

use proc_macro2::{TokenStream, TokenTree};

use crate::entry;

/// rustc reads deeper nests than this with a stack that grows; a fuzzed process has one that does not.
const DEPTH: usize = 40;

/// First bytes of the macros that came later.
const DOCUMENT: u8 = 252;
const DEFINE_PROJECTION: u8 = 253;

/// First bytes of the macros that other macros call.
const COLLECT_TABLES: u8 = 254;
const DEFINE_QUERIES: u8 = 255;

/// The first byte chooses the macro, the rest is its source text.
pub fn run(data: &[u8]) {
    let [choice, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if nests(text) > DEPTH {
        return;
    }
    let Ok(input) = text.parse::<TokenStream>() else { return };
    // `syn` reads fields called `_`; rustc refuses them before it calls a macro.
    let nameless = holds(input.clone(), "_");
    let printed = match choice % 8 {
        _ if *choice == DOCUMENT => entry::document(input),
        _ if *choice == DEFINE_PROJECTION => entry::define_projection(input),
        _ if *choice == COLLECT_TABLES => entry::collect_tables(input),
        _ if *choice == DEFINE_QUERIES => entry::define_queries(input),
        0 => entry::define_store(input),
        1 => entry::table(input),
        2 => entry::event(input),
        3 => entry::store_schema(input),
        4 => entry::store_key(input),
        5 => entry::column_value(input),
        6 => entry::row(input),
        _ => entry::materializer(&TokenStream::new(), input),
    };
    // A macro that says nothing is wrong prints items; one that does prints `compile_error!`.
    if !nameless && !holds(printed.clone(), "compile_error") && (choice % 8 != 7 || *choice == DEFINE_QUERIES) {
        let file = syn::parse2::<syn::File>(printed.clone());
        assert!(file.is_ok(), "{}: {printed}", file.err().map(|error| error.to_string()).unwrap_or_default());
    }
}

/// How deep brackets, and what may recurse without them, go.
fn nests(text: &str) -> usize {
    let (mut depth, mut deepest, mut chained) = (0_usize, 0, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' | b']' | b'}' | b'>' => depth = depth.saturating_sub(1),
            b'&' | b'*' | b'!' | b'-' | b'|' | b'=' | b'?' | b'.' => chained += 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest + chained / 4
}

fn holds(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => holds(group.stream(), word),
        TokenTree::Ident(ident) => ident == word,
        _ => false,
    })
}
