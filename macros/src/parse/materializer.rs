//! `#[larder::materializer]`

use proc_macro2::TokenStream;
use syn::{Ident, ItemImpl};

use crate::{errors::Errors, message};

/// Reads the `impl`; `None` (and no error of ours) when rustc itself will say what is wrong with it.
pub(crate) fn materializer(arguments: &TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<ItemImpl> {
    if !arguments.is_empty() {
        errors.at(arguments, message::materializer_arguments());
    }
    let Ok(implementation) = syn::parse2::<ItemImpl>(item.clone()) else {
        if !begins_like_an_impl(item) {
            errors.at(&first(item), message::not_a_materializer());
        }
        return None;
    };
    let trait_name = implementation.trait_.as_ref().and_then(|(path, _)| path.segments.last());
    if trait_name.is_none_or(|segment| segment.ident != "Materializer") {
        let self_type = &implementation.self_ty;
        match &implementation.trait_ {
            Some((path, _)) => errors.at(path, message::not_a_materializer()),
            None => errors.at(self_type, message::not_a_materializer()),
        }
        return None;
    }
    Some(implementation)
}

fn begins_like_an_impl(item: &TokenStream) -> bool {
    item.clone().into_iter().any(|token| matches!(token, proc_macro2::TokenTree::Ident(word) if word == "impl"))
}

/// The item without its body: what a message should underline.
fn first(item: &TokenStream) -> TokenStream {
    let is_name = |token: &proc_macro2::TokenTree| matches!(token, proc_macro2::TokenTree::Ident(_));
    let keywords: [&str; 4] = ["pub", "struct", "enum", "fn"];
    let mut names = item.clone().into_iter().filter(is_name);
    let found = names.find(|token| !keywords.iter().any(|keyword| token.to_string() == *keyword));
    found.map_or_else(
        || item.clone(),
        |token| match token {
            proc_macro2::TokenTree::Ident(ident) => {
                let ident: Ident = ident;
                quote::quote!(#ident)
            }
            other => other.into(),
        },
    )
}
