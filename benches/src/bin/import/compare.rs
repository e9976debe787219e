//! Whether both sides made the same: every store's tables, and every row of them.

use std::{collections::BTreeMap, error::Error, path::Path};

use rusqlite::{Connection, types::Value};

type Rows = Vec<Vec<Value>>;

/// Compares all stores of two data dirs; returns how many there are.
pub(crate) fn same(larder: &Path, hand: &Path) -> Result<u64, Box<dyn Error>> {
    let (left, right) = (stores(larder)?, stores(hand)?);
    if !left.keys().eq(right.keys()) {
        return Err(format!("larder has {} stores, the hand-written side {}", left.len(), right.len()).into());
    }
    for ((store, left), right) in left.iter().zip(right.values()) {
        let (left, right) = (content(&larder.join("stores").join(left))?, content(&hand.join("stores").join(right))?);
        if left != right {
            return Err(format!("store {store:?} differs:\nlarder {left:#?}\nby hand {right:#?}").into());
        }
    }
    Ok(left.len() as u64)
}

/// File by definition and id.
fn stores(folder: &Path) -> Result<BTreeMap<(String, String), String>, Box<dyn Error>> {
    let catalog = Connection::open(folder.join("catalog.db"))?;
    let mut statement = catalog.prepare("SELECT definition, id, file FROM stores")?;
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a file holds: each table's text, and its rows without what is random (ids, checksums).
fn content(file: &Path) -> Result<BTreeMap<String, Rows>, Box<dyn Error>> {
    let connection = Connection::open(file)?;
    let mut tables = BTreeMap::new();
    let mut schema = connection.prepare("SELECT type, name, sql FROM sqlite_schema")?;
    let found = schema.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (kind, name, sql) in found.collect::<Result<Vec<(String, String, Option<String>)>, _>>()? {
        let text: String = sql.unwrap_or_default().split_whitespace().collect();
        let columns = match name.as_str() {
            _ if kind != "table" => None,
            "larder_events" => Some("place, ordinal, generation, name, args, author, length(id), length(checksum)"),
            "larder_meta" => Some("key, typeof(value)"),
            "larder_authors" => Some("author"),
            _ => Some("*"),
        };
        let rows = columns.map(|columns| rows(&connection, &name, columns)).transpose()?.unwrap_or_default();
        tables.insert(format!("{kind} {name} {text}"), rows);
    }
    Ok(tables)
}

fn rows(connection: &Connection, table: &str, columns: &str) -> rusqlite::Result<Rows> {
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM \"{table}\" ORDER BY 1"))?;
    let count = statement.column_count();
    let rows = statement.query_map([], |row| (0..count).map(|column| row.get(column)).collect())?;
    rows.collect()
}
