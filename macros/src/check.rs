//! What no single attribute can see: names that meet, fields that do not exist, patterns that are not injective.

pub(crate) mod definition;
pub(crate) mod document;
pub(crate) mod event;
pub(crate) mod key;
pub(crate) mod schema;
pub(crate) mod table;
pub(crate) mod value;
