//! A document that was never changed is its default.

use larder::prelude::*;

#[derive(Document)]
struct View {
    filter: String,
}

fn main() {}
