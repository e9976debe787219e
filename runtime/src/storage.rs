//! Storage: SQLite files, the eventlog, locks, the catalog.

pub(crate) mod catalog;
pub(crate) mod change_records;
pub(crate) mod eventlog;
pub(crate) mod folder;
pub(crate) mod identity;
pub(crate) mod kept;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod meta;
pub(crate) mod network;
pub(crate) mod quarantine;
pub(crate) mod same_file;
pub(crate) mod sqlite;
pub(crate) mod wal;
