//! `#[derive(Event)]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::hidden;
use crate::model::{EventEnum, EventVariant, Payload, PayloadField};

/// Prints an event enum.
pub(crate) fn event(events: &EventEnum) -> TokenStream {
    let private = events.krate.private();
    let ident = &events.ident;
    let infos = events.variants.iter().map(|variant| info(&private, variant));
    let variants: Vec<&Ident> = events.variants.iter().map(|variant| &variant.ident).collect();
    let positions = 0..variants.len();
    let encode = encode(&private, events);
    let owned = events.variants.iter().map(|variant| owned(&private, variant));
    let decode = events.variants.iter().map(|variant| decode(&private, variant));
    let upcasts = events.variants.iter().flat_map(|variant| &variant.from).map(|from| {
        let (name, path) = (&from.name, &from.path);
        let call = quote_spanned!(path.span()=> #private::upcast(__args, #path));
        quote!(#name => #call.map(::core::option::Option::Some),)
    });
    let mirror = mirror(&private, events);
    hidden(&quote! {
        #mirror
        #(#owned)*

        #[automatically_derived]
        impl #private::Event for #ident {
            const EVENTS: &'static [#private::EventInfo] = &[#(#infos),*];

            fn index(&self) -> ::core::primitive::usize {
                match self { #(Self::#variants { .. } => #positions),* }
            }

            fn encode(
                &self,
            ) -> ::core::result::Result<::core::option::Option<::std::string::String>, #private::EventEncodeError> {
                #encode
            }

            fn decode(
                __name: &::core::primitive::str,
                __args: ::core::option::Option<&::core::primitive::str>,
            ) -> ::core::result::Result<::core::option::Option<Self>, #private::EventDecodeError> {
                match __name {
                    #(#decode)*
                    #(#upcasts)*
                    _ => ::core::result::Result::Ok(::core::option::Option::None),
                }
            }
        }
    })
}

fn info(private: &TokenStream, variant: &EventVariant) -> TokenStream {
    let EventVariant { name, client_only, words, .. } = variant;
    let rust_name = variant.ident.to_string();
    let from = variant.from.iter().map(|from| &from.name);
    let deprecated = match &variant.deprecated {
        Some(why) => quote!(::core::option::Option::Some(#why)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #private::EventInfo {
            name: #name,
            variant: #rust_name,
            payload: #words,
            client_only: #client_only,
            deprecated: #deprecated,
            from: &[#(#from),*],
        }
    }
}

fn has_payload(events: &EventEnum) -> bool {
    events.variants.iter().any(|variant| !matches!(variant.payload, Payload::Unit))
}

fn encode(private: &TokenStream, events: &EventEnum) -> TokenStream {
    let units: Vec<&Ident> = events
        .variants
        .iter()
        .filter(|variant| matches!(variant.payload, Payload::Unit))
        .map(|variant| &variant.ident)
        .collect();
    let payload = quote!(#private::encode_payload(&__LarderPayload(self)));
    match (units.is_empty(), has_payload(events)) {
        (true, _) => payload,
        (false, false) => quote!(::core::result::Result::Ok(::core::option::Option::None)),
        (false, true) => quote! {
            match self {
                #(Self::#units => ::core::result::Result::Ok(::core::option::Option::None),)*
                _ => #payload,
            }
        },
    }
}

/// serde's view of the enum for writing: an untagged copy whose fields serde borrows from the original, so that every field attribute
/// sees the type it was written for.
fn mirror(private: &TokenStream, events: &EventEnum) -> TokenStream {
    if !has_payload(events) {
        return TokenStream::new();
    }
    let ident = &events.ident;
    let remote = ident.to_string();
    let serde = quote!(#private::serde);
    let serde_path = serde.to_string();
    let variants = events.variants.iter().map(|variant| {
        let name = &variant.ident;
        match &variant.payload {
            Payload::Unit => quote!(#name),
            Payload::Newtype(PayloadField { serde, ty, .. }) => quote!(#name(#(#serde)* #ty)),
            Payload::Struct(fields) => {
                let fields = fields.iter().map(|PayloadField { ident, serde, ty }| quote!(#(#serde)* #ident: #ty));
                quote!(#name { #(#fields),* })
            }
        }
    });
    quote! {
        #[derive(#serde::Serialize)]
        #[serde(crate = #serde_path, remote = #remote, untagged)]
        enum __LarderMirror { #(#variants),* }

        struct __LarderPayload<'__a>(&'__a #ident);

        #[automatically_derived]
        impl #serde::Serialize for __LarderPayload<'_> {
            fn serialize<__S: #serde::Serializer>(
                &self,
                __serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                __LarderMirror::serialize(self.0, __serializer)
            }
        }
    }
}

fn owned_name(variant: &EventVariant) -> Ident {
    format_ident!("__Larder{}", variant.ident)
}

/// What one variant is read from; none for what needs no struct of its own.
fn owned(private: &TokenStream, variant: &EventVariant) -> TokenStream {
    let serde = quote!(#private::serde);
    let serde_path = serde.to_string();
    let name = owned_name(variant);
    match &variant.payload {
        Payload::Struct(fields) => {
            let fields = fields.iter().map(|PayloadField { ident, serde, ty }| quote!(#(#serde)* #ident: #ty));
            quote! {
                #[derive(#serde::Deserialize)]
                #[serde(crate = #serde_path)]
                struct #name { #(#fields),* }
            }
        }
        Payload::Newtype(field) if !field.serde.is_empty() => {
            let PayloadField { serde: attributes, ty, .. } = field;
            quote! {
                #[derive(#serde::Deserialize)]
                #[serde(crate = #serde_path, transparent)]
                struct #name(#(#attributes)* #ty);
            }
        }
        _ => TokenStream::new(),
    }
}

fn decode(private: &TokenStream, variant: &EventVariant) -> TokenStream {
    let (wire, ident, owned) = (&variant.name, &variant.ident, owned_name(variant));
    let event = match &variant.payload {
        Payload::Unit => quote!(#private::decode_unit(__args).map(|()| Self::#ident)),
        Payload::Newtype(field) if field.serde.is_empty() => {
            let ty = &field.ty;
            let call = quote_spanned!(ty.span()=> #private::decode_newtype::<#ty>(__args));
            quote!(#call.map(Self::#ident))
        }
        Payload::Newtype(_) => {
            quote!(#private::decode_newtype::<#owned>(__args).map(|__owned| Self::#ident(__owned.0)))
        }
        Payload::Struct(fields) => {
            let names = fields.iter().map(|field| &field.ident);
            let names = quote!(#(#names),*);
            quote!(#private::decode_struct::<#owned>(__args).map(|#owned { #names }| Self::#ident { #names }))
        }
    };
    quote!(#wire => #event.map(::core::option::Option::Some),)
}
