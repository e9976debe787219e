//! What an expression yields: tried on tables with some rows and without.
//!
//! SQLite tells nothing of an expression's type. A `NULL` or a storage class that a query did yield it can yield, so a row type that
//! cannot take it is wrong; what was not seen is not forbidden, and shows when the query runs.

use rusqlite::{ToSql, types::Value};

use super::{
    Database, Storage, TableShape,
    database::quote,
    parameters::Parameter,
    words::{Kind, Word},
};

/// What a column of the result was.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    pub(super) null: bool,
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
}

/// Tables that are filled one by one; of more than that only all.
const TABLES: usize = 8;
const ROWS: usize = 3;

impl Database {
    /// Runs the query on several contents. Columns of an unknown type are text once and numbers once: only what both showed counts.
    pub(super) fn observe(&self, sql: &str, words: &[Word], parameters: &[Parameter], columns: usize) -> Vec<Observed> {
        let mut texts: Vec<String> =
            words.iter().filter(|word| word.kind == Kind::Text).map(|word| word.text.clone()).collect();
        texts.extend(["a", "b", "c"].map(str::to_owned));
        let [as_text, as_number] = [Storage::Text, Storage::Integer].map(|unknown| {
            let samples = Samples { texts: &texts, unknown };
            let mut observed = vec![Observed::default(); columns];
            let alone = (0..self.tables.len().min(TABLES)).map(Content::Only);
            for content in alone.chain([Content::Nothing, Content::All, Content::AllNull]) {
                // A run that fails shows nothing.
                let _ = self.fill(content, &samples).and_then(|()| self.run(sql, parameters, &samples, &mut observed));
            }
            observed
        });
        let both = |(text, number): (Observed, Observed)| Observed {
            null: text.null && number.null,
            storages: text.storages.into_iter().filter(|storage| number.storages.contains(storage)).collect(),
        };
        as_text.into_iter().zip(as_number).map(both).collect()
    }

    fn fill(&self, content: Content, samples: &Samples<'_>) -> rusqlite::Result<()> {
        for (at, table) in self.tables.iter().enumerate() {
            self.sqlite.execute(&format!("DELETE FROM {}", quote(&table.name)), [])?;
            let (filled, null) = match content {
                Content::Nothing => (false, false),
                Content::Only(only) => (only == at, false),
                Content::All => (true, false),
                Content::AllNull => (true, true),
            };
            for row in 0..if filled { ROWS } else { 0 } {
                self.insert(table, row, null, samples)?;
            }
        }
        Ok(())
    }

    fn insert(&self, table: &TableShape, row: usize, null: bool, samples: &Samples<'_>) -> rusqlite::Result<()> {
        let value = |column: &super::shape::ColumnShape| {
            if null && column.nullable { Value::Null } else { samples.value(column.storage, row) }
        };
        let values: Vec<Value> = table.columns.iter().map(value).collect();
        let marks = vec!["?"; values.len()].join(", ");
        // The same text may stand in two rows of a key.
        let sql = format!("INSERT OR IGNORE INTO {} VALUES ({marks})", quote(&table.name));
        self.sqlite.execute(&sql, rusqlite::params_from_iter(values)).map(drop)
    }

    fn run(
        &self,
        sql: &str,
        parameters: &[Parameter],
        samples: &Samples<'_>,
        observed: &mut [Observed],
    ) -> rusqlite::Result<()> {
        let values: Vec<(String, Value)> = parameters
            .iter()
            .map(|parameter| {
                let name = format!(":{}", syn::ext::IdentExt::unraw(&parameter.name));
                (name, samples.value(Storage::of(&parameter.ty).0, 0))
            })
            .collect();
        let bound: Vec<(&str, &dyn ToSql)> =
            values.iter().map(|(name, value)| (name.as_str(), value as &dyn ToSql)).collect();
        let mut statement = self.sqlite.prepare(sql)?;
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
                self.null = true;
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
}

/// The values that rows and parameters have.
struct Samples<'a> {
    /// Texts that stand in the query come first: filters by them let rows through.
    texts: &'a [String],
    /// What a column of an unknown type is.
    unknown: Storage,
}

impl Samples<'_> {
    fn value(&self, storage: Storage, row: usize) -> Value {
        let number = i64::try_from(row).unwrap_or(0) + 1;
        match storage {
            Storage::Integer => Value::Integer(number),
            Storage::Real => Value::Real(0.5 + number as f64),
            Storage::Text => Value::Text(self.texts[row % self.texts.len()].clone()),
            Storage::Blob => Value::Blob(vec![row as u8]),
            // The unknown is never unknown itself.
            Storage::Unknown if self.unknown == Storage::Text => self.value(Storage::Text, row),
            Storage::Unknown => Value::Integer(number),
        }
    }
}
