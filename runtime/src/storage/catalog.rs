//! The catalog: which stores a data dir holds, what they have not sent yet, and whose each sync id is.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    layout::{Layout, LayoutError, refuse_symlink},
    sqlite::{Access, Connection, Patience, Place, SqliteError, SqliteErrorKind, Syncs},
};
use crate::{
    id::StoreId,
    options::Durability,
    query::RowRef,
    value::{Value, ValueRef},
};

mod rebuild;

pub(crate) use rebuild::had_backend;

/// What a newer larder may change; an unknown format is read as lost and made anew.
const FORMAT: i64 = 2;

/// `backend` and `sync_id` are where the store's events go: those of the last opening with a backend. Both are NULL when there was none,
/// and a `backend` without a `sync_id` says that there was one that nobody knows any more.
const DDL: &str = "
CREATE TABLE stores (
    definition TEXT NOT NULL, id TEXT NOT NULL, file TEXT NOT NULL, unsent INTEGER, backend TEXT, sync_id TEXT,
    PRIMARY KEY (definition, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE sync_ids (
    backend TEXT NOT NULL, sync_id TEXT NOT NULL, definition TEXT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (backend, sync_id)
) STRICT, WITHOUT ROWID;
";

/// Fails where a table is gone, or is not larder's.
const PROBE: &str = "SELECT definition, id, file, unsent, backend, sync_id FROM stores LIMIT 0; \
                     SELECT backend, sync_id, definition, id FROM sync_ids LIMIT 0";

/// How long another process may hold the catalog, which it does for the length of a small write.
const OTHERS: Patience = Patience { tries: 2_000, pause: Duration::from_millis(5) };

/// The catalog of a data dir, or of a registry in memory.
pub(crate) struct Catalog {
    /// `None` once closed.
    connection: Mutex<Option<Connection>>,
}

/// One store of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: StoreId,
    /// Relative to the folder `stores`.
    pub(crate) file: String,
    /// Events that the backend does not have; `None` while that is not known: the store is open, or was when its process ended.
    pub(crate) unsent: Option<u64>,
    /// It was opened with a backend.
    pub(crate) had_backend: bool,
}

/// A store that has unsent events, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnsentEntry {
    pub(crate) id: StoreId,
    /// Its id there; `None` when it was opened with no backend.
    pub(crate) sync_id: Option<String>,
}

impl Catalog {
    fn new(connection: Connection) -> Self {
        Self { connection: Mutex::new(Some(connection)) }
    }

    /// The connection, to be closed where that may block. The catalog answers errors from now on.
    pub(crate) fn take(&self) -> Option<Connection> {
        self.slot().take()
    }

    /// The catalog of a registry without a data dir.
    pub(crate) fn in_memory() -> Result<Self, SqliteError> {
        let mut connection = open(&Place::Memory)?;
        create(&mut connection)?;
        Ok(Self::new(connection))
    }

    /// The catalog of a data dir; made, from the stores, when it is missing, cannot be read, or was not made to the end.
    pub(crate) fn open(layout: &Layout) -> Result<Self, LayoutError> {
        let path = layout.catalog();
        refuse_symlink(&path)?;
        let failed = |error: SqliteError| LayoutError::failed(&path, error);
        let opened = match Self::open_file(&path) {
            Err(error) if lost(&error) => {
                tracing::warn!(catalog = %path.display(), %error, "the catalog cannot be read, it is made anew from the stores");
                rebuild::move_away(&path)?;
                Self::open_file(&path)
            }
            opened => opened,
        };
        let (catalog, is_whole) = opened.map_err(failed)?;
        if !is_whole {
            rebuild::fill(&catalog, layout);
            // Last of all: if the process ends before, the next one begins again.
            catalog.with(|connection| connection.batch(&format!("PRAGMA user_version = {FORMAT}"))).map_err(failed)?;
        }
        Ok(catalog)
    }

    /// The catalog, and whether all stores were entered that were there when it was made.
    fn open_file(path: &Path) -> Result<(Self, bool), SqliteError> {
        let mut connection = OTHERS.retry(|| open(&Place::File(path.to_owned())))?;
        OTHERS.retry(|| connection.transaction(create))?;
        let format = connection.integer("PRAGMA user_version", &[])?.unwrap_or(0);
        if format != 0 && format != FORMAT {
            return Err(SqliteError::new(SqliteErrorKind::NotADatabase, format!("it has format {format}")));
        }
        OTHERS.retry(|| connection.batch(PROBE)).map_err(|error| match error.kind {
            SqliteErrorKind::Other => SqliteError { kind: SqliteErrorKind::NotADatabase, ..error },
            _ => error,
        })?;
        Ok((Self::new(connection), format == FORMAT))
    }

    /// Enters a store; to be called before its file is made. What is there stays.
    pub(crate) fn add(&self, definition: &str, id: &StoreId, durability: Durability) -> Result<(), SqliteError> {
        let file = Layout::relative(definition, id);
        let key = [ValueRef::Text(definition), ValueRef::Text(id.as_str())];
        let params = [key[0], key[1], ValueRef::Text(&file)];
        let sql = "INSERT OR IGNORE INTO stores (definition, id, file, unsent) VALUES (?, ?, ?, 0)";
        self.with(|connection| {
            if connection.integer("SELECT 1 FROM stores WHERE definition = ? AND id = ?", &key)?.is_some() {
                return Ok(());
            }
            lasting(connection, durability, |connection| connection.execute(sql, &params).map(drop))
        })
    }

    /// Enters a store that was found without an entry: nobody knows what is unsent, nor to which backend anything was sent.
    fn add_found(&self, definition: &str, id: &StoreId, had_backend: bool) -> Result<(), SqliteError> {
        let backend = if had_backend { ValueRef::Text("") } else { ValueRef::Null };
        let file = Layout::relative(definition, id);
        let params = [ValueRef::Text(definition), ValueRef::Text(id.as_str()), ValueRef::Text(&file), backend];
        self.write("INSERT OR IGNORE INTO stores (definition, id, file, backend) VALUES (?, ?, ?, ?)", &params)
    }

    /// Notes that a store is open: what is unsent is not known until it is closed. Its events go to the backend that it has now; where it has
    /// none but had one, to that, or to one that nobody knows.
    pub(crate) fn opened(
        &self,
        definition: &str,
        id: &StoreId,
        wire: Option<(&str, &str)>,
        durability: Durability,
    ) -> Result<(), SqliteError> {
        let (backend, sync_id) = match wire {
            Some((backend, sync_id)) => (ValueRef::Text(backend), ValueRef::Text(sync_id)),
            None => (ValueRef::Null, ValueRef::Null),
        };
        let params = [backend, sync_id, ValueRef::Text(definition), ValueRef::Text(id.as_str())];
        let sql = "UPDATE stores SET unsent = NULL, backend = coalesce(?1, backend, ''), sync_id = coalesce(?2, sync_id) \
                   WHERE definition = ?3 AND id = ?4 AND (unsent IS NOT NULL \
                   OR backend IS NOT coalesce(?1, backend, '') OR sync_id IS NOT coalesce(?2, sync_id))";
        self.with(|connection| lasting(connection, durability, |connection| connection.execute(sql, &params).map(drop)))
    }

    /// Notes how many events of a store are unsent.
    pub(crate) fn set_unsent(&self, definition: &str, id: &StoreId, unsent: Option<u64>) -> Result<(), SqliteError> {
        let unsent =
            unsent.map_or(ValueRef::Null, |events| ValueRef::Integer(i64::try_from(events).unwrap_or(i64::MAX)));
        let params = [unsent, ValueRef::Text(definition), ValueRef::Text(id.as_str())];
        let sql = "UPDATE stores SET unsent = ?1 WHERE definition = ?2 AND id = ?3 AND unsent IS NOT ?1";
        self.write(sql, &params)
    }

    /// Takes a sync id of a backend for a store; `Err` names the owner when it is another's.
    pub(crate) fn claim(
        &self,
        backend: &str,
        sync_id: &str,
        definition: &str,
        id: &StoreId,
    ) -> Result<Result<(), String>, SqliteError> {
        let key = [ValueRef::Text(backend), ValueRef::Text(sync_id)];
        let sql = "INSERT OR IGNORE INTO sync_ids (backend, sync_id, definition, id) VALUES (?, ?, ?, ?)";
        self.write(sql, &[key[0], key[1], ValueRef::Text(definition), ValueRef::Text(id.as_str())])?;
        let sql = "SELECT definition, id FROM sync_ids WHERE backend = ? AND sync_id = ?";
        let owner = self.with(|connection| {
            connection.row(sql, &key, |row| Ok::<_, SqliteError>((text(row.value(0)), text(row.value(1)))))
        })?;
        Ok(match owner {
            Some((owner, _)) if owner != definition => Err(owner),
            Some((owner, store)) if store != id.as_str() => Err(format!("{owner}/{store}")),
            _ => Ok(()),
        })
    }

    /// One store.
    pub(crate) fn get(&self, definition: &str, id: &StoreId) -> Result<Option<Entry>, SqliteError> {
        let sql = "SELECT id, file, unsent, backend FROM stores WHERE definition = ? AND id = ?";
        let params = [ValueRef::Text(definition), ValueRef::Text(id.as_str())];
        Ok(self.entries(sql, &params)?.into_iter().next())
    }

    /// Whether a store was ever opened with a backend, as far as is known.
    pub(crate) fn had_backend(&self, definition: &str, id: &StoreId) -> Result<bool, SqliteError> {
        Ok(self.get(definition, id)?.is_some_and(|entry| entry.had_backend))
    }

    /// All stores of a definition, by id.
    pub(crate) fn stored(&self, definition: &str) -> Result<Vec<Entry>, SqliteError> {
        let sql = "SELECT id, file, unsent, backend FROM stores WHERE definition = ? ORDER BY id";
        self.entries(sql, &[ValueRef::Text(definition)])
    }

    /// The stores of a definition whose ids come before and behind `id`, at most so many on each side.
    pub(crate) fn around(&self, definition: &str, id: &StoreId, most: usize) -> Result<Vec<Entry>, SqliteError> {
        let most = ValueRef::Integer(i64::try_from(most).unwrap_or(i64::MAX));
        let params = [ValueRef::Text(definition), ValueRef::Text(id.as_str()), most];
        let select = "SELECT id, file, unsent, backend FROM stores WHERE definition = ? AND id";
        let mut entries = self.entries(&format!("{select} < ? ORDER BY id DESC LIMIT ?"), &params)?;
        entries.append(&mut self.entries(&format!("{select} >= ? ORDER BY id LIMIT ?"), &params)?);
        Ok(entries)
    }

    /// The stores of a definition that have unsent events for a backend, or may have: those that were opened with it last, or with none
    /// so far.
    pub(crate) fn unsent(&self, definition: &str, backend: &str) -> Result<Vec<UnsentEntry>, SqliteError> {
        let sql = "SELECT id, sync_id FROM stores WHERE definition = ? AND (unsent IS NULL OR unsent > 0) \
                   AND (backend IS NULL OR (backend = ? AND sync_id IS NOT NULL)) ORDER BY id";
        self.listed(sql, &[ValueRef::Text(definition), ValueRef::Text(backend)], |id, row| {
            let sync_id = match row.value(1) {
                ValueRef::Null => None,
                sync_id => Some(text(sync_id)),
            };
            UnsentEntry { id, sync_id }
        })
    }

    /// Forgets a store; to be called after its file is gone.
    pub(crate) fn remove(&self, definition: &str, id: &StoreId) -> Result<(), SqliteError> {
        let params = [ValueRef::Text(definition), ValueRef::Text(id.as_str())];
        self.write("DELETE FROM sync_ids WHERE definition = ? AND id = ?", &params)?;
        self.write("DELETE FROM stores WHERE definition = ? AND id = ?", &params)
    }

    fn entries(&self, sql: &str, params: &[ValueRef<'_>]) -> Result<Vec<Entry>, SqliteError> {
        self.listed(sql, params, |id, row| {
            let unsent = match row.value(2) {
                ValueRef::Integer(events) => u64::try_from(events).ok(),
                _ => None,
            };
            Entry { id, file: text(row.value(1)), unsent, had_backend: row.value(3) != ValueRef::Null }
        })
    }

    /// One value per row, each of which begins with a store's id.
    fn listed<T>(
        &self,
        sql: &str,
        params: &[ValueRef<'_>],
        entry: impl Fn(StoreId, &RowRef<'_>) -> T,
    ) -> Result<Vec<T>, SqliteError> {
        self.with(|connection| {
            let mut entries = Vec::new();
            connection.each_row(sql, params, |row| {
                match text(row.value(0)).parse() {
                    Ok(id) => entries.push(entry(id, row)),
                    // It cannot have been written by larder, and it cannot be opened.
                    Err(error) => tracing::warn!(%error, "the catalog has an entry that is no store"),
                }
                Ok::<_, SqliteError>(true)
            })?;
            Ok(entries)
        })
    }

    fn write(&self, sql: &str, params: &[ValueRef<'_>]) -> Result<(), SqliteError> {
        self.with(|connection| connection.execute(sql, params)).map(drop)
    }

    /// One step on the connection, tried again while another process holds the catalog.
    fn with<R>(&self, mut step: impl FnMut(&mut Connection) -> Result<R, SqliteError>) -> Result<R, SqliteError> {
        let mut slot = self.slot();
        let closed = || SqliteError::new(SqliteErrorKind::CannotOpen, "the catalog is closed");
        let connection = slot.as_mut().ok_or_else(closed)?;
        OTHERS.retry(|| step(connection))
    }

    fn slot(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(place: &Place) -> Result<Connection, SqliteError> {
    Connection::open(place, Access::Writer { create: true, durability: Durability::Process })
}

/// Makes the tables if there are none. The format is not there before all stores are entered.
fn create(connection: &mut Connection) -> Result<(), SqliteError> {
    let tables = connection.integer("SELECT count(*) FROM sqlite_schema", &[])?.unwrap_or(0);
    if tables == 0 { connection.batch(DDL) } else { Ok(()) }
}

/// A write that survives a loss of power where commits of the store do: what they rest on must not be less lasting.
fn lasting<R>(
    connection: &mut Connection,
    durability: Durability,
    write: impl FnOnce(&mut Connection) -> Result<R, SqliteError>,
) -> Result<R, SqliteError> {
    if durability != Durability::Power {
        return write(connection);
    }
    connection.with_syncs(Syncs::EveryCommit, write)
}

fn lost(error: &SqliteError) -> bool {
    matches!(error.kind, SqliteErrorKind::Corrupt | SqliteErrorKind::NotADatabase)
}

fn text(value: ValueRef<'_>) -> String {
    match value.to_owned() {
        Value::Text(text) => text,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
