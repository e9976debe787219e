//! A schema without its types: what the non-generic store works with.

/// A schema without its types.
#[derive(Debug)]
pub struct SchemaModel {}
