//! Which pages of a store's file belong to what: its b-trees, followed from their roots by the file format's description.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, OpenFlags};

/// Bytes of a page.
pub(super) const PAGE: usize = 4_096;

/// The pages of the log, of the app's tables, of their indexes, and of what larder notes of the file. Page 1 is in the last.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    pub(super) log: Vec<usize>,
    pub(super) tables: Vec<usize>,
    pub(super) indexes: Vec<usize>,
    pub(super) notes: Vec<usize>,
    pub(super) all: Vec<usize>,
}

impl Pages {
    /// Of a file that is sound and closed.
    pub(super) fn of(file: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let name = format!("file:{}?immutable=1", file.display());
        let sqlite = Connection::open_with_flags(name, flags).expect("an SQLite file");
        let mut select = sqlite.prepare("SELECT type, name, rootpage FROM sqlite_schema").expect("a schema");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("its rows");
        let roots: Vec<(String, String, u32)> = rows.map(|row| row.expect("a row")).collect();
        let bytes = std::fs::read(file).expect("the file");
        let mut pages = Self { notes: vec![1], all: (1..=bytes.len() / PAGE).collect(), ..Self::default() };
        for (kind, name, root) in roots {
            let own = match (kind.as_str(), name.as_str()) {
                (_, "larder_events") => &mut pages.log,
                (_, name) if name.contains("larder_") => &mut pages.notes,
                ("index", _) => &mut pages.indexes,
                _ => &mut pages.tables,
            };
            follow(&bytes, root as usize, own);
        }
        pages
    }

    /// By what they belong to, for what is to be said of a case.
    pub(super) fn what(&self, page: usize) -> &'static str {
        let groups = BTreeMap::from([("log", &self.log), ("table", &self.tables), ("index", &self.indexes)]);
        groups.into_iter().find(|(_, pages)| pages.contains(&page)).map_or("notes", |(what, _)| what)
    }
}

fn follow(bytes: &[u8], page: usize, found: &mut Vec<usize>) {
    found.push(page);
    let at = (page - 1) * PAGE;
    let header = at + if page == 1 { 100 } else { 0 };
    let two = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    let four = |at: usize| two(at) << 16 | two(at + 2);
    if matches!(bytes[header], 2 | 5) {
        for cell in 0..two(header + 3) {
            follow(bytes, four(at + two(header + 12 + 2 * cell)), found);
        }
        follow(bytes, four(header + 8), found);
    }
}
