//! Behaviour of larder through its public API, one module per topic.

mod deps;
mod encoding;
mod macros;
mod registry;
