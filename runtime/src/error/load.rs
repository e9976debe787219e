//! Why a store could not be loaded.

use std::{fmt, path::PathBuf, sync::Arc};

use super::{AcrossError, SharedError, shown};
use crate::{
    id::{StoreId, StoreIdError},
    store::StoreName,
};

/// Why a store could not be loaded. All who waited for the load get the same error: clones share what it holds.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The id is not one.
    #[error("store id for definition `{definition}`: {source}")]
    Id {
        /// The definition's name.
        definition: &'static str,
        /// What is wrong with the id.
        source: StoreIdError,
    },
    /// Two definitions use one name.
    #[error("definition name `{name}` is used by {owner} and by `{other}`; give one of them another name")]
    DefinitionConflict {
        /// The name.
        name: String,
        /// Who has it: a type of this registry, or whoever committed the events of a log that this app knows none of; what a backend brought of others does not count.
        owner: String,
        /// The type that asked for it, with its path.
        other: String,
    },
    /// A loaded store was asked for with another option that cannot change while it runs.
    #[error("store {store} is loaded with another `{option}`; ask with the same, or evict it first")]
    OptionsConflict {
        /// Which store.
        store: StoreName,
        /// The option's name.
        option: &'static str,
    },
    /// The store is open elsewhere.
    #[error("store {store} is open in {holder}; close it there ({file})")]
    Locked {
        /// Which store.
        store: StoreName,
        /// `process 123`, or `this process`.
        holder: String,
        /// The lock file.
        file: PathBuf,
    },
    /// The eventlog, or what makes the file a store's, is damaged.
    #[error(
        "store {store} is damaged: {reason}; restore {file} from a backup, or export what can be read with `larder::doctor`"
    )]
    Corrupt {
        /// Which store.
        store: StoreName,
        /// What was found.
        reason: String,
        /// The store's file.
        file: PathBuf,
    },
    /// The file is not a store, or that of another store.
    #[error("{file} is not the file of store {store}: {reason}; move it away")]
    WrongFile {
        /// Which store.
        store: StoreName,
        /// What was found.
        reason: String,
        /// The file.
        file: PathBuf,
    },
    /// A newer larder wrote the file.
    #[error(
        "{file} of store {store} has format {found}, this larder knows up to {known}; update the app, the file was not touched"
    )]
    NewerFormat {
        /// Which store.
        store: StoreName,
        /// The file's format.
        found: i64,
        /// The newest that this build knows.
        known: i64,
        /// The file.
        file: PathBuf,
    },
    /// An unknown event under `UnknownEvents::Fail`.
    #[error(
        "store {store} holds event `{}` ({number}) that this app does not know; update the app, or choose another `unknown_events`",
        shown(event)
    )]
    UnknownEvent {
        /// Which store.
        store: StoreName,
        /// The event's wire name.
        event: String,
        /// Its number.
        number: crate::event::EventNumber,
    },
    /// No more files can be open.
    #[error("store {store} cannot be opened: {limit}, or raise the limit of open files (`ulimit -n`)")]
    TooManyOpenFiles {
        /// Which store.
        store: StoreName,
        /// What has come to its end.
        limit: OpenFilesLimit,
    },
    /// The load was cancelled by `evict` or `clear`, or a preload by its own token.
    #[error("loading store {store} was cancelled, by an eviction or by the preload's own token; get it again")]
    Cancelled {
        /// Which store.
        store: StoreName,
    },
    /// The registry loads nothing any more.
    #[error("store {store} was not loaded, its registry is shut down; build a new one")]
    ShutDown {
        /// Which store.
        store: StoreName,
    },
    /// The definition's `on_load` failed.
    #[error("`on_load` of store {store} failed: {source}; mend the cause, the next `get` loads again")]
    OnLoad {
        /// Which store.
        store: StoreName,
        /// What it returned.
        source: SharedError,
    },
    /// A projection could not take over what its sources have.
    #[error("loading projection {store} failed: {source}; mend the cause, the next `projection` loads again")]
    Projection {
        /// Which projection.
        store: StoreName,
        /// Why not.
        source: Arc<AcrossError>,
    },
    /// The definition's `on_load`, or another piece of the app's code, panicked during the load.
    #[error("loading store {store} panicked: {message}; mend the cause, the next `get` loads again")]
    Panicked {
        /// Which store.
        store: StoreName,
        /// The panic's message.
        message: String,
    },
    /// A `get` through a `LoadContext` would wait for itself.
    #[error("loading would wait for itself: {}; load one of them later", chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(" -> "))]
    Cycle {
        /// From the store that began to the one asked for.
        chain: Vec<StoreName>,
    },
    /// What `sync_id` maps the store's id to is no id on the wire.
    #[error("`sync_id` of store {store} gives what no backend takes: {source}; map the store's id to another text")]
    SyncId {
        /// Which store.
        store: StoreName,
        /// What is wrong with the id on the wire.
        source: StoreIdError,
    },
    /// One backend and wire id belong to one store in a data dir.
    #[error(
        "sync id `{sync_id}` of store {store} belongs to `{owner}` in this data dir; map it to another with `sync_id`"
    )]
    SyncIdConflict {
        /// Which store.
        store: StoreName,
        /// The id on the wire.
        sync_id: String,
        /// Who has it: another definition, or another store of the same, as `definition/id`.
        owner: String,
    },
    /// There is no such store, and it was asked for with [`existing`](crate::Get::existing).
    #[error("there is no store {store}; {}", instead(near))]
    NotFound {
        /// Which store.
        store: StoreName,
        /// Stores of the definition whose ids are spelt nearly so, the nearest first; at most 3.
        near: Vec<StoreId>,
    },
    /// A persisted store without a place.
    #[error(
        "store {store} is persisted, and its registry has no data dir; call `data_dir(..)` or `in_memory()` on the builder"
    )]
    NoDataDir {
        /// Which store.
        store: StoreName,
    },
    /// The data dir cannot be used.
    #[error("{path} cannot be used: {reason}")]
    DataDir {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The catalog does not say which stores of a definition there are.
    #[error(
        "the catalog {file} does not list the stores of definition `{definition}`: {message}; ask again once the cause is gone, or build the registry anew, which makes a damaged catalog from the stores"
    )]
    Catalog {
        /// The definition's name.
        definition: &'static str,
        /// The catalog.
        file: PathBuf,
        /// What SQLite said.
        message: String,
    },
    /// The async runtime that is current when the registry is built cannot be used.
    #[error("the registry cannot run in the background: {reason}")]
    Runtime {
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The schema itself is wrong in a way the compiler does not see.
    #[error("the schema of definition `{definition}` is not valid: {message}; change its tables or events")]
    Schema {
        /// The definition's name.
        definition: &'static str,
        /// What SQLite or larder said.
        message: String,
    },
    /// A failure of storage, or the store stopped for good while its `on_load` ran.
    #[error("storage of store {store} failed: {message}; get it again once the cause is gone ({file})")]
    Storage {
        /// Which store.
        store: StoreName,
        /// What SQLite or the operating system said.
        message: String,
        /// The store's file, or the catalog if that is what failed.
        file: PathBuf,
    },
}

/// Which limit of open files is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenFilesLimit {
    /// That of the registry: all places are taken by stores that are observed.
    Capacity {
        /// How many stores are observed.
        observed: usize,
        /// The capacity.
        capacity: usize,
    },
    /// That of the process or of the system: its files are open elsewhere in the app, or `capacity(..)` is more than it allows.
    Process,
}

impl fmt::Display for OpenFilesLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity { observed, capacity } => write!(
                formatter,
                "{observed} observed stores use all of the capacity of {capacity}; drop handles, raise `capacity(..)`"
            ),
            Self::Process => formatter.write_str(
                "the process can open no more files; drop handles, lower `capacity(..)`, close files of your own",
            ),
        }
    }
}

/// What to ask for instead of a store that is not there.
fn instead(near: &[StoreId]) -> String {
    let other = match near {
        [] => "ask for one that `registry.stored()` lists".to_owned(),
        near => format!("ask for {}", near.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" or ")),
    };
    format!("{other}, or make it by a `get` without `existing()`")
}
