//! The disk format of a store's file, pinned: tables, the checksum of a known row, the hash of a known table. When one of these
//! changes, files of today are not read any more, and the file's format must be raised.

use std::fs;

use larder::prelude::*;
use larder_tests::{
    lab::{Lab, lock_text, with_ending},
    notebook::{NoteEvent, Notebook, written},
};

/// What `sqlite_schema` says of larder's own tables.
const SCHEMA: &str = "\
CREATE TABLE larder_authors ( author INTEGER PRIMARY KEY, client_id TEXT NOT NULL, session_id TEXT NOT NULL, UNIQUE (client_id, session_id) ) STRICT
CREATE TABLE larder_events ( place INTEGER PRIMARY KEY, ordinal INTEGER NOT NULL, generation INTEGER NOT NULL, name TEXT NOT NULL, args TEXT, author INTEGER NOT NULL, id BLOB, checksum BLOB NOT NULL ) STRICT
CREATE TABLE larder_failed (place INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT
CREATE TABLE larder_meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID
CREATE TABLE larder_unknown (name TEXT PRIMARY KEY, place INTEGER NOT NULL, events INTEGER NOT NULL) STRICT, WITHOUT ROWID";

#[tokio::test]
async fn tables_of_a_stores_file_never_change() {
    let mut lab = Lab::on_disk();
    drop(lab.open::<Notebook>().await);
    lab.close().await;
    let sqlite = lab.sqlite("notebook");
    let mut statement =
        sqlite.prepare("SELECT sql FROM sqlite_schema WHERE name LIKE 'larder%' AND sql <> '' ORDER BY name").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let words = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let schema = rows.map(|sql| words(sql.unwrap())).collect::<Vec<_>>().join("\n");
    assert_eq!(schema, SCHEMA);
    let bytes = fs::read(lab.store_file("notebook")).unwrap();
    let (version, application) = (&bytes[60..64], &bytes[68..72]);
    assert_eq!((version, application), (&[0, 0, 0, 1][..], &b"lard"[..]));
}

/// A log as an earlier build wrote it: every random part is known, so the checksums are, too.
const LOG: &str = "
    UPDATE larder_meta SET value = x'000102030405060708090a0b0c0d0e0f' WHERE key = 'file_id';
    INSERT INTO larder_authors VALUES (1, 'client', 'session');
    INSERT INTO larder_events VALUES
        (1 << 24, 1, 0, 'v1.NoteWritten', '{\"number\":1,\"text\":\"note 1\"}', 1, x'00000000000000000000000000000001',
            x'@1'),
        ((1 << 24) + 1, 2, 0, 'v1.NoteLookedAt', '1', 1, NULL, x'@2'),
        (2 << 24, 3, 0, 'v1.AllErased', NULL, 1, x'00000000000000000000000000000002', x'@3'),
        (3 << 24, 4, 0, 'v1.NoteWritten', '{\"number\":2,\"text\":\"note 2\"}', 1, x'00000000000000000000000000000003', x'@4'),
        (4 << 24, 5, 0, 'v1.LineAdded', '{\"note\":2,\"at\":1}', 1, x'00000000000000000000000000000004', x'@5');
    INSERT INTO notes VALUES (2, 'note 2');
    INSERT INTO lines VALUES (2, 1, 0.5);
";

/// By another implementation of BLAKE3, from the words of the format.
const CHECKSUMS: [&str; 5] = [
    "d8237246b1732e4f2ee8d4b7b7817686",
    "0d26a2b52447ea13ea06f911fca380ed",
    "2c399d23974bca318cefe86d4cf23182",
    "31ab98470e00673e213f62873000897d",
    "b1523c446dda9ff5300b57b68589d46c",
];

#[tokio::test]
async fn checksums_and_table_hashes_of_a_known_file_never_change() {
    let mut lab = Lab::on_disk();
    drop(lab.open::<Notebook>().await);
    lab.close().await;
    let sqlite = lab.sqlite("notebook");
    let log = (1..).zip(CHECKSUMS).fold(LOG.to_owned(), |log, (at, sum)| log.replace(&format!("@{at}"), sum));
    sqlite.execute_batch(&log).unwrap();
    sqlite.close().unwrap();
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.head(), "e4".parse().unwrap());
    let report = store.verify().unwrap();
    assert!(report.is_sound(), "{report:?}");
    let hex = |bytes: [u8; 16]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hashes: Vec<_> = report.tables.iter().map(|table| (table.name, hex(table.hash))).collect();
    let expected = [("notes", "db0761936a0dec45663ec71b1ccf0a9f"), ("lines", "0dc910c26290102d3d53897543114ffe")];
    assert_eq!(hashes, expected.map(|(name, hash)| (name, hash.to_owned())));
    let mut events = store.events("e1.1".parse().unwrap());
    assert_eq!(events.next().await.unwrap().unwrap().decode().unwrap(), Some(NoteEvent::AllErased));
    assert_eq!(events.next().await.unwrap().unwrap().decode().unwrap(), Some(written(2)));
}

#[tokio::test]
async fn the_lock_files_text_never_changes() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    let lock = with_ending(&lab.store_file("notebook"), ".lock");
    let text = |words: &str| lock_text(std::process::id(), words);
    assert_eq!(fs::read_to_string(&lock).unwrap(), text("open sound 1"));
    drop(store);
    lab.close().await;
    assert_eq!(fs::read_to_string(&lock).unwrap(), text("closed sound 2"));
}

/// With every key that the derives know.
#[derive(Table)]
#[table(name = "issues", index(state, opened_at), unique(title, assignee))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = "it's new")]
    title: String,
    #[table(index)]
    state: State,
    assignee: Option<Author>,
    #[table(name = "since")]
    opened_at: Timestamp,
    #[table(default = -1.5)]
    score: f32,
    #[table(default = true)]
    shown: bool,
    labels: Json<Vec<String>>,
}

#[derive(Table)]
struct IssueComment {
    #[table(primary_key)]
    id: Uuid,
    #[table(references(Issue, on_delete = cascade))]
    issue: i64,
    #[table(references(IssueComment, on_delete = set_null))]
    answers: Option<Uuid>,
}

#[derive(ColumnValue)]
enum State {
    Open,
    #[column(name = "done")]
    Closed,
}

#[derive(ColumnValue)]
struct Author(String);

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v2.IssueOpened", from("v1.IssueOpened" = without_title))]
    Opened {
        number: i64,
        /// Documentation does not count, nor does layout.
        #[serde(default, rename = "name")]
        title: Option<String>,
    },
    #[event(name = "v1.IssueSelected", client_only)]
    Selected(Option<i64>),
    #[event(name = "v1.AllClosed", deprecated = "close each by itself")]
    AllClosed,
}

fn without_title(number: i64) -> Result<IssueEvent, std::convert::Infallible> {
    Ok(IssueEvent::Opened { number, title: None })
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(IssueComment, Issue), version = 7)]
struct IssueSchema;

#[larder::materializer]
impl Materializer for IssueSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            IssueEvent::Opened { number, title } => tables.insert(Issue {
                number: *number,
                title: title.clone().unwrap_or_default(),
                state: State::Open,
                assignee: None,
                opened_at: Timestamp::UNIX_EPOCH,
                score: 0.5,
                shown: true,
                labels: Json(Vec::new()),
            }),
            IssueEvent::Selected(_) => Ok(()),
            IssueEvent::AllClosed => tables.update(Issue::all()).set(Issue::STATE, State::Closed).run(),
        }
    }
}

larder::define_store! {
    Issues { name: "issues", schema: IssueSchema, adapter: SqliteAdapter::persisted() }
}

#[test]
fn the_words_of_derived_payloads_never_change() {
    let words = IssueEvent::EVENTS.iter().map(|event| event.payload).collect::<Vec<_>>();
    assert_eq!(words, ["{number:i64,#[serde(default,rename=\"name\")]title:Option<String>}", "(Option<i64>)", ""]);
}

/// When this changes, an update of larder rebuilds every store of every app.
#[tokio::test]
async fn the_fingerprint_of_a_derived_schema_never_changes() {
    let mut lab = Lab::on_disk();
    drop(lab.open::<Issues>().await);
    lab.close().await;
    let text = "SELECT lower(hex(value)) FROM larder_meta WHERE key = 'fingerprint'";
    let fingerprint: String = lab.sqlite("issues").query_row(text, [], |row| row.get(0)).unwrap();
    assert_eq!(fingerprint, "e13fc910593cfb9d8750909d26d9538c");
}
