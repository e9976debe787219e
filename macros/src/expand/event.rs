//! `#[derive(Event)]`

mod payload;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::hidden;
use crate::model::{EventEnum, EventVariant, Upcaster};

/// Prints an event enum.
pub(crate) fn event(events: &EventEnum) -> TokenStream {
    let private = events.krate.private();
    let ident = &events.ident;
    let infos = events.variants.iter().map(|variant| info(&private, variant));
    let variants: Vec<&Ident> = events.variants.iter().map(|variant| &variant.ident).collect();
    let positions = 0..variants.len();
    let structs = payload::structs(events);
    let encode = payload::encode(events);
    let decode = events.variants.iter().map(|variant| payload::decode(events, variant));
    let upcasts = events.variants.iter().flat_map(|variant| &variant.from).map(|from| upcast(events, from));
    hidden(&quote! {
        #structs

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
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

fn upcast(events: &EventEnum, from: &Upcaster) -> TokenStream {
    let Upcaster { name, path, .. } = from;
    let here = events.krate.private_at(path.span());
    let event = Ident::new(&events.ident.to_string(), events.ident.span().located_at(path.span()));
    // The argument of `decode`, whose name is not the path's: that may come from outside of a macro that makes the event.
    let args = quote!(__args);
    let call = quote_spanned!(path.span()=> #here::upcast::<_, #event, _>(#args, #path));
    quote!(#name => #call.map(::core::option::Option::Some),)
}
