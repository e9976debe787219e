//! `#[derive(StoreKey)]`

use syn::{Attribute, Data, DeriveInput, LitStr, Meta, Path, Token, parse::ParseStream};

use super::{bare, refuse_attributes, refuse_generics};
use crate::{
    errors::Errors,
    keys::{CRATE, Crate},
    message,
    model::{KeyField, Segment, StoreKey},
};

/// Reads a typed store id.
pub(crate) fn key(input: &DeriveInput, errors: &mut Errors) -> Option<StoreKey> {
    refuse_generics(input, "StoreKey", errors);
    let fields = fields(input, errors);
    let mut written = None;
    let mut krate = None;
    let mut tried = false;
    for attribute in input.attrs.iter().filter(|found| found.path().is_ident("store_key")) {
        if std::mem::replace(&mut tried, true) {
            errors.at(attribute, message::two_patterns());
        } else if let Some((pattern, path)) = errors.take(attribute_value(attribute)) {
            written = Some(pattern);
            krate = path;
        }
    }
    if !tried && let Some(fields) = &fields {
        let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        errors.at(&input.ident, message::no_pattern(&input.ident, &names));
    }
    let pattern = written?;
    let segments = errors.take(split(&pattern))?;
    Some(StoreKey {
        krate: Crate::new(krate),
        ident: input.ident.clone(),
        span: pattern.span(),
        pattern: pattern.value(),
        segments,
        fields: fields?,
    })
}

fn fields(input: &DeriveInput, errors: &mut Errors) -> Option<Vec<KeyField>> {
    let fields = match &input.data {
        Data::Struct(data) if !data.fields.is_empty() => &data.fields,
        _ => {
            errors.at(&input.ident, message::not_a_key_struct(&input.ident));
            return None;
        }
    };
    for field in fields {
        refuse_attributes(&field.attrs, "store_key", "a field of a store key", errors);
    }
    let members = fields.members().zip(fields);
    Some(
        members
            .map(|(member, field)| KeyField {
                name: match &member {
                    syn::Member::Named(ident) => bare(ident),
                    syn::Member::Unnamed(index) => index.index.to_string(),
                },
                member,
                ty: field.ty.clone(),
            })
            .collect(),
    )
}

/// `#[store_key("issue:{number}", crate = path)]`
fn attribute_value(attribute: &Attribute) -> syn::Result<(LitStr, Option<Path>)> {
    let usage = || syn::Error::new_spanned(attribute, message::key_usage());
    let Meta::List(list) = &attribute.meta else { return Err(usage()) };
    list.parse_args_with(|input: ParseStream<'_>| {
        let pattern: LitStr = input.parse().map_err(|_| usage())?;
        if input.is_empty() || (input.parse::<Token![,]>().is_ok() && input.is_empty()) {
            return Ok((pattern, None));
        }
        if !input.peek(Token![crate]) {
            return Err(syn::Error::new(input.span(), message::key_usage()));
        }
        input.parse::<Token![crate]>()?;
        let path = input.parse::<Token![=]>().and_then(|_| input.call(Path::parse_mod_style));
        let path = path.map_err(|error| syn::Error::new(error.span(), message::wrong_value(&"crate", CRATE.usage)))?;
        input.parse::<Option<Token![,]>>()?;
        Ok((pattern, Some(path)))
    })
}

fn split(pattern: &LitStr) -> syn::Result<Vec<Segment>> {
    let text = pattern.value();
    let refuse = |brace| syn::Error::new(pattern.span(), message::pattern_brace(brace));
    let mut segments = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let Some(open) = rest.find(['{', '}']) else {
            segments.push(Segment::Literal(rest.to_owned()));
            break;
        };
        if rest.as_bytes()[open] == b'}' {
            return Err(refuse('}'));
        }
        if open > 0 {
            segments.push(Segment::Literal(rest[..open].to_owned()));
        }
        let close = rest[open..].find('}').ok_or_else(|| refuse('{'))? + open;
        segments.push(Segment::Field(rest[open + 1..close].trim().to_owned()));
        rest = &rest[close + 1..];
    }
    Ok(segments)
}
