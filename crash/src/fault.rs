//! Faults: which call fails, with which of the operating system's errors.

use std::ffi::c_int;

use crate::watch::Call;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The `at`-th call of its kind fails (from 1 on), and with `forever` all after it.
    At {
        /// Which calls fail.
        kind: FaultKind,
        /// Which of them is the first to fail.
        at: u64,
        /// Whether all later ones fail too.
        forever: bool,
    },
}

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The disk is full: writes, new files and new folders.
    DiskFull,
    /// Reading.
    Read,
    /// Writing, and changing a file's length.
    Write,
    /// Syncing a file or folder.
    Sync,
    /// No file descriptor is left.
    NoDescriptors,
    /// The file system turned read-only, as after an error of the disk.
    ReadOnlyFiles,
    /// The folder is read-only: no file comes or goes.
    ReadOnlyFolder,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::DiskFull,
        Self::Read,
        Self::Write,
        Self::Sync,
        Self::NoDescriptors,
        Self::ReadOnlyFiles,
        Self::ReadOnlyFolder,
    ];

    /// The error of a call that this kind refuses.
    fn refuses(self, call: &Call<'_>, is_new: bool) -> Option<c_int> {
        let makes = match call {
            Call::Open { creates, .. } => *creates && is_new,
            Call::MakeFolder { .. } => true,
            _ => false,
        };
        let names = makes || matches!(call, Call::Remove { .. } | Call::Rename { .. });
        let writes = matches!(call, Call::Write { .. } | Call::Truncate { .. });
        let (refused, error) = match self {
            Self::DiskFull => (makes || matches!(call, Call::Write { .. }), libc::ENOSPC),
            Self::Read => (matches!(call, Call::Read), libc::EIO),
            Self::Write => (writes, libc::EIO),
            Self::Sync => (matches!(call, Call::Sync { .. }), libc::EIO),
            Self::NoDescriptors => (matches!(call, Call::Open { .. }), libc::EMFILE),
            Self::ReadOnlyFiles => (names || writes || matches!(call, Call::Open { writes: true, .. }), libc::EROFS),
            Self::ReadOnlyFolder => (names, libc::EACCES),
        };
        refused.then_some(error)
    }
}

/// A fault, and how many calls of its kind there were.
#[derive(Debug)]
pub(crate) struct Plan {
    fault: Fault,
    seen: u64,
    fired: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self::new(Fault::None)
    }
}

impl Plan {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, seen: 0, fired: false }
    }

    /// The error of a call that fails.
    pub(crate) fn refuses(&mut self, call: &Call<'_>, is_new: bool) -> Option<c_int> {
        let Fault::At { kind, at, forever } = self.fault else { return None };
        let error = kind.refuses(call, is_new)?;
        self.seen += 1;
        let fails = if forever { self.seen >= at } else { self.seen == at };
        self.fired |= fails;
        fails.then_some(error)
    }

    /// The error of an open outside of the watched folder, while the process has no descriptors.
    pub(crate) fn elsewhere(&self) -> Option<c_int> {
        match self.fault {
            Fault::At { kind: FaultKind::NoDescriptors, at, forever: true } if self.seen >= at => Some(libc::EMFILE),
            _ => None,
        }
    }

    pub(crate) fn heal(&mut self) -> bool {
        self.fault = Fault::None;
        std::mem::take(&mut self.fired)
    }

    pub(crate) fn has_fired(&self) -> bool {
        self.fired
    }
}
