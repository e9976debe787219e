//! From the model to tokens. Nothing here can fail: `check` has seen to it, and `sql` to the text of queries. What is printed is data and one-line calls.

pub(crate) mod definition;
pub(crate) mod document;
pub(crate) mod event;
pub(crate) mod key;
pub(crate) mod materializer;
pub(crate) mod query;
pub(crate) mod schema;
pub(crate) mod table;
pub(crate) mod value;

use proc_macro2::TokenStream;
use quote::quote;

/// Keeps generated items out of the user's names, and their lints out of the user's build.
fn hidden(body: &TokenStream) -> TokenStream {
    quote! {
        #[allow(dead_code, deprecated, clippy::all, clippy::pedantic)]
        const _: () = { #body };
    }
}
