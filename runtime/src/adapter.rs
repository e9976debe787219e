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
