//! What an expression yields: tried on tables with some rows and without.
//!
//! SQLite tells nothing of an expression's type. A `NULL` or a storage class that a query did yield it can yield, so a row type that
//! cannot take it is wrong; what was not seen is not forbidden, and shows when the query runs.

use rusqlite::{ToSql, types::Value};

use super::{
    Database, Storage, TableShape,
    database::{Reads, quote},
    parameters::Parameter,
    samples::{ROWS, Samples},
    words::Word,
};

/// What a column of the result was.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// `NULL`, whatever the unknown types are.
    pub(super) null: bool,
    /// `NULL`, if the unknown types are some certain ones. Of a column that is no expression this is enough: no type of a column makes
    /// it `NULL`, a join does.
    pub(super) null_once: bool,
    /// Seen whatever the unknown types are.
    pub(super) storages: Vec<Storage>,
}

/// What the tables hold.
#[derive(Clone, Copy)]
enum Content {
    Nothing,
    Only(usize),
    All,
    /// All that may be `NULL` is.
    AllNull,
    /// Some of what may be `NULL` is, in each row something else.
    SomeNull,
}

/// Tables that are filled one by one; of more than that only all.
const TABLES: usize = 8;

/// What a type of the app may be.
const UNKNOWN: [Storage; 4] = [Storage::Text, Storage::Integer, Storage::Real, Storage::Blob];

/// A query to try.
pub(super) struct Trial<'a> {
    pub(super) sql: &'a str,
    pub(super) words: &'a [Word],
    pub(super) parameters: &'a [Parameter],
    pub(super) reads: &'a Reads,
    /// How many columns its result has.
    pub(super) columns: usize,
}

impl Database {
    /// Runs the query on several contents. Columns of an unknown type are of each class once: what all of them showed is certain.
    pub(super) fn observe(&self, trial: &Trial<'_>) -> Vec<Observed> {
        let is_read = |table: &&TableShape| trial.reads.iter().any(|(read, _)| read.eq_ignore_ascii_case(&table.name));
        let tables: Vec<&TableShape> = self.tables.iter().filter(is_read).collect();
        let columns = tables.iter().flat_map(|table| &table.columns).map(|column| column.storage);
        let parameters = trial.parameters.iter().map(|parameter| Storage::of(&parameter.ty).0);
        let all_known = columns.chain(parameters).all(|storage| storage != Storage::Unknown);
        let unknown = if all_known { &UNKNOWN[..1] } else { &UNKNOWN };
        let seen = unknown.iter().map(|unknown| {
            let samples = Samples::new(trial.words, *unknown);
            let mut observed = vec![Observed::default(); trial.columns];
            let alone = (0..tables.len().min(TABLES)).map(Content::Only);
            let contents = alone.chain([Content::Nothing, Content::All, Content::AllNull, Content::SomeNull]);
            for (content, round) in
                contents.flat_map(|content| (0..samples.rounds()).map(move |round| (content, round)))
            {
                let filled = self.fill(&tables, content, round, &samples);
                // A run that fails shows nothing.
                let _ = filled.and_then(|()| self.run(trial, &samples, &mut observed));
            }
            observed
        });
        let both =
            |all: Vec<Observed>, one: Vec<Observed>| all.into_iter().zip(one).map(|(all, one)| all.and(one)).collect();
        seen.reduce(both).unwrap_or_default()
    }

    fn fill(&self, tables: &[&TableShape], content: Content, round: usize, samples: &Samples) -> rusqlite::Result<()> {
        for (at, table) in tables.iter().enumerate() {
            self.sqlite.execute(&format!("DELETE FROM {}", quote(&table.name)), [])?;
            let filled = match content {
                Content::Nothing => false,
                Content::Only(only) => only == at,
                Content::All | Content::AllNull | Content::SomeNull => true,
            };
            if filled {
                self.insert(at, table, (content, round), samples)?;
            }
        }
        Ok(())
    }

    fn insert(
        &self,
        at: usize,
        table: &TableShape,
        (content, round): (Content, usize),
        samples: &Samples,
    ) -> rusqlite::Result<()> {
        let marks = vec!["?"; table.columns.len()].join(", ");
        // The same text may stand in two rows of a key.
        let sql = format!("INSERT OR IGNORE INTO {} VALUES ({marks})", quote(&table.name));
        let mut statement = self.sqlite.prepare(&sql)?;
        for row in 0..ROWS {
            let value = |(place, column): (usize, &super::shape::ColumnShape)| {
                let null = match content {
                    Content::AllNull => true,
                    Content::SomeNull => Samples::odd(at, place, row),
                    _ => false,
                };
                match (null && column.nullable, table.key.contains(&place)) {
                    (true, _) => Value::Null,
                    (false, true) => samples.value(column.storage, row),
                    (false, false) => samples.mixed(column.storage, round, (at, place, row)),
                }
            };
            let values: Vec<Value> = table.columns.iter().enumerate().map(value).collect();
            statement.execute(rusqlite::params_from_iter(values))?;
        }
        Ok(())
    }

    fn run(&self, trial: &Trial<'_>, samples: &Samples, observed: &mut [Observed]) -> rusqlite::Result<()> {
        let value = |parameter: &Parameter| {
            let name = format!(":{}", syn::ext::IdentExt::unraw(&parameter.name));
            (name, samples.value(Storage::of(&parameter.ty).0, 0))
        };
        let values: Vec<(String, Value)> = trial.parameters.iter().map(value).collect();
        let bound: Vec<(&str, &dyn ToSql)> =
            values.iter().map(|(name, value)| (name.as_str(), value as &dyn ToSql)).collect();
        let mut statement = self.sqlite.prepare(trial.sql)?;
        let mut rows = statement.query(bound.as_slice())?;
        while let Some(row) = rows.next()? {
            for (at, observed) in observed.iter_mut().enumerate() {
                observed.see(&row.get::<_, Value>(at)?);
            }
        }
        Ok(())
    }
}

impl Observed {
    fn see(&mut self, value: &Value) {
        let storage = match value {
            Value::Null => {
                (self.null, self.null_once) = (true, true);
                return;
            }
            Value::Integer(_) => Storage::Integer,
            Value::Real(_) => Storage::Real,
            Value::Text(_) => Storage::Text,
            Value::Blob(_) => Storage::Blob,
        };
        if !self.storages.contains(&storage) {
            self.storages.push(storage);
        }
    }

    /// What is certain after two trials.
    fn and(self, other: Self) -> Self {
        Self {
            null: self.null && other.null,
            null_once: self.null_once || other.null_once,
            storages: self.storages.into_iter().filter(|storage| other.storages.contains(storage)).collect(),
        }
    }
}
