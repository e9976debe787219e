//! Storage: SQLite files, the eventlog, locks, the catalog.

pub(crate) mod sqlite;
