//! Rows of an eventlog, written by hand into a closed store's file: what a peer, a newer app or somebody with an editor may have put
//! there. The checksums are made here a second time, after the disk format's description, so that larder takes the rows for its own.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params, types::Value};

/// An event to write.
#[derive(Clone, Debug)]
pub struct Forged {
    /// The wire name.
    pub name: String,
    /// The arguments, whatever they are.
    pub args: Option<String>,
}

impl Forged {
    /// An event with arguments.
    pub fn new(name: &str, args: impl Into<String>) -> Self {
        Self { name: name.to_owned(), args: Some(args.into()) }
    }
}

/// The client that the events are of.
pub const FORGER: &str = "forger";

/// The session that the events are of.
pub const SESSION: &str = "forgery";

/// The places of numbers: 24 bits for client-only events.
pub const CLIENT_BITS: u32 = 24;

/// Appends synced events behind the last row, and lets the next load rebuild the tables.
pub fn append(file: &Path, events: &[Forged]) {
    let sqlite = Connection::open(file).expect("an SQLite file");
    let first = head(&sqlite).map_or(1, |head| (head.place >> CLIENT_BITS) + 1);
    for (number, event) in (first..).zip(events) {
        append_at(&sqlite, number << CLIENT_BITS, event);
    }
    forget_tables(&sqlite);
    sqlite.close().expect("it closes");
}

/// Appends one event at any place, behind the last row, with a checksum that fits.
pub fn append_at(sqlite: &Connection, place: i64, event: &Forged) {
    let key = key(sqlite);
    let head = head(sqlite).unwrap_or(Head { place: 0, ordinal: 0, checksum: vec![0; 16] });
    let author = author(sqlite);
    let ordinal = head.ordinal + 1;
    let mut row = head.checksum;
    row.extend(u64::to_le_bytes((place >> CLIENT_BITS).unsigned_abs()));
    row.extend(u32::to_le_bytes(u32::try_from(place & ((1 << CLIENT_BITS) - 1)).expect("24 bits")));
    row.extend(0_u32.to_le_bytes());
    row.extend(u64::to_le_bytes(ordinal.unsigned_abs()));
    row.extend(author.1);
    row.push(0);
    row.extend([0; 16]);
    row.extend(length(&event.name));
    row.extend(event.name.as_bytes());
    row.push(u8::from(event.args.is_some()));
    row.extend(event.args.as_deref().unwrap_or_default().as_bytes());
    let checksum = blake3::keyed_hash(&key, &row).as_bytes()[..16].to_vec();
    let sql = "INSERT INTO larder_events (place, ordinal, generation, name, args, author, id, checksum) VALUES (?, ?, 0, ?, ?, ?, NULL, ?)";
    sqlite.execute(sql, params![place, ordinal, event.name, event.args, author.0, checksum]).expect("a row");
}

/// Makes the tables those of another schema, as far as larder can tell.
pub fn forget_tables(sqlite: &Connection) {
    let sql = "UPDATE larder_meta SET value = zeroblob(16) WHERE key = 'fingerprint'";
    assert_eq!(sqlite.execute(sql, []).expect("a store's file"), 1);
}

struct Head {
    place: i64,
    ordinal: i64,
    checksum: Vec<u8>,
}

fn head(sqlite: &Connection) -> Option<Head> {
    let sql = "SELECT place, ordinal, checksum FROM larder_events ORDER BY place DESC LIMIT 1";
    let head =
        sqlite.query_row(sql, [], |row| Ok(Head { place: row.get(0)?, ordinal: row.get(1)?, checksum: row.get(2)? }));
    head.optional().expect("a store's file")
}

fn key(sqlite: &Connection) -> [u8; 32] {
    let meta = |key: &str| -> Value {
        sqlite
            .query_row("SELECT value FROM larder_meta WHERE key = ?", [key], |row| row.get(0))
            .expect("a store's file")
    };
    let mut hasher = blake3::Hasher::new_derive_key("larder eventlog chain 1");
    let Value::Blob(file_id) = meta("file_id") else { panic!("the file id is no blob") };
    hasher.update(&file_id);
    for name in ["definition", "store_id"] {
        let Value::Text(text) = meta(name) else { panic!("{name} is no text") };
        hasher.update(&length(&text)).update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// The row of the log's first author, made if there is none, and its digest.
fn author(sqlite: &Connection) -> (i64, [u8; 16]) {
    let sql = "INSERT INTO larder_authors (client_id, session_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
    sqlite.execute(sql, [FORGER, SESSION]).expect("a store's file");
    let sql = "SELECT author FROM larder_authors WHERE client_id = ? AND session_id = ?";
    let author = sqlite.query_row(sql, [FORGER, SESSION], |row| row.get(0)).expect("an author");
    let mut hasher = blake3::Hasher::new();
    hasher.update(&length(FORGER)).update(FORGER.as_bytes()).update(SESSION.as_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    (author, digest)
}

fn length(text: &str) -> [u8; 8] {
    (text.len() as u64).to_le_bytes()
}
