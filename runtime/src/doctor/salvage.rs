//! Reading around damage: from the front, from the back, and from ever smaller gaps between.

use std::{collections::HashMap, io};

use crate::{
    event::EventNumber,
    query::RowRef,
    storage::{
        eventlog::{AuthorDigest, ChainKey, Checksum, Link, author_digest, number_at, sixteen},
        sqlite::{Connection, SqliteError},
    },
    value::ValueRef,
};

/// A gap of fewer places is not searched: it lies between two events that follow each other.
const ONE_EVENT: i64 = 1 << 24;

/// How far behind the last readable event is searched when nothing can be read from the end.
const BEYOND: i64 = 1 << 44;

/// Seeks into gaps, all in all. Each costs a few pages; with so many the events between thousands of damaged pages are found.
const SEEKS: u32 = 8_192;

/// A row of a log that may be damaged.
pub(super) struct Salvaged {
    pub(super) number: EventNumber,
    pub(super) name: String,
    pub(super) args: Option<String>,
    pub(super) author: Option<(String, String)>,
    pub(super) id: Option<u128>,
    ordinal: u64,
    checksum: Option<Checksum>,
    /// Of the row before, where that could be read.
    before: Option<Checksum>,
}

impl Salvaged {
    /// Whether the checksum fits the row and the one before.
    pub(super) fn is_sound(&self, key: &ChainKey) -> bool {
        let (Some(before), Some(checksum), Some((client, session))) = (self.before, self.checksum, &self.author) else {
            return false;
        };
        let author: AuthorDigest = author_digest(&client.as_str().into(), &session.as_str().into());
        let link = Link {
            number: self.number,
            ordinal: self.ordinal,
            name: &self.name,
            args: self.args.as_deref(),
            author: &author,
            id: self.id.map(crate::event::EventId),
        };
        key.checksum(&before, &link, &mut Vec::new()) == checksum
    }
}

/// What is done with each row.
type Each<'a> = dyn FnMut(Salvaged) -> io::Result<()> + 'a;

/// Calls `each` for every row that can be read, in order, and answers what cannot: the places before and after each gap.
pub(super) fn salvage(
    connection: &mut Connection,
    each: &mut Each<'_>,
) -> io::Result<Vec<(EventNumber, Option<EventNumber>)>> {
    let mut reading = Reading {
        authors: authors(connection),
        connection,
        each,
        last: Last::origin(),
        chained: 0,
        gaps: Vec::new(),
        seeks: SEEKS,
    };
    reading.range(0, i64::MAX)?;
    let gaps = std::mem::take(&mut reading.gaps);
    let number = |place| number_at(place, 0);
    Ok(gaps.into_iter().map(|(from, to)| (number(from).unwrap_or(EventNumber::ZERO), number(to))).collect())
}

struct Reading<'a, 'b> {
    connection: &'a mut Connection,
    authors: HashMap<i64, (String, String)>,
    each: &'a mut Each<'b>,
    last: Last,
    /// The highest ordinal of a row that followed the one before. Damaged pages may show rows once more.
    chained: u64,
    gaps: Vec<(i64, i64)>,
    seeks: u32,
}

/// The last row that was read.
struct Last {
    ordinal: u64,
    checksum: Option<Checksum>,
}

impl Last {
    fn origin() -> Self {
        Self { ordinal: 0, checksum: Some([0; 16]) }
    }
}

enum Stopped {
    Sqlite,
    Io(io::Error),
}

impl From<SqliteError> for Stopped {
    fn from(_: SqliteError) -> Self {
        Self::Sqlite
    }
}

impl Reading<'_, '_> {
    /// All readable rows with `after < place < before`.
    fn range(&mut self, mut after: i64, before: i64) -> io::Result<()> {
        while let Some(reached) = self.forward(after, before)? {
            if self.seeks == 0 {
                self.gaps.push((reached, before.min(reached.saturating_add(BEYOND))));
                break;
            }
            self.seeks -= 1;
            // The first readable place from the far end: everything between is damaged, or lies between two damaged pages.
            let resumed = self.first_readable_from_the_end(reached, before);
            // A row can be read on the way back and not on the way there: then it is in the gap, or this would never end.
            let found = resumed < before;
            let resumed = if found && resumed - 1 == after { resumed + 1 } else { resumed };
            let known = self.gaps.len();
            self.gap(reached, resumed.min(reached.saturating_add(BEYOND)))?;
            self.merge(known);
            if !found {
                break;
            }
            self.last.checksum = None;
            after = resumed - 1;
        }
        Ok(())
    }

    /// What can be read inside a gap, found by seeking into ever smaller halves of it.
    fn gap(&mut self, after: i64, before: i64) -> io::Result<()> {
        if before.saturating_sub(after) <= ONE_EVENT || self.seeks == 0 {
            self.gaps.push((after, before));
            return Ok(());
        }
        self.seeks -= 1;
        let middle = after + (before - after) / 2;
        let sql = "SELECT place FROM larder_events WHERE place > ? AND place < ? ORDER BY place LIMIT 1";
        match self.connection.integer(sql, &[ValueRef::Integer(middle), ValueRef::Integer(before)]) {
            Ok(None) => self.gap(after, middle),
            Ok(Some(place)) if middle < place && place < before => {
                self.gap(after, middle)?;
                self.last.checksum = None;
                self.range(place - 1, before)
            }
            // Rows of a damaged page may stand where their places do not belong.
            Ok(Some(_)) | Err(_) => {
                self.gap(after, middle)?;
                self.gap(middle, before)
            }
        }
    }

    /// Gaps that touch are one.
    fn merge(&mut self, from: usize) {
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (start, end) in self.gaps.drain(from..) {
            match merged.last_mut() {
                Some((_, last)) if start <= last.saturating_add(1) => *last = end.max(*last),
                _ => merged.push((start, end)),
            }
        }
        self.gaps.extend(merged);
    }

    /// Reads on until a page cannot be read; the last place that could, or `None` at the end. Whatever places damaged rows have, what comes
    /// out lies in the range.
    fn forward(&mut self, after: i64, before: i64) -> io::Result<Option<i64>> {
        let sql = "SELECT place, ordinal, generation, name, args, author, id, checksum FROM larder_events \
                   WHERE place > ? AND place < ? ORDER BY place";
        let mut reached = after;
        let params = [ValueRef::Integer(after), ValueRef::Integer(before)];
        let (authors, each, last, chained) = (&self.authors, &mut *self.each, &mut self.last, &mut self.chained);
        let read = self.connection.each_row(sql, &params, |row| {
            let found = salvaged(row, authors, last, *chained);
            let follows = found.as_ref().is_some_and(|found| found.before.is_some());
            if let ValueRef::Integer(place) = row.value(0)
                && (reached + 1..before).contains(&place)
                && (follows || place - reached <= BEYOND)
            {
                reached = place;
            }
            let Some(salvaged) = found else { return Ok(true) };
            if follows {
                *chained = salvaged.ordinal;
            }
            *last = Last { ordinal: salvaged.ordinal, checksum: salvaged.checksum };
            each(salvaged).map(|()| true).map_err(Stopped::Io)
        });
        match read {
            Ok(()) => Ok(None),
            Err(Stopped::Sqlite) => Ok(Some(reached)),
            Err(Stopped::Io(error)) => Err(error),
        }
    }

    /// The lowest place that a read from the far end reaches, or `before`.
    fn first_readable_from_the_end(&mut self, after: i64, before: i64) -> i64 {
        let sql = "SELECT place FROM larder_events WHERE place > ? AND place < ? ORDER BY place DESC";
        let mut lowest = before;
        let params = [ValueRef::Integer(after), ValueRef::Integer(before)];
        // It ends with the damage that is being looked for.
        let _ = self.connection.each_row(sql, &params, |row| {
            if let ValueRef::Integer(place) = row.value(0)
                && (after + 1..lowest).contains(&place)
            {
                lowest = place;
            }
            Ok::<_, SqliteError>(true)
        });
        lowest
    }
}

fn salvaged(row: &RowRef<'_>, authors: &HashMap<i64, (String, String)>, last: &Last, chained: u64) -> Option<Salvaged> {
    let integer = |at| match row.value(at) {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    };
    let generation = integer(2).and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    let number = number_at(integer(0)?, generation)?;
    let ordinal = integer(1).and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    Some(Salvaged {
        number,
        name: text(row.value(3)).unwrap_or_default(),
        args: text(row.value(4)),
        author: integer(5).and_then(|author| authors.get(&author).cloned()),
        id: sixteen(row.value(6)).map(u128::from_be_bytes),
        ordinal,
        checksum: sixteen(row.value(7)),
        before: last.checksum.filter(|_| Some(ordinal) == last.ordinal.checked_add(1) && ordinal > chained),
    })
}

/// Text, or what is left of it.
fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Text(text) => Some(text.to_owned()),
        ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

fn authors(connection: &mut Connection) -> HashMap<i64, (String, String)> {
    let mut authors = HashMap::new();
    // Without the authors the events still have names and arguments.
    let _ = connection.each_row("SELECT author, client_id, session_id FROM larder_authors", &[], |row| {
        if let (ValueRef::Integer(author), Some(client), Some(session)) =
            (row.value(0), text(row.value(1)), text(row.value(2)))
        {
            authors.insert(author, (client, session));
        }
        Ok::<_, SqliteError>(true)
    });
    authors
}
