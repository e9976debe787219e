//! The rows of the table.

pub(crate) mod commit;
pub(crate) mod get;
pub(crate) mod live;
pub(crate) mod open;
pub(crate) mod query;
pub(crate) mod rebuild;
pub(crate) mod sync;
