//! `define_store!` and `define_projection!`

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, Ident, spanned::Spanned};

use super::{hidden, query};
use crate::model::{Definition, Identity};

/// Prints a store definition.
pub(crate) fn definition(definition: &Definition) -> TokenStream {
    let private = definition.krate.private();
    let Definition { attributes, vis, ident, name, schema, adapter, .. } = definition;
    let id = match &definition.identity {
        Identity::StoreId => quote!(#private::StoreId),
        Identity::Key(ty) => quote!(#ty),
        Identity::Singleton(_) => quote!(#private::Singleton),
        Identity::Projection(_) => quote!(#private::Projected),
    };
    let options = options(&private, &definition.options);
    let on_load = definition.on_load.as_ref().map(|hook| on_load(definition, hook));
    let adapter_trait = definition.krate.private_at(adapter.span());
    let adapter = quote_spanned!(adapter.span()=> fn __adapter() -> impl #adapter_trait::Adapter { #adapter });
    let singleton = singleton(&private, definition);
    let projection = projection(definition);
    let begin = projection.as_ref().map(|_| begin_projection(&private));
    let queries = query::relayed(definition);
    let hidden = hidden(&quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::StoreDefinition for #ident {
            type Id = #id;
            type Schema = #schema;
            const NAME: &'static ::core::primitive::str = #name;

            #adapter

            #options
            #on_load
            #begin
        }

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::DefinedOn<#schema> for #ident {}

        #singleton
        #projection
    });
    quote! {
        #(#attributes)*
        #vis enum #ident {}

        #hidden
        #queries
    }
}

fn options(private: &TokenStream, options: &[(Ident, Expr)]) -> Option<TokenStream> {
    if options.is_empty() {
        return None;
    }
    let setters = options.iter().map(|(key, value)| quote!(.#key(#value)));
    Some(quote! {
        fn __options() -> #private::StoreOptions {
            <#private::StoreOptions as ::core::default::Default>::default() #(#setters)*
        }
    })
}

fn on_load(definition: &Definition, hook: &Expr) -> TokenStream {
    let (private, here) = (definition.krate.private(), definition.krate.private_at(hook.span()));
    let call = quote_spanned!(hook.span()=> #here::hook_done((#hook)(__store, __context).await));
    quote! {
        fn __on_load<'__a>(
            __store: &'__a #private::Store<Self>,
            __context: #private::LoadContext,
        ) -> #private::BoxFuture<'__a, ::core::result::Result<(), #private::BoxError>> {
            ::std::boxed::Box::pin(async move { #call })
        }
    }
}

fn singleton(private: &TokenStream, definition: &Definition) -> Option<TokenStream> {
    let Identity::Singleton(id) = &definition.identity else { return None };
    let ident = &definition.ident;
    Some(quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::SingletonDefinition for #ident {
            const STORE_ID: &'static ::core::primitive::str = #id;
        }
    })
}

/// What makes a store's definition that of a projection.
fn begin_projection(private: &TokenStream) -> TokenStream {
    quote! {
        const __PROJECTION: ::core::primitive::bool = true;

        fn __on_load<'__a>(
            __store: &'__a #private::Store<Self>,
            __context: #private::LoadContext,
        ) -> #private::BoxFuture<'__a, ::core::result::Result<(), #private::BoxError>> {
            #private::begin_projection(__store, __context)
        }
    }
}

fn projection(definition: &Definition) -> Option<TokenStream> {
    let Identity::Projection(source) = &definition.identity else { return None };
    let (schema, ident) = (&definition.schema, crate::tokens::at(definition.ident.to_token_stream(), source.span()));
    let (here, of_source) = (definition.krate.private_at(schema.span()), definition.krate.private_at(source.span()));
    let tables = quote_spanned!(schema.span()=> const _: () = #here::assert_projected::<#schema>(););
    let implementation = quote_spanned! {source.span()=>
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #of_source::ProjectionDefinition for #ident {
            type Source = #source;
        }
    };
    Some(quote!(#implementation #tables))
}
