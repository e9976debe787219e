//! Waiting while somebody else has a lock of SQLite's, by trying again: SQLite itself would sleep where nobody sees it.

use std::time::Duration;

use super::{SqliteError, SqliteErrorKind};
use crate::clock::pause;

/// How often something is tried while the file is busy, and the pause after each try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) tries: u32,
    pub(crate) pause: Duration,
}

impl Patience {
    /// For somebody of this process who looks at the file for a moment: a reader that is opened, or comes upon a half-written index.
    pub(crate) const A_MOMENT: Self = Self { tries: 400, pause: Duration::from_millis(1) };

    /// The first answer that is not `Busy`, or the last one.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) fn retry<R>(self, mut work: impl FnMut() -> Result<R, SqliteError>) -> Result<R, SqliteError> {
        for _ in 1..self.tries {
            match work() {
                Err(error) if error.kind == SqliteErrorKind::Busy => pause(self.pause),
                done => return done,
            }
        }
        work()
    }
}
