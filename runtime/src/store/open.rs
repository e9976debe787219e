//! Opening: lock, look at the file, check the log's last row, rebuild what is not of this schema.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    sync::Arc,
};

use super::{
    Engine, Migration, MigrationsReport, OpenRequest, RebuildReason, Writer,
    engine::Shared,
    files::{self, Found},
    rebuild::{self, Rebuilt},
    replace,
};
use crate::{
    error::{LoadError, shown},
    schema::SchemaModel,
    storage::{
        eventlog::{self, ChainKey, LogError, LogHead},
        lock::{Lock, Marker, MarkerState},
        meta::{self, Kind, Meta},
        sqlite::{Access, Checkpoint, Connection, Place, SqliteError, SqliteErrorKind},
    },
    value::ValueRef,
};

/// A store's file or memory, open and its tables those of the schema.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) meta: Meta,
    pub(super) key: ChainKey,
    pub(super) head: LogHead,
    pub(super) report: MigrationsReport,
}

impl Engine {
    /// Opens a store, which may make its file and may rebuild its tables. Blocks. A cancelled load closes the file.
    ///
    /// # Errors
    /// Why the store cannot be loaded; nothing is left open.
    pub(crate) fn open(request: OpenRequest) -> Result<(Arc<Self>, MigrationsReport), LoadError> {
        let (lock, opened) = match &request.place {
            Place::Memory => (None, open_memory(&request)?),
            Place::File(path) => {
                let (lock, opened) = open_file(&request, path)?;
                (Some(lock), opened)
            }
        };
        let Opened { connection, meta, key, head, report } = opened;
        let OpenRequest { model, name, place, options, client_id, session_id, readers, runtime, host, .. } = request;
        let pool_key = readers.register();
        let shared = Shared {
            name,
            model,
            place,
            options,
            client_id,
            session_id,
            pool: readers,
            pool_key,
            key: key.clone(),
            runtime,
            host,
        };
        let writer = Writer::new(connection, lock, key, head);
        let engine = Self::assemble(shared, writer, report.clone(), meta.confirmed);
        Ok((Arc::new(engine), report))
    }
}

fn open_memory(request: &OpenRequest) -> Result<Opened, LoadError> {
    let access = Access::Writer { create: true, durability: request.options.durability };
    let mut connection = Connection::open(&Place::Memory, access).map_err(|error| storage(request, error))?;
    let (meta, key, head, report) = new_store(request, create(request, &mut connection)?);
    Ok(Opened { connection, meta, key, head, report })
}

fn open_file(request: &OpenRequest, path: &Path) -> Result<(Lock, Opened), LoadError> {
    files::check_folder(request, path)?;
    let mut lock = files::lock(request, path)?;
    let found = files::look(request, path, &mut lock)?;
    let opened = match open_found(request, path, &mut lock, found) {
        Err(Stop::TablesDamaged) => replace::replace_tables(request, path, &mut lock)?,
        Err(Stop::Load(error)) => return Err(error),
        Ok(opened) => opened,
    };
    let marked = lock.mark(Marker { state: MarkerState::Open, suspect: false });
    let synced = marked.and_then(|()| files::sync_new(request, path, found, &lock));
    synced.map_err(|error| files::io(request, path, &error))?;
    Ok((lock, opened))
}

/// Why an opening stopped.
pub(super) enum Stop {
    Load(LoadError),
    /// The log is sound as far as was seen; the tables, or SQLite's bookkeeping of them, are not.
    TablesDamaged,
}

impl From<LoadError> for Stop {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

fn open_found(request: &OpenRequest, path: &Path, lock: &mut Lock, found: Found) -> Result<Opened, Stop> {
    let access = Access::Writer { create: found == Found::Nothing, durability: request.options.durability };
    let mut connection = Connection::open(&request.place, access).map_err(|error| sqlite_error(request, error))?;
    let before = lock.marker();
    // The app's code may panic: its progress listener, its callback for unknown events. The file is closed all the same.
    let prepared = catch_unwind(AssertUnwindSafe(|| prepare(request, path, lock, &mut connection)));
    if let Ok(Ok((meta, key, head, report))) = prepared {
        return Ok(Opened { connection, meta, key, head, report });
    }
    abandon(connection, path, lock, before);
    match prepared {
        Ok(Err(stop)) => Err(stop),
        Ok(Ok(_)) => Err(corrupt(request, "it was closed while it was opened").into()),
        Err(panic) => resume_unwind(panic),
    }
}

/// Closes the file of a load that failed. Errors on top of the first one say nothing new.
fn abandon(mut connection: Connection, path: &Path, lock: &mut Lock, before: Marker) {
    if connection.in_transaction() {
        let _ = connection.batch("ROLLBACK");
    }
    let is_ours = lock.marker().state == MarkerState::Open && before.state != MarkerState::Open;
    if is_ours && connection.checkpoint(Checkpoint::Truncate).is_ok() {
        // As in a clean close: nothing is in the `-wal` any more, before it goes.
        let _ = lock.mark(before);
    }
    let _ = connection.close();
    files::settle(path, lock, before);
}

/// What a prepared file is known by.
type Prepared = (Meta, ChainKey, LogHead, MigrationsReport);

fn prepare(request: &OpenRequest, path: &Path, lock: &mut Lock, connection: &mut Connection) -> Result<Prepared, Stop> {
    let failed = |error| sqlite_error(request, error);
    // A `-wal` that may be another's is not to be written into the file.
    connection.keep_wal_at_close(true).map_err(failed)?;
    let kind = meta::kind(connection).map_err(failed)?;
    match kind {
        Kind::Empty if lock.marker().state != MarkerState::Fresh => {
            Err(corrupt(request, "its file is empty, and it was not when it was left").into())
        }
        Kind::Foreign => Err(wrong_file(request, path, "it belongs to another program").into()),
        Kind::Store(format) if format > meta::FORMAT => Err(files::newer(request, path, format).into()),
        Kind::Empty | Kind::Store(_) => {
            set_up_writer(connection).map_err(failed)?;
            let marker = lock.marker();
            if kind == Kind::Empty {
                // The marker stays fresh until the tables are there: a process killed before that leaves an empty file, and the next
                // one begins anew.
                connection.keep_wal_at_close(false).map_err(failed)?;
                return create(request, connection).map(|meta| new_store(request, meta)).map_err(Stop::Load);
            }
            let (meta, key, head) = identify(request, path, connection)?;
            connection.keep_wal_at_close(false).map_err(failed)?;
            if marker.suspect {
                return Err(Stop::TablesDamaged);
            }
            mark_open(request, path, lock)?;
            let report = ensure_tables(request, connection, &meta, &key, &head)?;
            Ok((meta, key, head, report))
        }
    }
}

/// Checkpoints are larder's own, and a busy writer has a page cache; [`Engine::maintain`] takes it away when the store is idle.
pub(super) fn set_up_writer(connection: &mut Connection) -> Result<(), SqliteError> {
    connection.watch_wal()?;
    connection.batch("PRAGMA cache_size = -2048")
}

/// From here on the `-wal`, which is there since the first read, may hold what the file does not.
fn mark_open(request: &OpenRequest, path: &Path, lock: &mut Lock) -> Result<(), LoadError> {
    lock.mark_state(MarkerState::Open).map_err(|error| files::io(request, path, &error))
}

/// Rebuilds the tables when they are not those of the schema.
fn ensure_tables(
    request: &OpenRequest,
    connection: &mut Connection,
    meta: &Meta,
    key: &ChainKey,
    head: &LogHead,
) -> Result<MigrationsReport, Stop> {
    let fingerprint = request.model.fingerprint();
    let reason = if meta.fingerprint != fingerprint {
        RebuildReason::SchemaChanged { from: meta.fingerprint }
    } else if tables_are_there(connection, &request.model).map_err(|error| sqlite_error(request, error))? {
        rebuild::check_unknown(request, connection)?;
        return Ok(MigrationsReport::new(Migration::Unchanged, fingerprint));
    } else {
        RebuildReason::Damaged
    };
    let migration = Migration::Rebuilt(reason);
    let Rebuilt { applied, failed, unknown } = rebuild::in_place(request, connection, key, head)?;
    Ok(MigrationsReport { applied, failed, unknown, ..MigrationsReport::new(migration, fingerprint) })
}

/// Whether no table of the schema was deleted behind larder's back.
fn tables_are_there(connection: &mut Connection, model: &SchemaModel) -> Result<bool, SqliteError> {
    let mut missing: HashSet<&str> = model.tables().iter().map(|table| table.name).collect();
    connection.each_row("SELECT name FROM sqlite_schema WHERE type = 'table'", &[], |row| {
        if let ValueRef::Text(name) = row.value(0) {
            missing.remove(name);
        }
        Ok::<_, SqliteError>(true)
    })?;
    Ok(missing.is_empty())
}

/// What the file says of itself, and the end of its log, checked.
pub(super) fn identify(
    request: &OpenRequest,
    path: &Path,
    connection: &mut Connection,
) -> Result<(Meta, ChainKey, LogHead), LoadError> {
    let loaded = Meta::load(connection).map_err(|error| sqlite_error(request, error))?;
    let meta = loaded.ok_or_else(|| corrupt(request, "it does not say whose it is"))?;
    if meta.definition != request.name.definition() || meta.store_id != request.name.id().as_str() {
        let reason = format!("it is the file of store {}/{}", shown(&meta.definition), shown(&meta.store_id));
        return Err(wrong_file(request, path, &reason));
    }
    let key = ChainKey::new(&meta.file_id, &meta.definition, request.name.id());
    let head = LogHead::load(connection, &key).map_err(|error| log_error(request, error))?;
    Ok((meta, key, head))
}

/// Makes all tables of a new store, in one transaction.
fn create(request: &OpenRequest, connection: &mut Connection) -> Result<Meta, LoadError> {
    let meta = Meta::new(request.name.definition(), request.name.id(), request.model.fingerprint());
    create_with(request, connection, &meta)?;
    Ok(meta)
}

/// Makes all tables of a store's file that says `meta` of itself.
pub(super) fn create_with(request: &OpenRequest, connection: &mut Connection, meta: &Meta) -> Result<(), LoadError> {
    let failed = |error| sqlite_error(request, error);
    connection.batch("BEGIN IMMEDIATE").map_err(failed)?;
    meta.create(connection).map_err(failed)?;
    connection.batch(eventlog::DDL).map_err(failed)?;
    create_tables(connection, &request.model).map_err(|error| schema_error(request, error))?;
    connection.batch("COMMIT").map_err(failed)
}

/// Makes the schema's tables.
pub(super) fn create_tables(connection: &mut Connection, model: &SchemaModel) -> Result<(), SqliteError> {
    let ddl: String = model.tables().iter().map(|table| table.ddl()).collect();
    connection.batch(&ddl)
}

/// A failure to make the schema's tables: of the schema, unless storage failed.
pub(super) fn schema_error(request: &OpenRequest, error: SqliteError) -> LoadError {
    if error.is_of_the_statement() {
        return LoadError::Schema { definition: request.model.definition(), message: error.message };
    }
    sqlite_error(request, error)
}

fn new_store(request: &OpenRequest, meta: Meta) -> Prepared {
    let key = ChainKey::new(&meta.file_id, &meta.definition, request.name.id());
    let report = MigrationsReport::new(Migration::Created, meta.fingerprint);
    (meta, key, LogHead::EMPTY, report)
}

/// The file's path, or that of memory, for messages.
pub(super) fn file(request: &OpenRequest) -> std::path::PathBuf {
    match &request.place {
        Place::File(path) => path.clone(),
        Place::Memory => ":memory:".into(),
    }
}

pub(super) fn corrupt(request: &OpenRequest, reason: &str) -> LoadError {
    LoadError::Corrupt { store: request.name.clone(), reason: reason.to_owned(), file: file(request) }
}

pub(super) fn wrong_file(request: &OpenRequest, path: &Path, reason: &str) -> LoadError {
    LoadError::WrongFile { store: request.name.clone(), reason: reason.to_owned(), file: path.to_owned() }
}

/// A failure of SQLite while loading.
pub(super) fn sqlite_error(request: &OpenRequest, error: SqliteError) -> LoadError {
    match error.kind {
        SqliteErrorKind::Corrupt | SqliteErrorKind::NotADatabase => corrupt(request, &error.message),
        _ => storage(request, error),
    }
}

/// A log that cannot be read.
pub(super) fn log_error(request: &OpenRequest, error: LogError) -> LoadError {
    match error {
        LogError::Sqlite(error) => sqlite_error(request, error),
        LogError::Damaged { .. } => corrupt(request, &error.to_string()),
    }
}

fn storage(request: &OpenRequest, error: SqliteError) -> LoadError {
    LoadError::Storage { store: request.name.clone(), message: error.message, file: file(request) }
}
