//! `#[derive(Event)]`

use quote::quote;
use syn::{Data, DeriveInput, Field, Fields, LitStr, Path, Token, Variant};

use super::{name_or, refuse_attributes, refuse_generics, serde};
use crate::{
    errors::Errors,
    keys::{self, CRATE, Crate, Found, Known},
    message,
    model::{EventEnum, EventVariant, Payload, PayloadField, Upcaster},
    tokens,
};

const ENUM: &[Known] = &[CRATE];

const VARIANT: &[Known] = &[
    Known::once("name", "name = \"v1.IssueOpened\""),
    Known::once("client_only", "client_only"),
    Known::once("deprecated", "deprecated = \"why\""),
    Known::many("from", "from(\"v1.IssueOpened\" = upgrade)"),
];

/// Reads an event enum.
pub(crate) fn event(input: &DeriveInput, errors: &mut Errors) -> Option<EventEnum> {
    refuse_generics(input, "Event", errors);
    let mut krate = None;
    keys::read(&input.attrs, "event", ENUM, errors, &mut |found, _| {
        krate = Some(keys::crate_path(found)?);
        Ok(())
    });
    serde::refuse(&input.attrs, "an event enum", errors);
    let Data::Enum(data) = &input.data else {
        errors.at(&input.ident, message::not_an_event_enum(&input.ident));
        return None;
    };
    if data.variants.is_empty() {
        errors.at(&input.ident, message::empty_enum("Event", &input.ident));
    }
    let variants = data.variants.iter().filter_map(|found| variant(found, errors)).collect();
    Some(EventEnum { krate: Crate::new(krate), ident: input.ident.clone(), variants })
}

fn variant(variant: &Variant, errors: &mut Errors) -> Option<EventVariant> {
    let (mut name, mut client_only, mut deprecated, mut from) = (None, false, None, Vec::new());
    let mut name_was_tried = false;
    keys::read(&variant.attrs, "event", VARIANT, errors, &mut |found, _| {
        match found.key.to_string().as_str() {
            "name" => {
                name_was_tried = true;
                name = Some(found.string()?);
            }
            "client_only" => found.flag().map(|()| client_only = true)?,
            "deprecated" => deprecated = Some(reason(found)?),
            _ => from.extend(upcasters(found)?),
        }
        Ok(())
    });
    if !name_was_tried {
        errors.at(&variant.ident, message::no_wire_name(&variant.ident));
    }
    serde::refuse(&variant.attrs, "an event", errors);
    let payload = payload(variant, errors)?;
    let (name, name_span) = name_or(name, || format!("v1.{}", variant.ident), &variant.ident);
    let words = words(&payload);
    Some(EventVariant { ident: variant.ident.clone(), name, name_span, client_only, deprecated, from, payload, words })
}

fn reason(found: &Found<'_>) -> syn::Result<String> {
    let text = found.string()?;
    if text.value().trim().is_empty() {
        return Err(syn::Error::new_spanned(&text, message::empty_reason()));
    }
    Ok(text.value())
}

/// `from("v1.IssueOpened" = upgrade, ..)`
fn upcasters(found: &Found<'_>) -> syn::Result<Vec<Upcaster>> {
    let one = |input: syn::parse::ParseStream<'_>| {
        let refuse = |error: syn::Error| syn::Error::new(error.span(), message::bad_from());
        let name: LitStr = input.parse().map_err(refuse)?;
        input.parse::<Token![=]>().map_err(refuse)?;
        let path: Path = input.parse().map_err(refuse)?;
        Ok(Upcaster { name: name.value(), span: name.span(), path })
    };
    found.list(|content| {
        if content.is_empty() {
            return Err(syn::Error::new(found.key.span(), message::bad_from()));
        }
        Ok(content.parse_terminated(one, Token![,])?.into_iter().collect())
    })
}

fn payload(variant: &Variant, errors: &mut Errors) -> Option<Payload> {
    match &variant.fields {
        Fields::Unit => Some(Payload::Unit),
        Fields::Named(fields) => Some(Payload::Struct(fields.named.iter().map(|found| field(found, errors)).collect())),
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            Some(Payload::Newtype(Box::new(field(&fields.unnamed[0], errors))))
        }
        Fields::Unnamed(fields) if fields.unnamed.is_empty() => {
            errors.at(&variant.ident, message::empty_event_tuple(&variant.ident));
            None
        }
        Fields::Unnamed(_) => {
            errors.at(&variant.ident, message::event_tuple(&variant.ident));
            None
        }
    }
}

fn field(field: &Field, errors: &mut Errors) -> PayloadField {
    refuse_attributes(&field.attrs, "event", "a field of an event", errors);
    let (serde, blind) = serde::forwarded(&field.attrs, field.ident.is_some(), errors);
    PayloadField { ident: field.ident.clone(), serde, blind, ty: field.ty.clone() }
}

/// The payload in words: what the schema's fingerprint sees of it.
fn words(payload: &Payload) -> String {
    let field = |field: &PayloadField| {
        let PayloadField { ident, serde, ty, .. } = field;
        match ident {
            Some(ident) => tokens::line(quote!(#(#serde)* #ident: #ty)),
            None => tokens::line(quote!(#(#serde)* #ty)),
        }
    };
    match payload {
        Payload::Unit => String::new(),
        Payload::Newtype(only) => format!("({})", field(only)),
        Payload::Struct(fields) => format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(",")),
    }
}
