//! The eventlog: the ordered events of one store, each row chained to the one before by a checksum.

use crate::{
    event::{ClientId, EventId, EventNumber, SessionId},
    storage::sqlite::{Connection, SqliteError},
    value::{Value, ValueRef},
};

mod aside;
mod chain;
mod cursor;
mod place;

pub(crate) use aside::Aside;
pub(crate) use chain::{AuthorDigest, ChainKey, Checksum, Link, author_digest};
pub(crate) use cursor::{LogCursor, LogError, LogPage, LogRow};
pub(crate) use place::{following, last_of, number_at, place_of};

/// The tables of the eventlog.
pub(crate) const DDL: &str = "
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
";

const INSERT: &str = "INSERT INTO larder_events (place, ordinal, generation, name, args, author, id, checksum) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/// The end of the log: what the next row follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogHead {
    /// The last event's number.
    pub(crate) number: EventNumber,
    /// How many events there are.
    pub(crate) ordinal: u64,
    /// The last row's checksum.
    pub(crate) checksum: Checksum,
}

impl LogHead {
    /// The head of an empty log.
    pub(crate) const EMPTY: Self = Self { number: EventNumber::ZERO, ordinal: 0, checksum: chain::ORIGIN };

    /// The head of a log, its last row checked. A few seeks, however long the log is.
    pub(crate) fn load(connection: &mut Connection, key: &ChainKey) -> Result<Self, LogError> {
        check_first_place(connection)?;
        let sql = "SELECT place FROM larder_events ORDER BY place DESC LIMIT 1 OFFSET 1";
        let before = connection.integer(sql, &[])?.unwrap_or(0);
        let mut cursor = LogCursor::after(connection, key.clone(), before)?;
        cursor.read(connection, 2)?;
        let head = cursor.head();
        // Rows of a damaged page may stand where their places do not belong: then what is read from the front ends too early.
        let last = connection.integer("SELECT place FROM larder_events ORDER BY place DESC LIMIT 1", &[])?.unwrap_or(0);
        if last != place::place_of(head.number) {
            let reason = "it is not the last one, whose place is damaged".to_owned();
            return Err(LogError::Damaged { number: head.number, reason });
        }
        Ok(head)
    }

    /// Refuses a log that ends before the last of so many events: all its rows check, and the last ones are not among them.
    pub(crate) fn check_events(&self, events: u64) -> Result<(), LogError> {
        if self.ordinal >= events {
            return Ok(());
        }
        let reason = format!("it is the last one that is there, the {} after it are missing", events - self.ordinal);
        Err(LogError::Damaged { number: self.number, reason })
    }
}

/// Refuses a row before the first place there is: every read begins there and would pass over it.
pub(crate) fn check_first_place(connection: &mut Connection) -> Result<(), LogError> {
    match connection.integer("SELECT place FROM larder_events ORDER BY place LIMIT 1", &[])? {
        Some(place) if place <= 0 => {
            let reason = "a row stands before the first place of the log".to_owned();
            Err(LogError::Damaged { number: EventNumber::ZERO, reason })
        }
        _ => Ok(()),
    }
}

/// Who commits, as rows of the log name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuthorRow {
    pub(crate) author: i64,
    pub(crate) digest: AuthorDigest,
}

impl AuthorRow {
    /// The row of a client and session, made if it is missing.
    pub(crate) fn ensure(
        connection: &mut Connection,
        client: &ClientId,
        session: &SessionId,
    ) -> Result<Self, SqliteError> {
        let params = [ValueRef::Text(client.as_str()), ValueRef::Text(session.as_str())];
        let select = "SELECT author FROM larder_authors WHERE client_id = ? AND session_id = ?";
        let author = match connection.integer(select, &params)? {
            Some(author) => author,
            None => {
                let insert = "INSERT INTO larder_authors (client_id, session_id) VALUES (?, ?) RETURNING author";
                connection.integer(insert, &params)?.unwrap_or_default()
            }
        };
        Ok(Self { author, digest: author_digest(client, session) })
    }
}

/// One event to append.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended<'a> {
    pub(crate) number: EventNumber,
    pub(crate) name: &'a str,
    pub(crate) args: Option<&'a str>,
    pub(crate) id: Option<EventId>,
}

/// Appends a row and gives the new head.
pub(crate) fn append(
    connection: &mut Connection,
    key: &ChainKey,
    head: &LogHead,
    author: &AuthorRow,
    event: Appended<'_>,
    scratch: &mut Vec<u8>,
) -> Result<LogHead, SqliteError> {
    let ordinal = head.ordinal + 1;
    let Appended { number, name, args, id } = event;
    let link = Link { number, ordinal, name, args, author: &author.digest, id };
    let checksum = key.checksum(&head.checksum, &link, scratch);
    let head = LogHead { number, ordinal, checksum };
    insert(connection, &head, author.author, event)?;
    Ok(head)
}

/// Writes the row that makes `head` the head.
fn insert(connection: &mut Connection, head: &LogHead, author: i64, event: Appended<'_>) -> Result<(), SqliteError> {
    let id = event.id.map(|id| id.0.to_be_bytes());
    let params = [
        ValueRef::Integer(place_of(head.number)),
        ValueRef::Integer(i64::try_from(head.ordinal).unwrap_or(i64::MAX)),
        ValueRef::Integer(i64::from(head.number.generation())),
        ValueRef::Text(event.name),
        event.args.map_or(ValueRef::Null, ValueRef::Text),
        ValueRef::Integer(author),
        id.as_ref().map_or(ValueRef::Null, |id| ValueRef::Blob(id)),
        ValueRef::Blob(&head.checksum),
    ];
    connection.execute(INSERT, &params).map(drop)
}

/// Copies all authors, under the same numbers.
pub(crate) fn copy_authors(from: &mut Connection, to: &mut Connection) -> Result<(), SqliteError> {
    from.each_row("SELECT author, client_id, session_id FROM larder_authors", &[], |row| {
        let sql = "INSERT INTO larder_authors (author, client_id, session_id) VALUES (?, ?, ?)";
        to.execute(sql, &[row.value(0), row.value(1), row.value(2)])?;
        Ok(true)
    })
}

/// The 16 bytes of a value.
pub(crate) fn sixteen(value: ValueRef<'_>) -> Option<[u8; 16]> {
    match value {
        ValueRef::Blob(bytes) => bytes.try_into().ok(),
        _ => None,
    }
}

/// The 16 bytes of an owned value.
pub(crate) fn sixteen_of(value: Option<&Value>) -> Option<[u8; 16]> {
    sixteen(value?.as_ref())
}
