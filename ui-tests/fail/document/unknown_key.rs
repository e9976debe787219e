//! The keys of a document are known.

use larder::prelude::*;

#[derive(Document, Default)]
#[document(nam = "view")]
struct View {
    filter: String,
}

fn main() {}
