//! Tables that are damaged below SQL: the log is copied into a new file, the tables are built there, and the new file takes the
//! place of the old one.

use std::{fs, io, path::Path};

use super::{
    Migration, MigrationsReport, OpenRequest, RebuildReason,
    open::{Opened, Stop, create_with, identify, log_error, set_up_writer, sqlite_error},
    rebuild::{call_back, finish as finish_rebuild, observe, replay_error},
    replay::{Log, Replayed, replay},
    seal::Seal,
    timed::Timed,
};
use crate::{
    error::LoadError,
    storage::{
        change_records,
        eventlog::{self, ChainKey, LogCursor, LogHead, LogPage},
        folder::{self, remove_if_there},
        lock::{Lock, Marker, MarkerState, beside},
        meta::{self, Meta},
        quarantine,
        sqlite::{Access, Checkpoint, Connection, Place},
    },
    telemetry,
};

/// The file that is built beside the old one.
const NEW: &str = ".new";

/// Builds the tables anew from the log, in a new file, and opens it.
pub(super) fn replace_tables(request: &OpenRequest, path: &Path, seal: &mut Seal) -> Result<Opened, LoadError> {
    let new = beside(path, NEW);
    discard_new(path).map_err(|error| super::files::io(request, &new, &error))?;
    let epoch = (seal.latest() + 1).next_multiple_of(2);
    let report = build(request, path, &new, epoch)?;
    let lock = seal.lock();
    let swapped = sync_file(&new)
        .and_then(|()| lock.mark(Marker { state: MarkerState::Replacing, suspect: false, epoch }))
        .and_then(|()| lock.sync())
        .and_then(|()| finish(path, lock));
    swapped.map_err(|error| super::files::io(request, path, &error))?;
    let failed = |error| sqlite_error(request, error);
    let access = Access::Writer { create: false, durability: request.options.durability };
    let mut connection = Connection::open(&request.place, access).map_err(failed)?;
    set_up_writer(&mut connection).map_err(failed)?;
    let (meta, key, head) = identify(request, path, &mut connection)?;
    seal.note_events(head.ordinal);
    seal.fits(meta.epoch, 0, &mut connection).map_err(failed)?;
    call_back(request, &mut connection, &key)?;
    Ok(Opened { connection, meta, key, head, report })
}

/// Removes what a rebuild of the store in `path` has left.
pub(crate) fn discard_new(path: &Path) -> io::Result<()> {
    let new = beside(path, NEW);
    ["", "-wal", "-shm"].iter().try_for_each(|ending| remove_if_there(&beside(&new, ending)))
}

/// Puts a finished new file in its place, or removes an unfinished one.
pub(super) fn finish(path: &Path, lock: &mut Lock) -> io::Result<()> {
    let new = beside(path, NEW);
    if lock.marker().state != MarkerState::Replacing {
        return discard_new(path);
    }
    if new.exists() {
        // The old file's `-wal` must not meet the new file. All that was in it is in the new file.
        remove_if_there(&beside(path, "-wal"))?;
        remove_if_there(&beside(path, "-shm"))?;
        fs::rename(&new, path)?;
        folder::sync(folder::of(path))?;
    }
    lock.mark(Marker { state: MarkerState::Closed, ..lock.marker() })
}

fn build(request: &OpenRequest, path: &Path, new: &Path, epoch: u64) -> Result<MigrationsReport, LoadError> {
    let span = Timed::new(telemetry::rebuild(&request.name), &request.runtime);
    let _entered = span.enter();
    let failed = |error| sqlite_error(request, error);
    let open = |place: &Place, create| {
        Connection::open(place, Access::Writer { create, durability: request.options.durability }).map_err(failed)
    };
    let mut old = open(&request.place, false)?;
    // The old file stays as it is until the new one is complete.
    old.keep_wal_at_close(true).map_err(failed)?;
    let (meta, key, head) = identify(request, path, &mut old)?;
    let mut target = open(&Place::File(new.to_owned()), true)?;
    create_with(request, &mut target, &Meta { epoch, events: head.ordinal, ..meta.clone() })?;
    let done = copy(request, (&mut old, &mut target), &meta, &key, &head).map_err(|stop| match stop {
        Stop::Load(error) => error,
        Stop::TablesDamaged => super::open::corrupt(request, "its tables cannot be built anew"),
    })?;
    target.checkpoint(Checkpoint::Truncate).map_err(failed)?;
    target.close().map_err(failed)?;
    old.close().map_err(failed)?;
    span.record("events", done.events());
    span.record("failed", done.failed);
    let migration = Migration::Rebuilt(RebuildReason::Damaged);
    Ok(MigrationsReport {
        applied: done.applied,
        failed: done.failed,
        unknown: done.unknown_events(),
        ..MigrationsReport::new(migration, request.model.fingerprint())
    })
}

fn copy(
    request: &OpenRequest,
    (log, tables): (&mut Connection, &mut Connection),
    meta: &Meta,
    key: &ChainKey,
    head: &LogHead,
) -> Result<Replayed, Stop> {
    let failed = |error| Stop::Load(sqlite_error(request, error));
    tables.batch("BEGIN IMMEDIATE").map_err(failed)?;
    eventlog::copy_authors(log, tables).map_err(failed)?;
    quarantine::copy(log, tables).map_err(failed)?;
    if let Some(backend) = &meta.backend {
        meta::put_backend(tables, backend).map_err(failed)?;
        meta::put_sync_metadata(tables, meta.sync_metadata.as_deref()).map_err(failed)?;
    }
    let watch = |done: &Replayed, page: &LogPage, tables: &mut Connection| {
        page.copy_to(tables).map_err(|error| log_error(request, error))?;
        observe(request, done, head.ordinal)
    };
    let cursor = LogCursor::at(key.clone(), LogHead::EMPTY);
    change_records::set_up(tables, request.options.sync.is_some()).map_err(failed)?;
    let keeper = request.keeper(key, meta.confirmed);
    let replayed = replay(&request.model, tables, Log::Apart(log), cursor, keeper, watch);
    let done = replayed.map_err(|error| replay_error(request, error))?;
    finish_rebuild(request, tables, &done, meta.confirmed)?;
    meta::put_confirmed(tables, meta.confirmed).map_err(failed)?;
    tables.batch("COMMIT").map_err(failed)?;
    Ok(done)
}

fn sync_file(path: &Path) -> io::Result<()> {
    fs::File::options().write(true).open(path)?.sync_all()
}
