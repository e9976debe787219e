//! What a store's file says of itself: format, definition, store id, file id, fingerprint of its tables.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::eventlog::sixteen_of;
use crate::{
    id::StoreId,
    schema::Fingerprint,
    storage::sqlite::{Connection, SqliteError},
    value::{Value, ValueRef},
};

/// The format of the file: the tables `larder_*`. A file with a higher one is left alone.
pub(crate) const FORMAT: i64 = 1;

/// `lard`: what `file` and SQLite's tools know larder's files by.
pub(crate) const APPLICATION_ID: i64 = 0x6c61_7264;

const DDL: &str = "CREATE TABLE larder_meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;";

/// What a store's file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) definition: String,
    pub(crate) store_id: String,
    /// 128 random bits, made with the file.
    pub(crate) file_id: [u8; 16],
    /// Of the schema whose tables the file has.
    pub(crate) fingerprint: Fingerprint,
    /// The last number in the agreed order that the sync backend has confirmed.
    pub(crate) confirmed: u64,
    /// Counts up with every opening that writes and with every clean close of one: odd from the first write to the close. The
    /// first transaction of a `-wal` has it, which tells whose and of when a `-wal` is.
    pub(crate) epoch: u64,
    /// How many events the log had when the epoch was written: there are never fewer.
    pub(crate) events: u64,
    /// What [`schema_hash`] was when the tables were made.
    pub(crate) schema: Option<[u8; 16]>,
    /// The id of the backend's log that the confirmed events are of, once it is known.
    pub(crate) backend: Option<String>,
    /// What the backend wants to be told with the next pull.
    pub(crate) sync_metadata: Option<String>,
}

/// What kind of database a connection has opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is in it.
    Empty,
    /// A store's file of this format.
    Store(i64),
    /// Another program's.
    Foreign,
}

/// The beginning of a file, read without SQLite.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// There is no file.
    Missing,
    /// It has no bytes.
    Empty,
    /// It is an SQLite database; numbers as of the last checkpoint.
    Sqlite { application_id: i64, format: i64, wal: bool },
    /// It is one page of zeros: power was lost before the first page that SQLite wrote was on disk.
    Blank,
    /// It is something else.
    Other,
}

/// Bytes of SQLite's first page.
const PAGE_BYTES: u64 = 4_096;

/// Reads the beginning of a file that no connection of this process has open (closing it would drop SQLite's locks).
pub(crate) fn read_header(path: &Path) -> io::Result<Header> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Header::Missing),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::with_capacity(100);
    file.by_ref().take(100).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(Header::Empty);
    }
    if bytes.len() < 100 || !bytes.starts_with(b"SQLite format 3\0") {
        file.take(PAGE_BYTES).read_to_end(&mut bytes)?;
        let is_blank = bytes.len() as u64 <= PAGE_BYTES && bytes.iter().all(|byte| *byte == 0);
        return Ok(if is_blank { Header::Blank } else { Header::Other });
    }
    let number = |at: usize| i64::from(u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    Ok(Header::Sqlite { application_id: number(68), format: number(60), wal: bytes[18] == 2 && bytes[19] == 2 })
}

/// What kind of database this is.
pub(crate) fn kind(connection: &mut Connection) -> Result<Kind, SqliteError> {
    let application_id = connection.integer("PRAGMA application_id", &[])?.unwrap_or(0);
    if application_id == APPLICATION_ID {
        return Ok(Kind::Store(connection.integer("PRAGMA user_version", &[])?.unwrap_or(0)));
    }
    let objects = connection.integer("SELECT count(*) FROM sqlite_schema", &[])?.unwrap_or(0);
    Ok(if application_id == 0 && objects == 0 { Kind::Empty } else { Kind::Foreign })
}

impl Meta {
    /// What a new file says; its file id is new.
    pub(crate) fn new(definition: &str, store: &StoreId, fingerprint: Fingerprint, epoch: u64) -> Self {
        Self {
            definition: definition.to_owned(),
            store_id: store.as_str().to_owned(),
            file_id: *uuid::Uuid::new_v4().as_bytes(),
            fingerprint,
            confirmed: 0,
            epoch,
            events: 0,
            schema: None,
            backend: None,
            sync_metadata: None,
        }
    }

    /// Makes the table and writes all of it, inside the transaction that makes the file's other tables.
    pub(crate) fn create(&self, connection: &mut Connection) -> Result<(), SqliteError> {
        connection
            .batch(&format!("{DDL} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"))?;
        put(connection, "definition", ValueRef::Text(&self.definition))?;
        put(connection, "store_id", ValueRef::Text(&self.store_id))?;
        put(connection, "file_id", ValueRef::Blob(&self.file_id))?;
        put_fingerprint(connection, self.fingerprint)?;
        put_epoch(connection, self.epoch, self.events)
    }

    /// Reads all of it; `None` when a part is missing or of the wrong kind.
    pub(crate) fn load(connection: &mut Connection) -> Result<Option<Self>, SqliteError> {
        let mut found: [Option<Value>; 10] = Default::default();
        connection.each_row("SELECT key, value FROM larder_meta", &[], |row| {
            let slot = match row.value(0) {
                ValueRef::Text("definition") => 0,
                ValueRef::Text("store_id") => 1,
                ValueRef::Text("file_id") => 2,
                ValueRef::Text("fingerprint") => 3,
                ValueRef::Text("confirmed") => 4,
                ValueRef::Text("epoch") => 5,
                ValueRef::Text("schema") => 6,
                ValueRef::Text("events") => 7,
                ValueRef::Text("backend") => 8,
                ValueRef::Text("sync_metadata") => 9,
                _ => return Ok::<_, SqliteError>(true),
            };
            found[slot] = Some(row.value(1).to_owned());
            Ok(true)
        })?;
        let file_id = sixteen_of(found[2].as_ref());
        let fingerprint = sixteen_of(found[3].as_ref()).map(Fingerprint::from_bytes);
        let number = |slot: usize| match found[slot] {
            Some(Value::Integer(number)) => u64::try_from(number).unwrap_or(0),
            _ => 0,
        };
        let (confirmed, epoch, events) = (number(4), number(5), number(7));
        let schema = sixteen_of(found[6].as_ref());
        let [definition, store_id, .., backend, sync_metadata] = found;
        let text = |value| match value {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        let (backend, sync_metadata) = (text(backend), text(sync_metadata));
        let (definition, store_id) = (text(definition), text(store_id));
        let known = definition.zip(store_id).zip(file_id.zip(fingerprint));
        Ok(known.map(|((definition, store_id), (file_id, fingerprint))| Self {
            definition,
            store_id,
            file_id,
            fingerprint,
            confirmed,
            epoch,
            events,
            schema,
            backend,
            sync_metadata,
        }))
    }
}

/// Writes whose tables the file has now.
pub(crate) fn put_fingerprint(connection: &mut Connection, fingerprint: Fingerprint) -> Result<(), SqliteError> {
    put(connection, "fingerprint", ValueRef::Blob(fingerprint.as_bytes()))
}

/// Writes up to which number the sync backend has confirmed.
pub(crate) fn put_confirmed(connection: &mut Connection, global: u64) -> Result<(), SqliteError> {
    put(connection, "confirmed", ValueRef::Integer(i64::try_from(global).unwrap_or(i64::MAX)))
}

/// Up to which number the sync backend has confirmed.
#[cfg(feature = "testing")]
pub(crate) fn confirmed(connection: &mut Connection) -> Result<u64, SqliteError> {
    let confirmed = connection.integer("SELECT value FROM larder_meta WHERE key = 'confirmed'", &[])?;
    Ok(confirmed.and_then(|confirmed| u64::try_from(confirmed).ok()).unwrap_or(0))
}

/// Writes the identity of the backend's log.
pub(crate) fn put_backend(connection: &mut Connection, identity: &str) -> Result<(), SqliteError> {
    put(connection, "backend", ValueRef::Text(identity))
}

/// Writes what the backend wants to be told with the next pull, or that there is nothing.
pub(crate) fn put_sync_metadata(connection: &mut Connection, metadata: Option<&str>) -> Result<(), SqliteError> {
    match metadata {
        Some(metadata) => put(connection, "sync_metadata", ValueRef::Text(metadata)),
        None => connection.execute("DELETE FROM larder_meta WHERE key = 'sync_metadata'", &[]).map(drop),
    }
}

/// Writes what tables, indexes and triggers the file has, all of them made by larder just now.
pub(crate) fn put_schema(connection: &mut Connection) -> Result<(), SqliteError> {
    let hash = schema_hash(connection)?;
    put(connection, "schema", ValueRef::Blob(&hash))
}

/// The hash of all tables, indexes, triggers and views that SQLite has in the file, but for the statistics of `ANALYZE`.
pub(crate) fn schema_hash(connection: &mut Connection) -> Result<[u8; 16], SqliteError> {
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name";
    let mut hasher = blake3::Hasher::new();
    connection.each_row(sql, &[], |row| {
        for column in 0..4 {
            let text = match row.value(column) {
                ValueRef::Text(text) => text,
                _ => "",
            };
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        Ok::<_, SqliteError>(true)
    })?;
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Ok(hash)
}

/// Writes the file's epoch, and how many events its log has, in one statement: at a close it is a transaction of its own.
pub(crate) fn put_epoch(connection: &mut Connection, epoch: u64, events: u64) -> Result<(), SqliteError> {
    let sql = "INSERT INTO larder_meta (key, value) VALUES ('epoch', ?), ('events', ?) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    let number = |number: u64| ValueRef::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    connection.execute(sql, &[number(epoch), number(events)]).map(drop)
}

fn put(connection: &mut Connection, key: &str, value: ValueRef<'_>) -> Result<(), SqliteError> {
    let sql =
        "INSERT INTO larder_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.execute(sql, &[ValueRef::Text(key), value]).map(drop)
}
