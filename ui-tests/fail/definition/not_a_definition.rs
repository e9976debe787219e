//! A definition has a name and a body in braces.

use larder::prelude::*;

define_store! {
    pub struct WorkspaceStore;
}

fn main() {}
