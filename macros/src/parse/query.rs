//! `queries { .. }`: functions whose body is a string of SQL.

use proc_macro2::TokenTree;
use syn::{
    Attribute, FnArg, Ident, LitStr, Meta, Pat, Token, Type, Visibility, parenthesized, parse::ParseStream,
    punctuated::Punctuated,
};

use crate::{errors::Errors, message, model::QueryFn};

/// Reads all queries; a wrong one is reported and skipped.
pub(crate) fn queries(content: ParseStream<'_>, errors: &mut Errors) -> Vec<QueryFn> {
    let mut queries = Vec::new();
    while !content.is_empty() {
        match query(content, errors) {
            Ok(query) => queries.push(query),
            Err(error) => {
                errors.push(error);
                skip(content);
            }
        }
    }
    queries
}

fn query(content: ParseStream<'_>, errors: &mut Errors) -> syn::Result<QueryFn> {
    let refuse = |error: syn::Error| syn::Error::new(error.span(), message::not_a_query());
    let mut attributes = content.call(Attribute::parse_outer)?;
    let indexed = take_indexed(&mut attributes, errors);
    let vis: Visibility = content.parse().map_err(refuse)?;
    if content.peek(Token![async]) || content.peek(Token![const]) || content.peek(Token![unsafe]) {
        return Err(syn::Error::new(content.span(), message::query_modifier()));
    }
    content.parse::<Token![fn]>().map_err(refuse)?;
    let ident: Ident = content.parse().map_err(refuse)?;
    if content.peek(Token![<]) {
        return Err(syn::Error::new(content.span(), message::query_modifier()));
    }
    if !content.peek(syn::token::Paren) {
        return Err(syn::Error::new(content.span(), message::not_a_query()));
    }
    let arguments;
    parenthesized!(arguments in content);
    let parameters = parameters(&arguments, errors)?;
    if !content.peek(Token![->]) {
        return Err(syn::Error::new(ident.span(), message::query_without_result(&ident)));
    }
    content.parse::<Token![->]>()?;
    let result: Type = content.parse().map_err(refuse)?;
    content.parse::<Token![=]>().map_err(refuse)?;
    let sql: LitStr = content.parse().map_err(refuse)?;
    content.parse::<Token![;]>().map_err(refuse)?;
    Ok(QueryFn { attributes, indexed, vis, ident, parameters, result, sql })
}

/// Whether `#[indexed]` is among the attributes, which it then is no more.
fn take_indexed(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> bool {
    let mut indexed = false;
    attributes.retain(|attribute| {
        let found = attribute.path().is_ident("indexed");
        if found && !matches!(attribute.meta, Meta::Path(_)) {
            errors.at(attribute, message::takes_no_value(&"#[indexed]"));
        } else if found && indexed {
            errors.at(attribute, message::indexed_twice());
        }
        indexed |= found;
        !found
    });
    indexed
}

fn parameters(arguments: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Vec<(Ident, Type)>> {
    let mut parameters = Vec::new();
    for argument in Punctuated::<FnArg, Token![,]>::parse_terminated(arguments)? {
        match argument {
            FnArg::Receiver(receiver) => errors.at(&receiver, message::query_has_receiver()),
            FnArg::Typed(typed) => match *typed.pat {
                Pat::Ident(pattern)
                    if pattern.by_ref.is_none() && pattern.mutability.is_none() && pattern.subpat.is_none() =>
                {
                    parameters.push((pattern.ident, *typed.ty));
                }
                other => errors.at(&other, message::query_parameter()),
            },
        }
    }
    Ok(parameters)
}

/// Passes over the rest of a query that could not be read.
fn skip(content: ParseStream<'_>) {
    while let Ok(token) = content.parse::<TokenTree>() {
        if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ';') {
            break;
        }
    }
}
