//! One store's file, written by hand: what a careful author would write for this one purpose.

use std::{
    error::Error,
    fs::{self, File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use larder::Uuid;
use rusqlite::{Connection, OpenFlags, OptionalExtension, config::DbConfig, params};

/// The tables of every store.
const LOG: &str = "
CREATE TABLE larder_events (
    place INTEGER PRIMARY KEY,
    ordinal INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    name TEXT NOT NULL,
    args TEXT,
    author INTEGER NOT NULL,
    id BLOB,
    checksum BLOB NOT NULL
) STRICT;
CREATE TABLE larder_authors (
    author INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    UNIQUE (client_id, session_id)
) STRICT;
CREATE TABLE larder_failed (place INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
CREATE TABLE larder_unknown (name TEXT PRIMARY KEY, place INTEGER NOT NULL, events INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE larder_meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA application_id = 1818325604; PRAGMA user_version = 1;
";

/// Who commits.
pub(crate) struct Author {
    pub(crate) client: String,
    pub(crate) session: String,
}

/// An open store.
pub(crate) struct Store {
    pub(crate) connection: Connection,
    lock: File,
    key: [u8; 32],
    ordinal: u64,
    checksum: [u8; 16],
    author: i64,
    author_digest: [u8; 16],
    nonce: u128,
}

impl Store {
    /// Opens the file of a store, or makes it with its tables in one transaction.
    pub(crate) fn open(
        path: &Path,
        definition: &str,
        id: &str,
        tables: &str,
        author: &Author,
    ) -> Result<Self, Box<dyn Error>> {
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.with_extension("db.lock"))?;
        lock.try_lock()?;
        mark(&mut lock, "open")?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
        connection
            .execute_batch("PRAGMA cache_size = -64; PRAGMA temp_store = MEMORY; PRAGMA recursive_triggers = ON")?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA synchronous = NORMAL")?;
        connection.set_prepared_statement_cache_capacity(32);
        let new = connection.query_row("PRAGMA application_id", [], |row| row.get::<_, i64>(0))? == 0;
        if new {
            create(&connection, definition, id, tables)?;
        }
        let file_id: [u8; 16] =
            connection.query_row("SELECT value FROM larder_meta WHERE key = 'file_id'", [], |row| row.get(0))?;
        let author_row = author_row(&connection, author)?;
        let last = "SELECT ordinal, checksum FROM larder_events ORDER BY place DESC LIMIT 1";
        let head = connection.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (ordinal, checksum): (i64, [u8; 16]) = head.unwrap_or_default();
        Ok(Self {
            key: key(&file_id, definition, id),
            ordinal: u64::try_from(ordinal)?,
            checksum,
            author: author_row,
            author_digest: digest(author),
            nonce: Uuid::new_v4().as_u128(),
            connection,
            lock,
        })
    }

    /// The place that the next event gets.
    pub(crate) fn next(&self) -> u64 {
        self.ordinal + 1
    }

    /// Appends one event and runs `rows`, in one transaction.
    pub(crate) fn commit(
        &mut self,
        name: &str,
        args: &str,
        rows: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), Box<dyn Error>> {
        let ordinal = self.next();
        let id = self.nonce.wrapping_add(u128::from(ordinal));
        let checksum = self.chain(ordinal, name, args, id);
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.connection
            .prepare_cached("INSERT INTO larder_events (place, ordinal, generation, name, args, author, id, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?
            .execute(params![(ordinal << 24) as i64, ordinal as i64, 0, name, args, self.author, id.to_be_bytes(), checksum])?;
        rows(&self.connection)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        (self.ordinal, self.checksum) = (ordinal, checksum);
        Ok(())
    }

    fn chain(&self, ordinal: u64, name: &str, args: &str, id: u128) -> [u8; 16] {
        let mut bytes = Vec::with_capacity(128 + name.len() + args.len());
        bytes.extend_from_slice(&self.checksum);
        bytes.extend_from_slice(&ordinal.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&ordinal.to_le_bytes());
        bytes.extend_from_slice(&self.author_digest);
        bytes.push(1);
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(1);
        bytes.extend_from_slice(args.as_bytes());
        sixteen(&blake3::keyed_hash(&self.key, &bytes))
    }

    /// Closes the file: everything into it, nothing left beside it.
    pub(crate) fn close(mut self) -> Result<(), Box<dyn Error>> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.connection.close().map_err(|(_, error)| error)?;
        mark(&mut self.lock, "closed")?;
        Ok(())
    }
}

fn create(connection: &Connection, definition: &str, id: &str, tables: &str) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(LOG)?;
    connection.execute_batch(tables)?;
    let mut put = connection.prepare("INSERT INTO larder_meta (key, value) VALUES (?, ?)")?;
    put.execute(params!["definition", definition])?;
    put.execute(params!["store_id", id])?;
    put.execute(params!["file_id", Uuid::new_v4().as_bytes()])?;
    put.execute(params!["fingerprint", sixteen(&blake3::hash(tables.as_bytes()))])?;
    put.execute(params!["epoch", 1])?;
    put.execute(params!["events", 0])?;
    put.execute(params!["schema", sixteen(&blake3::hash(b"the rows of sqlite_schema"))])?;
    connection.execute_batch("COMMIT")
}

fn author_row(connection: &Connection, author: &Author) -> rusqlite::Result<i64> {
    let known = "SELECT author FROM larder_authors WHERE client_id = ? AND session_id = ?";
    let known = connection.prepare_cached(known)?.query_row([&author.client, &author.session], |row| row.get(0));
    match known.optional()? {
        Some(author) => Ok(author),
        None => {
            let insert = "INSERT INTO larder_authors (client_id, session_id) VALUES (?, ?) RETURNING author";
            connection.query_row(insert, [&author.client, &author.session], |row| row.get(0))
        }
    }
}

fn mark(lock: &mut File, state: &str) -> std::io::Result<()> {
    lock.seek(SeekFrom::Start(0))?;
    let text = format!("larder 1 pid {} {state} sound", std::process::id());
    lock.write_all(format!("{text:<63}\n").as_bytes())
}

fn key(file_id: &[u8; 16], definition: &str, id: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("larder eventlog chain 1");
    hasher.update(file_id);
    for text in [definition, id] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

fn digest(author: &Author) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(author.client.len() as u64).to_le_bytes());
    hasher.update(author.client.as_bytes());
    hasher.update(author.session.as_bytes());
    sixteen(&hasher.finalize())
}

fn sixteen(hash: &blake3::Hash) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    bytes
}

/// The catalog of a data dir: which store is in which file.
pub(crate) fn catalog(folder: &Path) -> Result<Connection, Box<dyn Error>> {
    fs::create_dir_all(folder.join("stores/workspace"))?;
    fs::create_dir_all(folder.join("stores/issue"))?;
    let connection = Connection::open(folder.join("catalog.db"))?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         CREATE TABLE IF NOT EXISTS stores (
             definition TEXT NOT NULL, id TEXT NOT NULL, file TEXT NOT NULL, unsent INTEGER, PRIMARY KEY (definition, id)
         ) STRICT, WITHOUT ROWID;",
    )?;
    Ok(connection)
}
