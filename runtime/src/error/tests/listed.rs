//! Every variant by name: one that is added does not compile here until its message is checked, too.

use super::{
    AcrossError, CommitErrorKind, DeleteError, LoadError, MaterializeError, QueryErrorKind, StoreError, StoreIdError,
};
use crate::error::SyncError;

/// Of loading, deleting and syncing.
#[expect(dead_code, reason = "it is there to be compiled")]
fn every_variant(load: &LoadError, store: &StoreError, sync: &SyncError, delete: &DeleteError, across: &AcrossError) {
    match across {
        AcrossError::Load(_) | AcrossError::Query(_) | AcrossError::Union { .. } => {}
        AcrossError::ShutDown { .. } | AcrossError::NotProjected { .. } | AcrossError::Panicked { .. } => {}
    }
    match load {
        LoadError::Id { .. } | LoadError::DefinitionConflict { .. } | LoadError::OptionsConflict { .. } => {}
        LoadError::Locked { .. } | LoadError::Corrupt { .. } | LoadError::WrongFile { .. } => {}
        LoadError::NewerFormat { .. } | LoadError::UnknownEvent { .. } | LoadError::TooManyOpenFiles { .. } => {}
        LoadError::Cancelled { .. } | LoadError::ShutDown { .. } | LoadError::OnLoad { .. } => {}
        LoadError::Panicked { .. } | LoadError::Cycle { .. } | LoadError::SyncIdConflict { .. } => {}
        LoadError::NoDataDir { .. } | LoadError::DataDir { .. } | LoadError::Catalog { .. } => {}
        LoadError::NotFound { .. } | LoadError::Projection { .. } | LoadError::SyncId { .. } => {}
        LoadError::Runtime { .. } | LoadError::Schema { .. } | LoadError::Storage { .. } => {}
    }
    match store {
        StoreError::Evicted { .. } | StoreError::Closed { .. } => {}
        StoreError::Stopped { .. } | StoreError::Storage { .. } | StoreError::Poisoned { .. } => {}
    }
    match sync {
        SyncError::Store(_) | SyncError::NotConfigured { .. } | SyncError::Quarantined { .. } => {}
        SyncError::Offline { .. } | SyncError::Unauthorized { .. } => {}
        SyncError::Refused { .. } | SyncError::Backend { .. } => {}
        SyncError::BackendIdMismatch { .. } | SyncError::BackendRolledBack { .. } | SyncError::UnknownEvent { .. } => {}
    }
    match delete {
        DeleteError::Id { .. } | DeleteError::Observed { .. } | DeleteError::Unsent { .. } => {}
        DeleteError::Locked { .. } | DeleteError::Unknown { .. } | DeleteError::Storage { .. } => {}
        DeleteError::ShutDown { .. } | DeleteError::Definition(_) => {}
    }
}

/// Of what calls of a loaded store return.
#[expect(dead_code, reason = "it is there to be compiled")]
fn every_variant_of_calls(
    commit: &CommitErrorKind,
    materialize: &MaterializeError,
    query: &QueryErrorKind,
    id: &StoreIdError,
) {
    match commit {
        CommitErrorKind::Store(_) | CommitErrorKind::Encode { .. } | CommitErrorKind::EventTooLarge { .. } => {}
        CommitErrorKind::TooManyEvents { .. } | CommitErrorKind::NumbersExhausted { .. } => {}
        CommitErrorKind::LabelsTooLong { .. } => {}
        CommitErrorKind::Materialize { .. } | CommitErrorKind::MaterializerPanicked { .. } => {}
        CommitErrorKind::Reentrant { .. } | CommitErrorKind::DiskFull { .. } | CommitErrorKind::Storage { .. } => {}
    }
    match materialize {
        MaterializeError::Exists { .. } | MaterializeError::NotOne { .. } | MaterializeError::Reference { .. } => {}
        MaterializeError::Value { .. } | MaterializeError::Sql { .. } | MaterializeError::Storage { .. } => {}
        MaterializeError::Query(_) | MaterializeError::App(_) => {}
    }
    match query {
        QueryErrorKind::Store(_) | QueryErrorKind::Sql { .. } | QueryErrorKind::MissingColumn { .. } => {}
        QueryErrorKind::Decode { .. } | QueryErrorKind::Value(_) | QueryErrorKind::NotOne { .. } => {}
        QueryErrorKind::Reentrant | QueryErrorKind::Interrupted | QueryErrorKind::Overflow { .. } => {}
        QueryErrorKind::Backup { .. } | QueryErrorKind::Storage { .. } | QueryErrorKind::SeveralTables { .. } => {}
        QueryErrorKind::OtherSource { .. } => {}
    }
    match id {
        StoreIdError::Empty | StoreIdError::TooLong { .. } | StoreIdError::Character { .. } => {}
        StoreIdError::Start { .. } | StoreIdError::Dots { .. } | StoreIdError::EmptyPart { .. } => {}
        StoreIdError::Pattern { .. } | StoreIdError::Singleton { .. } => {}
    }
}
