//! One error per surface. Every message says what happened, to which definition, store, event or file, and what to do.

mod across;
mod commit;
mod delete;
mod load;
mod query;
mod shown;
mod store;
mod sync;
#[cfg(test)]
mod tests;

pub use across::AcrossError;
pub use commit::{CommitError, CommitErrorKind, ExistingRow, MaterializeError};
pub use delete::DeleteError;
pub use load::{LoadError, OpenFilesLimit};
pub use query::{QueryError, QueryErrorKind};
pub use store::StoreError;
pub use sync::SyncError;

pub(crate) use shown::{one_line, shown};

pub use crate::id::StoreIdError;

/// Any error of the app's own code: hooks, upcasters, materializers.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error of the app's own code that several get: everybody who waited for a load whose `on_load` failed.
pub type SharedError = std::sync::Arc<dyn std::error::Error + Send + Sync>;
