//! The same by hand on `rusqlite`: the same pragmas, the same log row and table row, cached statements, the same durability. The
//! checksum of a log row is not computed, its bytes are there.

use std::path::Path;

use larder::Uuid;
use rusqlite::{Connection, OpenFlags, OptionalExtension, config::DbConfig, params};
use serde::{Deserialize, Serialize};

use crate::{
    app::{Issue, Status, content},
    measure::Outcome,
};

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
) STRICT;";

const TABLES: &str = "
CREATE TABLE issues (
    number INTEGER PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    status TEXT NOT NULL,
    assignee TEXT,
    opened_at INTEGER NOT NULL
) STRICT;";

const APPEND: &str = "INSERT INTO larder_events (place, ordinal, generation, name, args, author, id, checksum) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const INSERT: &str = "INSERT INTO issues (number, title, status, assignee, opened_at) VALUES (?, ?, ?, ?, ?)";

/// The event's arguments.
#[derive(Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) assignee: Option<String>,
    pub(crate) at: i64,
}

impl Opened {
    pub(crate) fn of(number: i64) -> Self {
        let (title, assignee, at) = content(number);
        Self { number, title, assignee, at }
    }
}

/// A file or memory, open.
pub(crate) struct Hand {
    pub(crate) connection: Connection,
    ordinal: i64,
    nonce: u128,
}

impl Hand {
    /// Opens a file; a new one gets its tables in one transaction.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        Self::set_up(connection)
    }

    fn set_up(connection: Connection) -> Outcome<Self> {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;
             PRAGMA recursive_triggers = ON",
        )?;
        connection.set_prepared_statement_cache_capacity(32);
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            connection.execute_batch(&format!("BEGIN IMMEDIATE; {LOG} {TABLES} COMMIT"))?;
        }
        let last = "SELECT ordinal FROM larder_events ORDER BY place DESC LIMIT 1";
        let ordinal = connection.query_row(last, [], |row| row.get(0)).optional()?.unwrap_or(0);
        Ok(Self { connection, ordinal, nonce: Uuid::new_v4().as_u128() })
    }

    /// Leaves checkpoints to whoever measures.
    pub(crate) fn without_checkpoints(self) -> Outcome<Self> {
        self.connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
        Ok(self)
    }

    /// How many events there are.
    pub(crate) fn events(&self) -> i64 {
        self.ordinal
    }

    /// Appends events and their rows in one transaction.
    pub(crate) fn commit(&mut self, events: &[Opened]) -> Outcome<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for event in events {
            let args = serde_json::to_string(event)?;
            self.append("v1.IssueOpened", &args)?;
            insert(&self.connection, event)?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// The log row.
    pub(crate) fn append(&mut self, name: &str, args: &str) -> rusqlite::Result<()> {
        self.ordinal += 1;
        let id = self.nonce.wrapping_add(self.ordinal.unsigned_abs().into()).to_be_bytes();
        let row = params![self.ordinal << 24, self.ordinal, 0, name, args, 1, id, [0_u8; 16]];
        self.connection.prepare_cached(APPEND)?.execute(row).map(drop)
    }

    /// One row by its key.
    pub(crate) fn by_key(&self, number: i64) -> Outcome<Option<Issue>> {
        let sql = "SELECT number, title, status, assignee, opened_at FROM issues WHERE number = ?";
        let found = self.connection.prepare_cached(sql)?.query_row([number], |row| {
            let open = row.get_ref(2)?.as_str()? == "Open";
            Ok(Issue {
                number: row.get(0)?,
                title: row.get(1)?,
                status: if open { Status::Open } else { Status::Closed },
                assignee: row.get(3)?,
                opened_at: row.get(4)?,
            })
        });
        Ok(found.optional()?)
    }

    /// Makes the tables anew from the log: reads the rows, decodes them with serde_json, inserts, all in one transaction.
    pub(crate) fn rebuild(&mut self) -> Outcome<()> {
        self.connection.execute_batch(&format!("BEGIN IMMEDIATE; DROP TABLE issues; {TABLES}"))?;
        {
            let mut log = self.connection.prepare("SELECT name, args FROM larder_events ORDER BY place")?;
            let mut rows = log.query([])?;
            while let Some(row) = rows.next()? {
                if row.get_ref(0)?.as_str()? != "v1.IssueOpened" {
                    return Err("an event of another kind".into());
                }
                insert(&self.connection, &serde_json::from_str(row.get_ref(1)?.as_str()?)?)?;
            }
        }
        self.connection.execute_batch("COMMIT")?;
        Ok(())
    }

    /// Moves the `-wal` into the file.
    pub(crate) fn checkpoint(&self) -> Outcome<()> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Closes the file: everything into it, nothing left beside it.
    pub(crate) fn close(self) -> Outcome<()> {
        self.checkpoint()?;
        self.connection.close().map_err(|(_, error)| error.into())
    }
}

/// The table row.
pub(crate) fn insert(connection: &Connection, event: &Opened) -> rusqlite::Result<()> {
    let Opened { number, title, assignee, at } = event;
    connection.prepare_cached(INSERT)?.execute(params![number, title, "Open", assignee, at]).map(drop)
}
