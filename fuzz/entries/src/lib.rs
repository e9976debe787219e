//! What is fuzzed, as functions of bytes: the fuzz targets call them with bytes of libFuzzer's, and a test with mutations of the corpus.
//! A function panics when larder does, or when what it answers cannot be.

extern crate proc_macro;

pub mod events;
pub mod frames;
pub mod macros;
pub mod mutations;
pub mod stores;

// The macros' own source: a crate of procedural macros cannot be called from the outside, and its modules name each other from the root.
#[path = "../../../macros/src"]
mod larder_macros {
    pub(crate) mod check;
    pub(crate) mod entry;
    pub(crate) mod errors;
    pub(crate) mod expand;
    pub(crate) mod keys;
    pub(crate) mod message;
    pub(crate) mod model;
    pub(crate) mod parse;
    pub(crate) mod relay;
    pub(crate) mod sql;
    pub(crate) mod stub;
    pub(crate) mod suggest;
    pub(crate) mod tokens;
}
use larder_macros::{check, entry, errors, expand, keys, message, model, parse, relay, sql, stub, suggest, tokens};
