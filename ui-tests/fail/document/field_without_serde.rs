//! A field of a document is of a type that serde knows.

use larder::prelude::*;

#[derive(Document, Default)]
struct View {
    filter: Filter,
}

#[derive(Default)]
struct Filter;

fn main() {}
