//! Reading the log in order, every row checked against the one before.

use std::{collections::HashMap, ops::Range, sync::Arc};

use super::{
    Appended, AuthorDigest, ChainKey, Checksum, LogHead, author_digest,
    chain::Link,
    insert,
    place::{number_at, place_of},
    sixteen,
};
use crate::{
    event::{ClientId, EventContext, EventId, EventNumber, SessionId, StoredEvent},
    query::RowRef,
    storage::sqlite::{Connection, SqliteError, SqliteErrorKind},
    value::ValueRef,
};

/// A batch ends after so many bytes of text, whatever number of rows was asked for.
const BATCH_BYTES: usize = 1 << 20;

/// Why the log cannot be read.
#[derive(Debug)]
pub(crate) enum LogError {
    /// SQLite failed.
    Sqlite(SqliteError),
    /// A row does not check.
    Damaged {
        /// The row, or the first number after the last row that checks.
        number: EventNumber,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<SqliteError> for LogError {
    fn from(error: SqliteError) -> Self {
        Self::Sqlite(error.of_stored())
    }
}

impl LogError {
    /// Whether the log itself is damaged, as against a passing failure.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Sqlite(error) => matches!(error.kind, SqliteErrorKind::Corrupt | SqliteErrorKind::NotADatabase),
        }
    }
}

impl std::fmt::Display for LogError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(error) => write!(formatter, "{error}"),
            Self::Damaged { number, reason } => write!(formatter, "event {number}: {reason}"),
        }
    }
}

/// Reads a log from a place on.
pub(crate) struct LogCursor {
    key: ChainKey,
    head: LogHead,
    authors: HashMap<i64, Arc<Author>>,
    page: LogPage,
    scratch: Vec<u8>,
}

struct Author {
    client: ClientId,
    session: SessionId,
    digest: AuthorDigest,
}

/// Checked rows in order; their text stands in one buffer, so that a page makes no allocation per row.
#[derive(Default)]
pub(crate) struct LogPage {
    text: String,
    rows: Vec<Raw>,
}

struct Raw {
    number: EventNumber,
    ordinal: u64,
    name: Range<usize>,
    args: Option<Range<usize>>,
    author: i64,
    /// Who that is, once it was looked up.
    by: Option<Arc<Author>>,
    id: Option<EventId>,
    checksum: Checksum,
}

/// One checked row.
#[derive(Clone, Copy)]
pub(crate) struct LogRow<'a> {
    pub(crate) number: EventNumber,
    pub(crate) name: &'a str,
    pub(crate) args: Option<&'a str>,
    pub(crate) client: &'a ClientId,
    pub(crate) session: &'a SessionId,
    pub(crate) id: Option<EventId>,
}

impl LogRow<'_> {
    pub(crate) fn context(&self) -> EventContext {
        EventContext::new(self.number, self.client.clone(), self.session.clone())
    }

    pub(crate) fn to_stored(self) -> StoredEvent {
        StoredEvent {
            number: self.number,
            name: self.name.to_owned(),
            args: self.args.map(str::to_owned),
            client_id: self.client.clone(),
            session_id: self.session.clone(),
            id: self.id,
        }
    }
}

impl LogCursor {
    /// A cursor on the first row after `place`; 0 for the first of all.
    pub(crate) fn after(connection: &mut Connection, key: ChainKey, place: i64) -> Result<Self, LogError> {
        let sql = "SELECT place, generation, ordinal, checksum FROM larder_events WHERE place <= ? ORDER BY place DESC LIMIT 1";
        let found = connection.row(sql, &[ValueRef::Integer(place)], |row| {
            let number = generation(row.value(1)).and_then(|generation| number_at(integer(row.value(0))?, generation));
            let head = number.zip(ordinal(row.value(2))).zip(sixteen(row.value(3)));
            Ok::<_, LogError>(head.map(|((number, ordinal), checksum)| LogHead { number, ordinal, checksum }))
        })?;
        let head = match found {
            None => LogHead::EMPTY,
            Some(Some(head)) => head,
            Some(None) => {
                return Err(damaged(number_at(place, 0).unwrap_or(EventNumber::ZERO), "it has no valid place"));
            }
        };
        Ok(Self::at(key, head))
    }

    /// A cursor that continues after a known row.
    pub(crate) fn at(key: ChainKey, head: LogHead) -> Self {
        let (authors, page, scratch) = Default::default();
        Self { key, head, authors, page, scratch }
    }

    /// The last row that was read and checked.
    pub(crate) fn head(&self) -> LogHead {
        self.head
    }

    /// Reads and checks at most `rows` further rows; how many there are now, 0 at the end of the log.
    pub(crate) fn read(&mut self, connection: &mut Connection, rows: usize) -> Result<usize, LogError> {
        self.page.fill(connection, place_of(self.head.number), rows)?;
        self.load_authors(connection)?;
        self.check()?;
        Ok(self.page.rows.len())
    }

    /// The same, and the rows are the caller's; none at the end of the log.
    pub(crate) fn read_page(&mut self, connection: &mut Connection, rows: usize) -> Result<LogPage, LogError> {
        self.read(connection, rows)?;
        Ok(std::mem::take(&mut self.page))
    }

    /// The rows of the last [`read`](Self::read).
    pub(crate) fn rows(&self) -> impl Iterator<Item = LogRow<'_>> + Clone {
        self.page.rows()
    }

    fn load_authors(&mut self, connection: &mut Connection) -> Result<(), LogError> {
        for row in &mut self.page.rows {
            if let Some(author) = self.authors.get(&row.author) {
                row.by = Some(Arc::clone(author));
                continue;
            }
            let sql = "SELECT client_id, session_id FROM larder_authors WHERE author = ?";
            let found = connection.row(sql, &[ValueRef::Integer(row.author)], |row| {
                Ok::<_, LogError>(text(row.value(0)).map(ClientId::from).zip(text(row.value(1)).map(SessionId::from)))
            })?;
            let Some((client, session)) = found.flatten() else {
                return Err(damaged(row.number, "its author is missing"));
            };
            let digest = author_digest(&client, &session);
            let author = Arc::new(Author { client, session, digest });
            self.authors.insert(row.author, Arc::clone(&author));
            row.by = Some(author);
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), LogError> {
        for row in &self.page.rows {
            if row.ordinal != self.head.ordinal + 1 {
                let reason = format!("it is row {} of the log, after row {}", row.ordinal, self.head.ordinal);
                return Err(damaged(row.number, &reason));
            }
            let digest = row.by.as_ref().map_or([0; 16], |author| author.digest);
            let link = Link {
                number: row.number,
                ordinal: row.ordinal,
                name: &self.page.text[row.name.clone()],
                args: row.args.clone().map(|args| &self.page.text[args]),
                author: &digest,
                id: row.id,
            };
            let checksum = self.key.checksum(&self.head.checksum, &link, &mut self.scratch);
            if checksum != row.checksum {
                return Err(damaged(row.number, "its checksum does not fit its content and the row before"));
            }
            self.head = LogHead { number: row.number, ordinal: row.ordinal, checksum };
        }
        Ok(())
    }
}

impl LogPage {
    /// Whether the log was at its end.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = LogRow<'_>> + Clone {
        self.rows.iter().filter_map(|row| {
            let author = row.by.as_ref()?;
            Some(LogRow {
                number: row.number,
                name: &self.text[row.name.clone()],
                args: row.args.clone().map(|args| &self.text[args]),
                client: &author.client,
                session: &author.session,
                id: row.id,
            })
        })
    }

    /// Writes the rows, as they are, into the log of another file.
    pub(crate) fn copy_to(&self, to: &mut Connection) -> Result<(), LogError> {
        for row in &self.rows {
            let head = LogHead { number: row.number, ordinal: row.ordinal, checksum: row.checksum };
            let name = &self.text[row.name.clone()];
            let args = row.args.clone().map(|args| &self.text[args]);
            insert(to, &head, row.author, Appended { number: row.number, name, args, id: row.id })?;
        }
        Ok(())
    }

    fn fill(&mut self, connection: &mut Connection, after: i64, rows: usize) -> Result<(), LogError> {
        self.text.clear();
        self.rows.clear();
        let sql = "SELECT place, ordinal, generation, name, args, author, id, checksum FROM larder_events \
                   WHERE place > ? ORDER BY place LIMIT ?";
        let params = [ValueRef::Integer(after), ValueRef::Integer(i64::try_from(rows).unwrap_or(i64::MAX))];
        connection.each_row(sql, &params, |row| {
            self.push(row)?;
            Ok::<_, LogError>(self.text.len() < BATCH_BYTES)
        })
    }

    fn push(&mut self, row: &RowRef<'_>) -> Result<(), LogError> {
        let place = integer(row.value(0)).unwrap_or_default();
        let generation = generation(row.value(2));
        let Some(number) = generation.and_then(|generation| number_at(place, generation)) else {
            return Err(damaged(number_at(place, 0).unwrap_or(EventNumber::ZERO), "its place is not valid"));
        };
        let wrong = |what: &str| damaged(number, &format!("its {what} is not of the right kind"));
        let name = self.keep(text(row.value(3)).ok_or_else(|| wrong("name"))?);
        let args = match row.value(4) {
            ValueRef::Null => None,
            other => Some(self.keep(text(other).ok_or_else(|| wrong("text"))?)),
        };
        let id = match row.value(6) {
            ValueRef::Null => None,
            other => Some(EventId(u128::from_be_bytes(sixteen(other).ok_or_else(|| wrong("id"))?))),
        };
        self.rows.push(Raw {
            number,
            ordinal: ordinal(row.value(1)).ok_or_else(|| wrong("ordinal"))?,
            name,
            args,
            author: integer(row.value(5)).ok_or_else(|| wrong("author"))?,
            by: None,
            id,
            checksum: sixteen(row.value(7)).ok_or_else(|| wrong("checksum"))?,
        });
        Ok(())
    }

    fn keep(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}

fn damaged(number: EventNumber, reason: &str) -> LogError {
    LogError::Damaged { number, reason: reason.to_owned() }
}

fn integer(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    }
}

fn ordinal(value: ValueRef<'_>) -> Option<u64> {
    u64::try_from(integer(value)?).ok()
}

fn generation(value: ValueRef<'_>) -> Option<u32> {
    u32::try_from(integer(value)?).ok()
}

fn text(value: ValueRef<'_>) -> Option<&str> {
    match value {
        ValueRef::Text(text) => Some(text),
        _ => None,
    }
}
