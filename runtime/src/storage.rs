//! Storage: SQLite files, the eventlog, locks, the catalog.
