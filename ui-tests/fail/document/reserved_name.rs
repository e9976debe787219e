//! Names that larder keeps for itself are refused.

use larder::prelude::*;

#[derive(Document, Default)]
#[document(name = "larder_view")]
struct View {
    filter: String,
}

fn main() {}
