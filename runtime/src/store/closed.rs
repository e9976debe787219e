//! A closed store's file, read as it lies: without loading the store, and without writing anything but its lock.
//!
//! That is possible when the file was closed cleanly, has no `-wal`, and its tables are those of the schema. Whatever else is found, a load
//! has the last word: it mends what can be mended, and says what is wrong.

use std::{fs, path::Path};

use super::{StoreName, scan_wal};
use crate::{
    schema::SchemaModel,
    seeded,
    storage::{
        eventlog::ChainKey,
        lock::{self, Lock, LockError, Marker, MarkerState},
        meta::{self, Header, Meta},
        sqlite::{Access, Connection, Place},
    },
};

/// Why a closed store was not read.
#[derive(Debug)]
pub(crate) enum NotRead {
    /// There is no such store.
    Missing,
    /// Who has it open.
    Locked(String),
    /// It is to be loaded.
    NeedsLoad,
}

/// A closed store's file, open for reading. Nobody writes it meanwhile.
pub(crate) struct ClosedStore<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) key: ChainKey,
    /// What the file is told from a later one by.
    pub(crate) stamp: String,
}

/// Runs `work` on the file of a store that nobody has open. The lock is held meanwhile.
///
/// # Errors
/// Why it was not read; also [`NotRead::NeedsLoad`] when `work` fails: a load says better why.
pub(crate) fn read_closed<R, E>(
    file: &Path,
    name: &StoreName,
    model: &SchemaModel,
    work: impl FnOnce(ClosedStore<'_>) -> Result<R, E>,
) -> Result<R, NotRead> {
    if file.symlink_metadata().is_err() {
        // Before the lock, whose file would be made.
        return Err(NotRead::Missing);
    }
    let lock = Lock::acquire(file).map_err(|error| match error {
        LockError::Held(holder) => NotRead::Locked(holder),
        LockError::Symlink | LockError::Io(_) => NotRead::NeedsLoad,
    })?;
    let Some((mut connection, key)) = admit(file, name, model, lock.marker()) else { return Err(NotRead::NeedsLoad) };
    let stamp = file_stamp(file).unwrap_or_default();
    let read = work(ClosedStore { connection: &mut connection, key, stamp }).map_err(|_| NotRead::NeedsLoad);
    // Before the lock.
    drop(connection);
    drop(lock);
    read
}

/// What tells a closed store's file from an earlier one at the same place: its epoch, which every opening that writes counts up, its length,
/// and when it was written. `None` when it was not closed cleanly, or there is none.
pub(crate) fn file_stamp(file: &Path) -> Option<String> {
    let marker = lock::peek(file).filter(|marker| marker.state == MarkerState::Closed)?;
    let found = fs::metadata(file).ok()?;
    let written = found.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", marker.epoch, found.len(), written.as_nanos()))
}

/// Opens the file, if all that matters is in it and as the schema wants it.
fn admit(file: &Path, name: &StoreName, model: &SchemaModel, marker: Marker) -> Option<(Connection, ChainKey)> {
    let is_file = fs::symlink_metadata(file).is_ok_and(|found| found.is_file());
    let is_settled = marker.state == MarkerState::Closed && !marker.suspect;
    if !is_file || !is_settled || !matches!(scan_wal(file), Ok(None)) {
        return None;
    }
    match meta::read_header(file).ok()? {
        Header::Sqlite { application_id: meta::APPLICATION_ID, format: meta::FORMAT, .. } => {}
        _ => return None,
    }
    let mut connection = Connection::open(&Place::File(file.to_owned()), Access::ReaderOfFileAlone).ok()?;
    let meta = Meta::load(&mut connection).ok()??;
    let is_this = meta.definition == name.definition() && meta.store_id == name.id().as_str();
    let is_current = meta.epoch == marker.epoch
        && (meta.fingerprint == model.fingerprint() || seeded::bug("old-tables-read-across"))
        && meta.schema == Some(meta::schema_hash(&mut connection).ok()?);
    let key = ChainKey::new(&meta.file_id, &meta.definition, name.id());
    (is_this && is_current).then_some((connection, key))
}
