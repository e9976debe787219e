//! Opening: lock, look at the file, check the log's last row, rebuild what is not of this schema.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Engine, LostCommits, Migration, MigrationsReport, OpenRequest, RebuildReason, Writer,
    engine::Shared,
    files::{self, Found, Left},
    loss,
    rebuild::{self, Rebuilt},
    replace,
    seal::{Misfit, Seal, compare},
};
use crate::{
    error::{LoadError, OpenFilesLimit, shown},
    schema::SchemaModel,
    seeded,
    storage::{
        eventlog::{self, ChainKey, LogError, LogHead},
        kept::{Before, KEPT_WAL, keep_wal},
        lock::{MarkerState, beside},
        meta::{self, Kind, Meta},
        same_file::FileId,
        sqlite::{Access, Checkpoint, Connection, Place, SqliteError, SqliteErrorKind},
        wal::WalScan,
    },
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
        let (seal, opened) = match &request.place {
            Place::Memory => (None, open_memory(&request)?),
            Place::File(path) => {
                let (seal, opened) = open_file(&request, path)?;
                (Some(seal), opened)
            }
        };
        let Opened { connection, meta, key, head, report } = opened;
        let keeper = request.keeper(&key, meta.confirmed);
        let OpenRequest { model, name, place, options, client, session_id, readers, runtime, host, .. } = request;
        let pool_key = readers.register();
        let file_id = match &place {
            Place::File(path) => FileId::of(path).ok(),
            Place::Memory => None,
        };
        let shared = Shared {
            name,
            model,
            place,
            options,
            client,
            session_id,
            pool: readers,
            pool_key,
            key: key.clone(),
            file_id,
            runtime,
            host,
        };
        let writer = Writer::new(connection, seal, key, head, keeper);
        let engine = Self::assemble(shared, writer, report.clone(), meta);
        Ok((Arc::new(engine), report))
    }
}

fn open_memory(request: &OpenRequest) -> Result<Opened, LoadError> {
    if !request.create {
        return Err(not_found(request));
    }
    let access = Access::Writer { create: true, durability: request.options.durability };
    let mut connection = Connection::open(&Place::Memory, access).map_err(|error| sqlite_error(request, error))?;
    let (meta, key, head, report) = new_store(request, create(request, &mut connection, 1)?);
    Ok(Opened { connection, meta, key, head, report })
}

fn open_file(request: &OpenRequest, path: &Path) -> Result<(Seal, Opened), LoadError> {
    files::check_folder(request, path)?;
    let mut lock = files::lock(request, path)?;
    let left = files::look(request, path, &mut lock)?;
    if left.found == Found::Nothing && !request.create {
        return Err(not_found(request));
    }
    if left.found == Found::Nothing {
        // First of all: when this fails there is nothing to undo.
        files::sync_new(request, path).map_err(|error| files::io(request, path, &error))?;
    }
    let mut seal = Seal::new(lock, path.to_owned());
    let mut opened = match open_found(request, path, &mut seal, &left) {
        Err(Stop::TablesDamaged) => replace::replace_tables(request, path, &mut seal)?,
        Err(Stop::Load(error)) => return Err(error),
        Ok(opened) => opened,
    };
    opened.report.lost = seal.take_lost();
    Ok((seal, opened))
}

fn not_found(request: &OpenRequest) -> LoadError {
    LoadError::NotFound { store: request.name.clone(), near: Vec::new() }
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

fn open_found(request: &OpenRequest, path: &Path, seal: &mut Seal, left: &Left) -> Result<Opened, Stop> {
    let access = Access::Writer { create: left.found == Found::Nothing, durability: request.options.durability };
    let mut before = Before::of(path);
    if left.wal.as_ref().is_some_and(WalScan::is_behind_file) {
        before.set_wal_aside().map_err(|error| files::io(request, path, &error))?;
    }
    let mut connection = Connection::open(&request.place, access).map_err(|error| sqlite_error(request, error))?;
    // The app's code may panic: its progress listener, its callback for unknown events. The file is closed all the same.
    let prepared = catch_unwind(AssertUnwindSafe(|| prepare(request, path, seal, &mut connection, left)));
    if seal.is_heard() {
        before.forget(seal.lost().is_some());
    }
    if let Ok(Ok((meta, key, head, report))) = prepared {
        return Ok(Opened { connection, meta, key, head, report });
    }
    if connection.in_transaction() {
        let _ = connection.batch("ROLLBACK");
    }
    // Errors on top of the first one say nothing new.
    let _ = seal.close(connection);
    drop(before);
    match prepared {
        Ok(Err(stop)) => Err(stop),
        Ok(Ok(_)) => Err(corrupt(request, "it was closed while it was opened").into()),
        Err(panic) => resume_unwind(panic),
    }
}

/// What a prepared file is known by.
type Prepared = (Meta, ChainKey, LogHead, MigrationsReport);

fn prepare(
    request: &OpenRequest,
    path: &Path,
    seal: &mut Seal,
    connection: &mut Connection,
    left: &Left,
) -> Result<Prepared, Stop> {
    let failed = |error| sqlite_error(request, error);
    // A `-wal` that may be another's is not to be written into the file.
    connection.keep_wal_at_close(left.wal.is_some()).map_err(failed)?;
    let kind = meta::kind(connection).map_err(failed)?;
    match kind {
        Kind::Foreign => return Err(wrong_file(request, path, "it belongs to another program").into()),
        Kind::Store(format) if format > meta::FORMAT => return Err(files::newer(request, path, format).into()),
        Kind::Empty | Kind::Store(_) => set_up_writer(connection).map_err(failed)?,
    }
    if kind == Kind::Empty {
        check_unmade(request, seal, left)?;
        note_loss(request, path, seal, left, 0);
        connection.keep_wal_at_close(false).map_err(failed)?;
        connection.checkpoint(Checkpoint::Truncate).map_err(failed)?;
        seal.fits_nothing();
        // The marker stays as it is until the tables are there: a process killed before that leaves an empty file, and the next one
        // begins anew.
        let meta = create(request, connection, seal.next())?;
        seal.made().map_err(failed)?;
        return Ok(new_store(request, meta));
    }
    let (meta, key, head) = identify(request, path, connection)?;
    compare(seal.marker(), meta.epoch, left.wal.as_ref()).map_err(|misfit| misfit_error(request, path, misfit))?;
    note_loss(request, path, seal, left, meta.epoch);
    connection.keep_wal_at_close(false).map_err(failed)?;
    seal.note_events(head.ordinal);
    seal.fits(meta.epoch, left.wal_bytes(), connection).map_err(failed)?;
    if seal.marker().suspect {
        return Err(Stop::TablesDamaged);
    }
    let report = ensure_tables(request, seal, connection, &meta, &key, &head)?;
    rebuild::call_back(request, connection, &key)?;
    Ok((meta, key, head, report))
}

/// Looks whether commits are lost, says so, and keeps what is left of them. The report says it whatever becomes of the tables.
fn note_loss(request: &OpenRequest, path: &Path, seal: &mut Seal, left: &Left, epoch: u64) {
    let Some(wal) = &left.wal else { return };
    let lost = loss::lost(seal.marker(), epoch, Some(wal), request.options.durability);
    let Some(loss) = lost.filter(|_| !seeded::bug("loss-unreported")) else { return };
    // The warning says it where no copy can be made.
    let kept = match wal.has_more() {
        true if wal.is_behind_file() => Some(beside(path, KEPT_WAL)),
        true => keep_wal(path).ok(),
        false => None,
    };
    let lost = LostCommits { loss, kept };
    let (store, id) = (request.name.definition(), request.name.id().as_str());
    tracing::warn!(store, id, "{lost}");
    seal.note_lost(lost);
    if epoch > 0 && loss::may_be_mixed(loss, wal) {
        seal.mark_suspect();
    }
}

/// A file without tables is one that was never made, or one whose making a loss of power undid, and all that came after.
fn check_unmade(request: &OpenRequest, seal: &Seal, left: &Left) -> Result<(), LoadError> {
    match seal.marker().state {
        MarkerState::Fresh => Ok(()),
        MarkerState::Open if left.wal.is_some() => Ok(()),
        MarkerState::Open => Err(corrupt(request, Misfit::Missing.reason())),
        _ => Err(corrupt(request, "its file is empty, and it was not when it was left")),
    }
}

fn misfit_error(request: &OpenRequest, path: &Path, misfit: Misfit) -> LoadError {
    match misfit {
        Misfit::Missing => corrupt(request, misfit.reason()),
        Misfit::Foreign => wrong_file(request, &beside(path, "-wal"), misfit.reason()),
    }
}

/// Checkpoints are larder's own, and a busy writer has a page cache; [`Engine::maintain`] takes it away when the store is idle.
///
/// # Errors
/// Also when the `-wal` could only be opened for reading, which would stay so as long as the store is loaded.
pub(super) fn set_up_writer(connection: &mut Connection) -> Result<(), SqliteError> {
    if let Err(error) = connection.check_writes()
        // Who is busy ends.
        && error.kind != SqliteErrorKind::Busy
    {
        return Err(error);
    }
    connection.watch_wal()?;
    connection.batch("PRAGMA cache_size = -2048")
}

/// Rebuilds the tables when they are not those of the schema.
fn ensure_tables(
    request: &OpenRequest,
    seal: &mut Seal,
    connection: &mut Connection,
    meta: &Meta,
    key: &ChainKey,
    head: &LogHead,
) -> Result<MigrationsReport, Stop> {
    let fingerprint = request.model.fingerprint();
    if meta.fingerprint == fingerprint || seeded::bug("fingerprint-ignored") {
        let schema = meta::schema_hash(connection).map_err(|error| sqlite_error(request, error))?;
        if meta.schema != Some(schema) {
            // Whoever changed tables, indexes or triggers may have changed larder's own: a new file has none of that.
            return Err(Stop::TablesDamaged);
        }
        rebuild::check_unknown(request, connection)?;
        let count = |sql, connection: &mut Connection| {
            let events = connection.integer(sql, &[]).map_err(|error| sqlite_error(request, error))?;
            Ok::<_, LoadError>(events.unwrap_or(0).unsigned_abs())
        };
        return Ok(MigrationsReport {
            failed: count("SELECT count(*) FROM larder_failed", connection)?,
            unknown: count("SELECT sum(events) FROM larder_unknown", connection)?,
            ..MigrationsReport::new(Migration::Unchanged, fingerprint)
        });
    }
    let migration = Migration::Rebuilt(RebuildReason::SchemaChanged { from: meta.fingerprint });
    let failed = |error| sqlite_error(request, error);
    seal.open().map_err(failed)?;
    let Rebuilt { applied, failed: not_applied, unknown } =
        rebuild::in_place(request, seal, connection, (meta.confirmed, key), head)?;
    match seal.checkpoint(connection) {
        Err(error) if error.kind == SqliteErrorKind::SyncFailed => return Err(failed(error).into()),
        // All of the tables went through the `-wal`, and no commit is to move them. What cannot be moved now a later one will.
        _ => {}
    }
    Ok(MigrationsReport { applied, failed: not_applied, unknown, ..MigrationsReport::new(migration, fingerprint) })
}

/// What the file says of itself, and the end of its log, checked.
pub(super) fn identify(
    request: &OpenRequest,
    path: &Path,
    connection: &mut Connection,
) -> Result<(Meta, ChainKey, LogHead), LoadError> {
    let loaded = Meta::load(connection).map_err(|error| sqlite_error(request, error.of_stored()))?;
    let meta = loaded.ok_or_else(|| corrupt(request, "it does not say whose it is"))?;
    if meta.definition != request.name.definition() || meta.store_id != request.name.id().as_str() {
        let reason = format!("it is the file of store {}/{}", shown(&meta.definition), shown(&meta.store_id));
        return Err(wrong_file(request, path, &reason));
    }
    let key = ChainKey::new(&meta.file_id, &meta.definition, request.name.id());
    let head = LogHead::load(connection, &key).map_err(|error| log_error(request, error))?;
    let events = if seeded::bug("missing-rows-unseen") { 0 } else { meta.events };
    head.check_events(events).map_err(|error| log_error(request, error))?;
    Ok((meta, key, head))
}

/// Makes all tables of a new store, in one transaction.
fn create(request: &OpenRequest, connection: &mut Connection, epoch: u64) -> Result<Meta, LoadError> {
    let meta = Meta::new(request.name.definition(), request.name.id(), request.model.fingerprint(), epoch);
    create_with(request, connection, &meta)?;
    Ok(meta)
}

/// Makes all tables of a store's file that says `meta` of itself.
pub(super) fn create_with(request: &OpenRequest, connection: &mut Connection, meta: &Meta) -> Result<(), LoadError> {
    let failed = |error| sqlite_error(request, error);
    connection.begin_writing().map_err(failed)?;
    meta.create(connection).map_err(failed)?;
    connection.batch(eventlog::DDL).map_err(failed)?;
    create_tables(connection, &request.model).map_err(|error| schema_error(request, error))?;
    meta::put_schema(connection).map_err(failed)?;
    connection.batch("COMMIT").map_err(failed)
}

/// Makes the schema's tables.
pub(super) fn create_tables(connection: &mut Connection, model: &SchemaModel) -> Result<(), SqliteError> {
    let ddl: String = model.tables().iter().map(|table| table.ddl()).collect();
    connection.batch(&ddl)?;
    connection.batch(model.more_ddl())
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
pub(super) fn file(request: &OpenRequest) -> PathBuf {
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
        _ => storage(request, &error, error.message.clone(), file(request)),
    }
}

/// A log that cannot be read.
pub(super) fn log_error(request: &OpenRequest, error: LogError) -> LoadError {
    match error {
        LogError::Sqlite(error) => sqlite_error(request, error),
        LogError::Damaged { .. } => corrupt(request, &error.to_string()),
    }
}

/// Storage failed, and nothing is known to be damaged.
pub(super) fn storage(request: &OpenRequest, error: &SqliteError, message: String, file: PathBuf) -> LoadError {
    let store = request.name.clone();
    match error.kind {
        SqliteErrorKind::TooManyOpenFiles => LoadError::TooManyOpenFiles { store, limit: OpenFilesLimit::Process },
        _ => LoadError::Storage { store, message, file },
    }
}
