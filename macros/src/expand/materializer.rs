//! `#[larder::materializer]`

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ItemImpl, parse_quote};

use crate::tokens;

/// Prints the `impl` again, with a hash of its text.
pub(crate) fn materializer(mut item: ItemImpl, source: TokenStream) -> TokenStream {
    let hash = tokens::hash(source);
    item.items.push(parse_quote! {
        #[doc(hidden)]
        const __SOURCE: ::core::primitive::u64 = #hash;
    });
    let item = item.into_token_stream();
    quote!(#item)
}
