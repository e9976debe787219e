//! The same by hand: after every commit each query runs again.

use std::path::Path;

use rusqlite::{Connection, params};

use super::app::{Entry, State};
use crate::{hand::Hand, measure::Outcome};

const TABLE: &str = "
CREATE TABLE entries (
    number INTEGER PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX entries_state_at ON entries (state, at);";

/// A file, open.
pub(crate) struct Entries {
    hand: Hand,
}

impl Entries {
    /// A file with so many rows, `apart` seconds from each other.
    pub(crate) fn new(path: &Path, rows: i64, apart: i64) -> Outcome<Self> {
        let hand = Hand::open(path)?;
        hand.connection.execute_batch(TABLE)?;
        hand.connection.execute_batch("BEGIN IMMEDIATE")?;
        for number in 0..rows {
            let row = params![number, format!("entry {number}"), "Open", number * apart];
            hand.connection.prepare_cached("INSERT INTO entries VALUES (?, ?, ?, ?)")?.execute(row)?;
        }
        hand.connection.execute_batch("COMMIT")?;
        Ok(Self { hand })
    }

    /// An event and its row.
    pub(crate) fn rename(&mut self, number: i64, title: &str) -> Outcome<()> {
        let args = serde_json::json!({ "number": number, "title": title }).to_string();
        self.commit("v1.EntryRenamed", &args, |sqlite| {
            let mut update = sqlite.prepare_cached("UPDATE entries SET title = ? WHERE number = ?")?;
            update.execute(params![title, number])
        })
    }

    /// An event and its row.
    pub(crate) fn move_to(&mut self, number: i64, at: i64) -> Outcome<()> {
        let args = serde_json::json!({ "number": number, "at": at }).to_string();
        self.commit("v1.EntryMoved", &args, |sqlite| {
            sqlite.prepare_cached("UPDATE entries SET at = ? WHERE number = ?")?.execute(params![at, number])
        })
    }

    fn commit(
        &mut self,
        name: &str,
        args: &str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Outcome<()> {
        self.hand.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.hand.append(name, args)?;
        if change(&self.hand.connection)? != 1 {
            return Err("a row is missing".into());
        }
        self.hand.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// A row by its key.
    pub(crate) fn by_key(&self, number: i64) -> Outcome<Entry> {
        let sql = "SELECT number, title, state, at FROM entries WHERE number = ?";
        Ok(self.hand.connection.prepare_cached(sql)?.query_row([number], entry)?)
    }

    /// The first rows.
    pub(crate) fn first(&self, shown: u32) -> Outcome<Vec<Entry>> {
        let sql = "SELECT number, title, state, at FROM entries WHERE state = ? ORDER BY at DESC LIMIT ?";
        let mut select = self.hand.connection.prepare_cached(sql)?;
        let rows = select.query_map(params!["Open", shown], entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let state = if row.get_ref(2)?.as_str()? == "Open" { State::Open } else { State::Closed };
    Ok(Entry { number: row.get(0)?, title: row.get(1)?, state, at: row.get(3)? })
}
