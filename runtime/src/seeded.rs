//! Deliberate faults, to see that the tests find faults of their kind. No build has them but one with `--cfg larder_seeded_bugs`, in
//! which the environment variable `LARDER_SEEDED_BUG` names the one to have; `tests/src/bin/seeded-bugs` runs the tests on each.

use crate::storage::sqlite::{Connection, SqliteError};

/// Whether the fault of this name is to happen.
#[cfg(not(larder_seeded_bugs))]
pub(crate) const fn bug(_name: &str) -> bool {
    false
}

/// Whether the fault of this name is to happen.
#[cfg(larder_seeded_bugs)]
pub(crate) fn bug(name: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("LARDER_SEEDED_BUG").ok());
    CHOSEN.as_deref() == Some(name)
}

/// What was written so far is committed, and the rest of the commit goes into another transaction.
pub(crate) fn two_transactions(connection: &mut Connection) -> Result<(), SqliteError> {
    if bug("two-transactions") { connection.batch("COMMIT; BEGIN IMMEDIATE") } else { Ok(()) }
}

/// Rows of tables are committed before the rows of the log that come after the place `head`.
pub(crate) fn tables_before_log(connection: &mut Connection, head: i64) -> Result<(), SqliteError> {
    if !bug("tables-before-log") {
        return Ok(());
    }
    connection.batch(&format!(
        "CREATE TEMP TABLE late AS SELECT * FROM larder_events WHERE place > {head};
         DELETE FROM larder_events WHERE place > {head};
         COMMIT; BEGIN IMMEDIATE;
         INSERT INTO larder_events SELECT * FROM late; DROP TABLE late"
    ))
}
