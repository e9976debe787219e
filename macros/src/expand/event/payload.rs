//! How an event's payload goes through serde.
//!
//! A variant of a few fields without any attribute needs no struct: larder reads and writes a tuple of them by their names.
//! Another variant whose field attributes are blind to the fields' types becomes a generic struct: written with references to the fields, read
//! with the fields themselves. What is wrong with a field's type is then said where the types are filled in, once. Any other variant is
//! read through a struct of its own and written through a copy of the enum that serde fills by reference (`remote`, `untagged`), so that
//! every attribute sees the type it was written for.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, Type, ext::IdentExt, spanned::Spanned};

use crate::{
    model::{EventEnum, EventVariant, Payload, PayloadField},
    tokens,
};

/// Types that serde knows under these names: no need to ask.
const KNOWN: [&str; 13] =
    ["bool", "char", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "String"];

/// The structs that payloads are read and written through.
pub(super) fn structs(events: &EventEnum) -> TokenStream {
    let own = events.variants.iter().map(|variant| own_struct(events, variant));
    let mirror = mirror(events);
    quote!(#(#own)* #mirror)
}

/// The body of `encode`.
pub(super) fn encode(events: &EventEnum) -> TokenStream {
    let private = events.krate.private();
    let arms = events.variants.iter().filter_map(|variant| {
        let ident = &variant.ident;
        Some(match &variant.payload {
            Payload::Unit => quote!(Self::#ident => ::core::result::Result::Ok(::core::option::Option::None),),
            payload if !payload.is_blind() => return None,
            Payload::Newtype(field) => {
                let value = own(events, &field.ty, &quote!(__0));
                quote!(Self::#ident(__0) => #private::encode_payload(#value),)
            }
            Payload::Struct(fields) => {
                let name = own_name(variant);
                let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
                let bindings = bindings(fields);
                let values =
                    fields.iter().zip(&bindings).map(|(field, binding)| own(events, &field.ty, &quote!(#binding)));
                let payload = match plain_names(&variant.payload) {
                    Some(names) => quote!(#private::Fields::new(#names, (#(#values,)*))),
                    None => quote!(#name { #(#names: #values),* }),
                };
                quote!(Self::#ident { #(#names: #bindings),* } => #private::encode_payload(&#payload),)
            }
        })
    });
    let rest = has_mirror(events).then(|| quote!(_ => #private::encode_payload(&__Payload(self)),));
    quote!(match self { #(#arms)* #rest })
}

/// One arm of `decode`.
pub(super) fn decode(events: &EventEnum, variant: &EventVariant) -> TokenStream {
    let private = events.krate.private();
    let (wire, ident, name) = (&variant.name, &variant.ident, own_name(variant));
    let event = match &variant.payload {
        Payload::Unit => quote!(#private::decode_unit(__args).map(|()| Self::#ident)),
        Payload::Newtype(field) if field.blind => {
            let value = from_own(events, field, &quote!(__own));
            quote!(#private::decode_newtype(__args).map(|__own| Self::#ident(#value)))
        }
        Payload::Newtype(_) => quote!(#private::decode_newtype::<#name>(__args).map(|__own| Self::#ident(__own.0))),
        Payload::Struct(fields) if let Some(words) = plain_names(&variant.payload) => {
            let (names, bindings) = (fields.iter().map(|field| &field.ident), bindings(fields));
            let values =
                fields.iter().zip(&bindings).map(|(field, binding)| from_own(events, field, &quote!(#binding)));
            quote! {
                #private::decode_fields(__args, #words).map(|(#(#bindings,)*)| Self::#ident { #(#names: #values),* })
            }
        }
        Payload::Struct(fields) => {
            let names = fields.iter().map(|field| &field.ident);
            let values = fields.iter().map(|field| {
                let name = &field.ident;
                from_own(events, field, &quote!(__own.#name))
            });
            let holes = fields.iter().filter(|field| field.blind).map(|_| quote!(_));
            quote! {
                #private::decode_struct(__args).map(|__own: #name<#(#holes),*>| Self::#ident { #(#names: #values),* })
            }
        }
    };
    quote!(#wire => #event.map(::core::option::Option::Some),)
}

fn own_struct(events: &EventEnum, variant: &EventVariant) -> TokenStream {
    let serde = serde(events);
    let serde_path = serde.to_string();
    let name = own_name(variant);
    match &variant.payload {
        payload if plain_names(payload).is_some() => TokenStream::new(),
        Payload::Struct(fields) => {
            let serialize = variant.payload.is_blind().then(|| quote!(#serde::Serialize,));
            let parameters = fields.iter().enumerate().filter(|(_, field)| field.blind).map(|(at, _)| parameter(at));
            let fields = fields.iter().enumerate().map(|(at, PayloadField { ident, serde, ty, blind })| {
                let ty = if *blind {
                    let parameter = parameter(at);
                    quote!(#parameter)
                } else {
                    quote!(#ty)
                };
                quote!(#(#serde)* #ident: #ty)
            });
            quote! {
                #[derive(#serialize #serde::Deserialize)]
                #[serde(crate = #serde_path)]
                struct #name<#(#parameters),*> { #(#fields),* }
            }
        }
        Payload::Newtype(field) if !field.blind => {
            let PayloadField { serde: attributes, ty, .. } = &**field;
            quote! {
                #[derive(#serde::Deserialize)]
                #[serde(crate = #serde_path, transparent)]
                struct #name(#(#attributes)* #ty);
            }
        }
        _ => TokenStream::new(),
    }
}

/// The most fields that larder reads and writes itself.
const MOST_PLAIN: usize = 12;

/// The names of fields of which serde need not be told anything: larder reads and writes them without a struct of their own.
fn plain_names(payload: &Payload) -> Option<TokenStream> {
    let fields = payload.fields();
    let is_plain = |field: &PayloadField| field.blind && field.serde.is_empty();
    if !matches!(payload, Payload::Struct(_))
        || !(1..=MOST_PLAIN).contains(&fields.len())
        || !fields.iter().all(is_plain)
    {
        return None;
    }
    let names = fields.iter().flat_map(|field| &field.ident).map(|ident| ident.unraw().to_string());
    Some(quote!(&[#(#names),*]))
}

/// A name for each field, in their order.
fn bindings(fields: &[PayloadField]) -> Vec<Ident> {
    (0..fields.len()).map(|at| format_ident!("__{at}")).collect()
}

fn has_mirror(events: &EventEnum) -> bool {
    events.variants.iter().any(|variant| !variant.payload.is_blind())
}

/// The copy of the enum through which the other variants are written.
fn mirror(events: &EventEnum) -> TokenStream {
    if !has_mirror(events) {
        return TokenStream::new();
    }
    let ident = &events.ident;
    let remote = ident.to_string();
    let serde = serde(events);
    let serde_path = serde.to_string();
    let variants = events.variants.iter().map(|variant| {
        let name = &variant.ident;
        match &variant.payload {
            // serde needs every variant; these are not written through it, so it does not look at their fields.
            payload if payload.is_blind() => {
                let skipped = skipped(payload);
                quote!(#[serde(skip)] #name #skipped)
            }
            Payload::Newtype(field) => {
                let PayloadField { serde, ty, .. } = &**field;
                quote!(#name(#(#serde)* #ty))
            }
            payload => {
                let fields =
                    payload.fields().iter().map(|PayloadField { ident, serde, ty, .. }| quote!(#(#serde)* #ident: #ty));
                quote!(#name { #(#fields),* })
            }
        }
    });
    quote! {
        #[derive(#serde::Serialize)]
        #[serde(crate = #serde_path, remote = #remote, untagged)]
        enum __Mirror { #(#variants),* }

        struct __Payload<'__a>(&'__a #ident);

        #[automatically_derived]
        impl #serde::Serialize for __Payload<'_> {
            fn serialize<__S: #serde::Serializer>(
                &self,
                __serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                __Mirror::serialize(self.0, __serializer)
            }
        }
    }
}

fn skipped(payload: &Payload) -> TokenStream {
    match payload {
        Payload::Unit => TokenStream::new(),
        Payload::Newtype(field) => {
            let ty = &field.ty;
            quote!((#ty))
        }
        Payload::Struct(fields) => {
            let fields = fields.iter().map(|PayloadField { ident, ty, .. }| quote!(#ident: #ty));
            quote!({ #(#fields),* })
        }
    }
}

fn serde(events: &EventEnum) -> TokenStream {
    let private = events.krate.private();
    quote!(#private::serde)
}

fn own_name(variant: &EventVariant) -> Ident {
    format_ident!("__Larder{}", variant.ident)
}

fn parameter(at: usize) -> Ident {
    format_ident!("__T{at}")
}

/// A reference to a field, to write.
fn own(events: &EventEnum, ty: &Type, value: &TokenStream) -> TokenStream {
    if is_known(ty) {
        return value.clone();
    }
    let (ty, here) = field_type(events, ty);
    quote_spanned!(ty.span()=> <#ty as #here::EventField<_>>::own(#value))
}

/// A field from what was read.
fn from_own(events: &EventEnum, field: &PayloadField, value: &TokenStream) -> TokenStream {
    let ty = &field.ty;
    if !field.blind || is_known(ty) {
        return value.clone();
    }
    let (ty, here) = field_type(events, ty);
    quote_spanned!(ty.span()=> <#ty as #here::EventField<_>>::from_own(#value))
}

/// The type, and the way to what is asked of it, both at one place: rustc then says the same of both, which it prints once.
fn field_type(events: &EventEnum, ty: &Type) -> (TokenStream, TokenStream) {
    (tokens::at(quote!(#ty), ty.span()), events.krate.private_at(ty.span()))
}

fn is_known(ty: &Type) -> bool {
    KNOWN.contains(&tokens::line(quote!(#ty)).as_str())
}
