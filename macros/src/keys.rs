//! Reads `#[table(key = value, key(..), key)]`: unknown and repeated keys are errors, and reading goes on after them.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Ident, Lit, LitStr, Meta, Path, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

use crate::{errors::Errors, message, tokens};

/// A key that an attribute or `define_store!` knows.
pub(crate) struct Known {
    /// What the user writes.
    pub(crate) name: &'static str,
    /// How it is written with a value, for messages.
    pub(crate) usage: &'static str,
    /// Whether it may be written more than once.
    pub(crate) repeats: bool,
}

impl Known {
    /// A key that is written once at most.
    pub(crate) const fn once(name: &'static str, usage: &'static str) -> Self {
        Self { name, usage, repeats: false }
    }

    /// A key that may be written many times.
    pub(crate) const fn many(name: &'static str, usage: &'static str) -> Self {
        Self { name, usage, repeats: true }
    }
}

/// One key that was found, and where its value begins.
pub(crate) struct Found<'a> {
    pub(crate) key: Ident,
    pub(crate) usage: &'static str,
    pub(crate) input: ParseStream<'a>,
}

impl Found<'_> {
    /// The value after `=`.
    pub(crate) fn value<T: Parse>(&self) -> syn::Result<T> {
        self.equals()?;
        self.input.parse().map_err(|error| syn::Error::new(error.span(), message::wrong_value(&self.key, self.usage)))
    }

    /// The string after `=`.
    pub(crate) fn string(&self) -> syn::Result<LitStr> {
        self.equals()?;
        match self.input.parse() {
            Ok(Lit::Str(text)) => Ok(text),
            Ok(other) => Err(syn::Error::new_spanned(other, message::wrong_value(&self.key, self.usage))),
            Err(error) => Err(syn::Error::new(error.span(), message::wrong_value(&self.key, self.usage))),
        }
    }

    /// Nothing: the key stands alone.
    pub(crate) fn flag(&self) -> syn::Result<()> {
        if at_end(self.input) {
            return Ok(());
        }
        Err(syn::Error::new(self.input.span(), message::takes_no_value(&self.key)))
    }

    /// Whether a list in parentheses follows.
    pub(crate) fn has_list(&self) -> bool {
        self.input.peek(syn::token::Paren)
    }

    /// The list in parentheses.
    pub(crate) fn list<T>(&self, read: impl FnOnce(ParseStream<'_>) -> syn::Result<T>) -> syn::Result<T> {
        if !self.has_list() {
            return Err(syn::Error::new(self.key.span(), message::wrong_value(&self.key, self.usage)));
        }
        let content;
        syn::parenthesized!(content in self.input);
        let result = read(&content);
        // What is left behind a mistake would be another one to syn.
        while result.is_err() && content.parse::<TokenTree>().is_ok() {}
        result
    }

    /// The items of the list in parentheses, separated by commas; at least one.
    pub(crate) fn items<T: Parse>(&self) -> syn::Result<Vec<T>> {
        let items = self.list(|content| {
            content
                .parse_terminated(T::parse, Token![,])
                .map_err(|error| syn::Error::new(error.span(), message::wrong_value(&self.key, self.usage)))
        })?;
        if items.is_empty() {
            return Err(syn::Error::new(self.key.span(), message::wrong_value(&self.key, self.usage)));
        }
        Ok(items.into_iter().collect())
    }

    fn equals(&self) -> syn::Result<()> {
        if self.input.parse::<Token![=]>().is_ok() {
            return Ok(());
        }
        Err(syn::Error::new(self.key.span(), message::wrong_value(&self.key, self.usage)))
    }
}

/// Which keys were seen so far.
pub(crate) struct Seen<'a> {
    known: &'a [Known],
    seen: Vec<Ident>,
    place: &'a str,
}

impl<'a> Seen<'a> {
    /// Nothing yet; `place` names the attribute or macro in messages.
    pub(crate) fn new(known: &'a [Known], place: &'a str) -> Self {
        Self { known, seen: Vec::new(), place }
    }

    /// The known key, unless it is unknown or repeated, which is reported.
    pub(crate) fn accept(&mut self, key: &Ident, errors: &mut Errors) -> Option<&'a Known> {
        let known = self.known.iter().find(|known| key == known.name);
        let Some(known) = known else {
            errors.at(key, message::unknown_key(&key.to_string(), self.known, self.place));
            return None;
        };
        if !known.repeats && self.seen.contains(key) {
            errors.at(key, message::repeated_key(key, self.place));
            return None;
        }
        self.seen.push(key.clone());
        Some(known)
    }
}

/// Reads all attributes called `attribute`; `each` reads the value of one key. Answers whether nothing was wrong.
pub(crate) fn read(
    attributes: &[Attribute],
    attribute: &str,
    known: &[Known],
    errors: &mut Errors,
    each: &mut dyn FnMut(&Found<'_>, &mut Errors) -> syn::Result<()>,
) -> bool {
    let before = errors.count();
    let place = format!("#[{attribute}(..)]");
    let mut seen = Seen::new(known, &place);
    for found in attributes.iter().filter(|found| found.path().is_ident(attribute)) {
        let Meta::List(list) = &found.meta else {
            errors.at(found, message::not_a_list(attribute, known));
            continue;
        };
        let result = list.parse_args_with(|input: ParseStream<'_>| read_list(input, &mut seen, errors, each));
        errors.take(result);
    }
    errors.count() == before
}

fn read_list(
    input: ParseStream<'_>,
    seen: &mut Seen<'_>,
    errors: &mut Errors,
    each: &mut dyn FnMut(&Found<'_>, &mut Errors) -> syn::Result<()>,
) -> syn::Result<()> {
    while !input.is_empty() {
        let Ok(key) = input.call(Ident::parse_any) else {
            errors.span(input.span(), message::not_a_key(seen.known, seen.place));
            skip_value(input)?;
            continue;
        };
        if let Some(known) = seen.accept(&key, errors) {
            let found = Found { key, usage: known.usage, input };
            let read = each(&found, errors);
            if read.is_ok() && missing_comma(input, seen.place, errors) {
                continue;
            }
            errors.take(read);
        }
        skip_value(input)?;
    }
    Ok(())
}

/// Reports that something else than a comma follows a value; answers whether that is the next key, to go on with.
pub(crate) fn missing_comma(input: ParseStream<'_>, place: &str, errors: &mut Errors) -> bool {
    if at_end(input) {
        return false;
    }
    errors.span(input.span(), message::missing_comma(place));
    input.peek(Ident::peek_any)
}

/// Passes over what is left of a value and the comma after it.
pub(crate) fn skip_value(input: ParseStream<'_>) -> syn::Result<()> {
    while !at_end(input) {
        input.parse::<TokenTree>()?;
    }
    input.parse::<Option<Token![,]>>().map(drop)
}

fn at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

/// The path by which generated code names `larder`.
#[derive(Clone)]
pub(crate) struct Crate(Path);

impl Crate {
    /// `::larder`, or what `crate = path` says.
    pub(crate) fn new(path: Option<Path>) -> Self {
        Self(path.unwrap_or_else(|| syn::parse_quote_spanned!(Span::call_site()=> ::larder)))
    }

    /// Where generated code finds runtime items.
    pub(crate) fn private(&self) -> TokenStream {
        let path = &self.0;
        quote!(#path::__private)
    }

    /// The same, as if written at `span`: rustc then underlines what is there.
    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        tokens::at(self.private(), span)
    }

    /// What `crate = path` says in one of these attributes, wrong ones passed over.
    pub(crate) fn of(attributes: &[Attribute], attribute: &str) -> Self {
        let mut path = None;
        for found in attributes.iter().filter(|found| found.path().is_ident(attribute)) {
            let Meta::List(list) = &found.meta else { continue };
            let mut tokens = list.tokens.clone().into_iter().skip_while(|token| token.to_string() != "crate").skip(2);
            let value: TokenStream = tokens.by_ref().take_while(|token| token.to_string() != ",").collect();
            path = path.or(syn::parse::Parser::parse2(Path::parse_mod_style, value).ok());
        }
        Self::new(path)
    }
}

impl ToTokens for Crate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

/// How the path is overridden, in every attribute.
pub(crate) const CRATE: Known = Known::once("crate", "crate = path::to::larder");

/// The value of `crate = path`.
pub(crate) fn crate_path(found: &Found<'_>) -> syn::Result<Path> {
    found.equals()?;
    found
        .input
        .call(Path::parse_mod_style)
        .map_err(|error| syn::Error::new(error.span(), message::wrong_value(&found.key, found.usage)))
}
