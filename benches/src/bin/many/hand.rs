//! The same question by hand: each file opened with `rusqlite`, its rows merged in Rust.

use std::{error::Error, path::PathBuf};

use rusqlite::{Connection, OpenFlags};

/// How many of the newest comments of all files there are, at most 20.
pub(super) fn newest(files: &[PathBuf]) -> Result<usize, Box<dyn Error>> {
    let mut all: Vec<(i64, String, String)> = Vec::new();
    for file in files {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(format!("file:{}?immutable=1", file.display()), flags)?;
        let sql = "SELECT at, author, body FROM activities WHERE kind = 'Commented' ORDER BY at DESC LIMIT 20";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        all.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    all.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    all.truncate(20);
    Ok(all.len())
}
