//! A document has named fields.

use larder::prelude::*;

#[derive(Document, Default)]
struct View(String);

fn main() {}
