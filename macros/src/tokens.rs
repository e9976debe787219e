//! The text of tokens, with separators of our own: what a compiler prints between tokens may change with its version.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// A hash of the tokens' texts, documentation left out.
pub(crate) fn hash(tokens: TokenStream) -> u64 {
    let mut texts = Vec::new();
    collect(tokens, &mut texts);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in texts.iter().flat_map(|text| text.bytes().chain([0x1f])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

/// The tokens in one line, a blank only where two words would run together, documentation left out.
pub(crate) fn line(tokens: TokenStream) -> String {
    let mut texts = Vec::new();
    collect(tokens, &mut texts);
    let mut line = String::new();
    let word = |found: Option<char>| found.is_some_and(|found| found.is_alphanumeric() || matches!(found, '_' | '"'));
    for text in texts {
        if word(line.chars().last()) && word(text.chars().next()) {
            line.push(' ');
        }
        line.push_str(&text);
    }
    line
}

/// The tokens, underlined at `span` whenever rustc speaks of them.
pub(crate) fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let respanned = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), at(group.stream(), span)).into();
        }
        token.set_span(token.span().located_at(span));
        token
    });
    respanned.collect()
}

fn collect(tokens: TokenStream, texts: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let bang = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '!');
                let held = if bang { tokens.next() } else { None };
                match tokens.peek() {
                    Some(TokenTree::Group(group)) if is_doc(group.stream()) => drop(tokens.next()),
                    _ => {
                        texts.push("#".to_owned());
                        texts.extend(held.map(|token| token.to_string()));
                    }
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                texts.extend((!open.is_empty()).then(|| open.to_owned()));
                collect(group.stream(), texts);
                texts.extend((!close.is_empty()).then(|| close.to_owned()));
            }
            other => texts.push(other.to_string()),
        }
    }
}

fn is_doc(attribute: TokenStream) -> bool {
    matches!(attribute.into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
}

#[cfg(test)]
mod tests {
    use super::{hash, line};

    fn of(text: &str) -> u64 {
        hash(text.parse().expect("tokens"))
    }

    #[test]
    fn layout_and_documentation_do_not_change_the_hash() {
        assert_eq!(of("fn a ( ) { b :: c ( ) }"), of("fn a() {\n    b::c()\n}"));
        assert_eq!(of("fn a() { 1 }"), of("#[doc = \"words\"] fn a() { #![doc = \"more\"] 1 }"));
        assert_ne!(of("fn a() { 1 }"), of("fn a() { 2 }"));
        assert_ne!(of("fn a() { b c }"), of("fn a() { bc }"));
    }

    #[test]
    fn the_hash_is_the_same_for_ever() {
        assert_eq!(of("fn a() { 1 }"), 0xea38326780b5c8dd);
    }

    #[test]
    fn a_line_reads_like_source() {
        let tokens = "#[serde(default)] number : Option < i64 >".parse().expect("tokens");
        assert_eq!(line(tokens), "#[serde(default)]number:Option<i64>");
    }
}
