//! Copies of a log, and a log from a copy.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{
    place::{Place, has_bytes, sync_folder},
    schema::{self, Number, inaccessible, new_identity, open_log, open_reader},
};
use crate::storage::StorageError;

/// Copies the log of a data directory into a new file, while a server runs on it or not. The copy is one state of all stores.
///
/// # Errors
/// [`StorageError::Open`]: there is no log, or the file is there already or cannot be written.
pub fn backup(data: &Path, to: &Path) -> Result<(), StorageError> {
    let log = data.join("log.sqlite");
    let connection = open_reader(&log).map_err(|error| schema::opening(&log, &error))?;
    let path = to.to_str().ok_or_else(|| StorageError::Open("the backup's name is not UTF-8".to_owned()))?;
    let file = schema::create(to).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => StorageError::Open(format!("{} is there already; give a new name", to.display())),
        _ => inaccessible(to, &error),
    })?;
    let copied = copy(&connection, path).and_then(|()| file.sync_all().map_err(|error| inaccessible(to, &error)));
    if copied.is_err() {
        // It is ours, and no backup.
        let _ = fs::remove_file(to);
    }
    copied
}

/// Fills an empty file with a copy.
fn copy(connection: &Connection, to: &str) -> Result<(), StorageError> {
    let failed = |error: rusqlite::Error| StorageError::Open(format!("{to}: {error}"));
    connection.execute_batch("PRAGMA query_only = OFF").map_err(failed)?;
    connection.execute("VACUUM INTO ?1", [to]).map_err(failed)?;
    // Whoever copies it back by hand has a log that went back, and no number says so.
    let copy = Connection::open(to).map_err(failed)?;
    copy.execute("UPDATE server SET value = 'copy' WHERE name = 'generation'", []).map_err(failed)?;
    copy.close().map_err(|(_, error)| failed(error))
}

/// What [`restore`] has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The new identity.
    pub identity: String,
    /// How many stores the log has.
    pub stores: u64,
    /// How many events they have together.
    pub events: u64,
    /// Where the log is that was there before, if it was replaced.
    pub replaced: Option<PathBuf>,
}

/// Gives the log of a data directory a new identity; first replaces it by a backup, if one is named. No server may run on it.
///
/// Clients that have seen the old identity notice the new one, and do what their app says: start anew, or stop and say so. Without a new
/// identity they would wait for ever for events that the restored log does not have.
///
/// # Errors
/// [`StorageError`]: a server is running, or the backup is none or damaged. Then everything is as it was. If the disk fails, the log of before
/// is under its own name or under the name that [`Restored::replaced`] would have: `log.sqlite.replaced-0`, or the next number that is free.
pub fn restore(data: &Path, from: Option<&Path>) -> Result<Restored, StorageError> {
    let place = Place::lock(data)?;
    let generation = place.generation().ok().flatten().unwrap_or(0) + 1;
    let replaced = from.map(|from| replace(&place, data, from)).transpose()?.flatten();
    let log = place.log();
    if !schema::is_made(&log)? {
        return Err(StorageError::Open(format!("{} has no log; name a backup with `--from`", data.display())));
    }
    let mut connection = open_log(&log)?;
    check(&connection, &log)?;
    let identity = new_identity();
    place.write(&mut connection, generation, Some(identity.clone()))?;
    let count = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get(0))
            .map(|Number(count)| count)
            .map_err(|error| schema::opening(&log, &error))
    };
    let stores = count("SELECT count(*) FROM stores")?;
    let events = count("SELECT coalesce(sum(head), 0) FROM stores")?;
    Ok(Restored { identity, stores, events, replaced })
}

/// Puts a checked copy of a backup into the log's place. The old log stays beside it.
fn replace(place: &Place, data: &Path, from: &Path) -> Result<Option<PathBuf>, StorageError> {
    let failed = |error: std::io::Error| StorageError::Open(format!("{}: {error}", data.display()));
    let (log, new) = (place.log(), data.join("log.sqlite.new"));
    for ending in ["", "-wal", "-shm"] {
        remove(&with_ending(&new, ending)).map_err(failed)?;
    }
    copy_file(from, &new)?;
    // Of a log that was copied as files, the last events stand beside it.
    let beside = with_ending(from, "-wal");
    if has_bytes(&beside) {
        copy_file(&beside, &with_ending(&new, "-wal"))?;
    }
    if !schema::is_made(&new)? {
        return Err(StorageError::Open(format!("{} is empty, and no backup; name another one", from.display())));
    }
    let connection = open_log(&new)?;
    check(&connection, from)?;
    connection.execute_batch("PRAGMA journal_mode = DELETE").map_err(|error| schema::opening(&new, &error))?;
    connection.close().map_err(|(_, error)| schema::opening(&new, &error))?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
    let parts = || ["-wal", "-shm", ""].map(|ending| (ending, with_ending(&log, ending)));
    let aside = (0..).map(|number| data.join(format!("log.sqlite.replaced-{number}"))).find(|path| !path.exists());
    // Without the file, what stands beside it would be taken for the backup's.
    let aside = aside.filter(|_| parts().iter().any(|(_, part)| part.exists()));
    if let Some(aside) = &aside {
        put_into_one_file(&log);
        // What belongs to a file first: a new log must not find it, and a server does not start without the file.
        for (ending, old) in parts() {
            if old.exists() {
                fs::rename(old, with_ending(aside, ending)).map_err(failed)?;
            }
        }
    }
    fs::rename(&new, &log).map_err(failed)?;
    sync_folder(data).map_err(failed)?;
    Ok(aside)
}

fn copy_file(from: &Path, to: &Path) -> Result<(), StorageError> {
    let mut into = schema::create(to).map_err(|error| inaccessible(to, &error))?;
    let copied = File::open(from).and_then(|mut from| io::copy(&mut from, &mut into));
    copied.map(drop).map_err(|error| inaccessible(from, &error))
}

/// Moves what stands beside a log into it, so that a single file is renamed. A damaged one goes aside as it is; so does an empty one, beside which
/// SQLite would remove what is there.
fn put_into_one_file(log: &Path) {
    if !has_bytes(log) {
        return;
    }
    let moved = open_log(log).and_then(|connection| {
        let moved = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        moved.map_err(|error| schema::opening(log, &error))
    });
    if let Err(error) = moved {
        tracing::debug!(%error, "the log of before goes aside as it is");
    }
}

fn check(connection: &Connection, path: &Path) -> Result<(), StorageError> {
    let said: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| schema::opening(path, &error))?;
    let Number(holes) = connection
        .query_row(
            "SELECT count(*) FROM stores WHERE head != (SELECT count(*) FROM events WHERE store = stores.number)",
            [],
            |row| row.get(0),
        )
        .map_err(|error| schema::opening(path, &error))?;
    match (said.as_str(), holes) {
        ("ok", 0) => Ok(()),
        ("ok", _) => Err(StorageError::Damaged(format!("{holes} stores of {} lack events", path.display()))),
        _ => Err(StorageError::Damaged(format!("{}: {said}", path.display()))),
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
