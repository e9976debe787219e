//! Where data lives.

/// Where a store's data lives.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say where data lives",
    label = "expected `SqliteAdapter::persisted()` or `SqliteAdapter::in_memory()`"
)]
pub trait Adapter: Send + Sync + 'static {
    /// For the registry only.
    #[doc(hidden)]
    fn __sqlite(&self) -> SqliteAdapter;
}

/// SQLite, in a file of the registry's data dir or in memory.
///
/// Files are in SQLite's WAL mode, which needs memory that all processes of one machine share: it does not work on network file
/// systems. On Linux a data dir on one (NFS, SMB, Ceph, sshfs and the like, as `/proc/self/mounts` names it) is refused, and a
/// doubtful one (9p, virtiofs, shared folders of virtual machines) is warned of. On other systems nothing is checked: choose a
/// local folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteAdapter {
    in_memory: bool,
}

impl SqliteAdapter {
    /// A file in the registry's data dir.
    pub const fn persisted() -> Self {
        Self { in_memory: false }
    }

    /// Memory only: the data is gone when the store is closed.
    pub const fn in_memory() -> Self {
        Self { in_memory: true }
    }

    pub(crate) fn is_in_memory(self) -> bool {
        self.in_memory
    }
}

impl Adapter for SqliteAdapter {
    fn __sqlite(&self) -> SqliteAdapter {
        *self
    }
}
