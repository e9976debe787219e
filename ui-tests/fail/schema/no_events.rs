//! A schema says which events it has.

use larder::prelude::*;

#[derive(StoreSchema)]
struct WorkspaceSchema;

fn main() {}
