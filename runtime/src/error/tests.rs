//! Every variant of every error says what happened, to which definition, store, event or file, and what to do.

use std::{
    collections::HashSet,
    convert::identity,
    fmt::{Debug, Display},
    mem,
    sync::Arc,
};

use super::{
    AcrossError, CommitError, CommitErrorKind, DeleteError, LoadError, MaterializeError, OpenFilesLimit, QueryError,
    QueryErrorKind, StoreError, StoreIdError,
};
use crate::{
    doctor::DoctorError,
    event::{EventDecodeError, EventEncodeError},
    store::StoreName,
    value::ValueError,
};

mod across;
mod listed;
mod syncs;

fn store() -> StoreName {
    StoreName::new("note", "n:1".parse().unwrap())
}

fn text() -> String {
    "the cause".to_owned()
}

/// What a message must name, by what shows in the error's `Debug` when it knows it.
const WHICH: [(&str, &str); 6] = [
    ("StoreName {", "note/n:1"),
    ("definition: \"note\"", "note"),
    ("\"/data/note.db\"", "/data/note.db"),
    ("\"v1.Written\"", "`v1.Written`"),
    ("\"v9.X\"", "`v9.X` (e4)"),
    ("\"notes\"", "`notes`"),
];

/// An error, what its message says happened, and what it says to do.
type Case<K> = (K, &'static [&'static str], &'static str);

/// Each variant once, shown as users get it: its message says what, to which, and what to do.
#[track_caller]
fn check<const VARIANTS: usize, K, E: Display + Debug>(cases: [Case<K>; VARIANTS], shown: impl Fn(K) -> E) {
    let seen: HashSet<_> = cases.iter().map(|(kind, ..)| mem::discriminant(kind)).collect();
    assert_eq!(seen.len(), VARIANTS, "each variant once");
    for (kind, what, to_do) in cases {
        let error = shown(kind);
        let (message, fields) = (error.to_string(), format!("{error:?}"));
        let which = WHICH.iter().filter(|(known, _)| fields.contains(known)).map(|(_, name)| name);
        for words in what.iter().chain(which).chain([&to_do]) {
            assert!(message.contains(words), "`{words}` is missing in: {message}");
        }
        assert!(!to_do.is_empty() && !what.is_empty());
        assert!(!message.ends_with('.') && !message.contains('\n'), "{message}");
        let first = message.chars().next().unwrap();
        assert!(!first.is_uppercase() || message.starts_with("SQL"), "{message}");
    }
}

#[test]
fn load_errors() {
    let all: Vec<_> = load_errors_of_stores().into_iter().chain(other_load_errors()).collect();
    let all: [Case<LoadError>; 24] = all.try_into().unwrap();
    check(all, identity);
}

fn load_errors_of_stores() -> [Case<LoadError>; 11] {
    let (reason, file) = (text, || "/data/note.db".into());
    let id = StoreIdError::Dots { id: "a..b".into() };
    [
        (LoadError::Id { definition: "note", source: id }, &["`note`", "`a..b`"], "write one dot"),
        (
            LoadError::DefinitionConflict { name: "note".into(), owner: "`a::Note`".into(), other: "b::Note".into() },
            &["`note`", "`a::Note`", "`b::Note`"],
            "another name",
        ),
        (LoadError::OptionsConflict { store: store(), option: "durability" }, &["`durability`"], "evict"),
        (
            LoadError::Locked { store: store(), holder: "process 7".into(), file: file() },
            &["process 7", "close it there"],
            "/data/note.db",
        ),
        (
            LoadError::Corrupt { store: store(), reason: reason(), file: file() },
            &["the cause", "/data/note.db", "backup"],
            "`larder::doctor`",
        ),
        (
            LoadError::WrongFile { store: store(), reason: reason(), file: file() },
            &["/data/note.db", "note/n:1", "the cause"],
            "move it away",
        ),
        (
            LoadError::NewerFormat { store: store(), found: 9, known: 1, file: file() },
            &["/data/note.db", "note/n:1", "9", "1", "update the app"],
            "not touched",
        ),
        (
            LoadError::UnknownEvent { store: store(), event: "v9.X".into(), number: "e4".parse().unwrap() },
            &["`v9.X` (e4)"],
            "update the app",
        ),
        (
            LoadError::TooManyOpenFiles {
                store: store(),
                limit: OpenFilesLimit::Capacity { observed: 7, capacity: 6 },
            },
            &["7 observed", "capacity of 6", "`capacity(..)`"],
            "`ulimit -n`",
        ),
        (LoadError::Cancelled { store: store() }, &["cancelled", "eviction", "token"], "get it again"),
        (LoadError::ShutDown { store: store() }, &["shut down"], "build a new one"),
    ]
}

fn other_load_errors() -> [Case<LoadError>; 13] {
    let (message, file) = (text, || "/data/note.db".into());
    [
        (
            LoadError::OnLoad { store: store(), source: Arc::from(super::BoxError::from("the cause")) },
            &["`on_load`", "note/n:1", "the cause"],
            "next `get`",
        ),
        (
            LoadError::Projection { store: store(), source: Arc::new(AcrossError::ShutDown { definition: "page" }) },
            &["projection note/n:1", "`page`"],
            "next `projection`",
        ),
        (LoadError::Panicked { store: store(), message: message() }, &["the cause"], "next `get`"),
        (LoadError::Cycle { chain: vec![store(), store()] }, &["note/n:1 -> note/n:1"], "load one of them later"),
        (
            LoadError::SyncId { store: store(), source: "a/b".parse::<crate::StoreId>().unwrap_err() },
            &["`a/b`", "note/n:1", "'/'"],
            "map the store's id",
        ),
        (
            LoadError::SyncIdConflict { store: store(), sync_id: "w".into(), owner: "note/n:2".into() },
            &["`w`", "note/n:1", "belongs to `note/n:2`"],
            "`sync_id`",
        ),
        (
            LoadError::NotFound { store: store(), near: vec!["n:11".parse().unwrap(), "n:2".parse().unwrap()] },
            &["there is no store", "`n:11` or `n:2`"],
            "without `existing()`",
        ),
        (LoadError::NoDataDir { store: store() }, &["store"], "`data_dir(..)` or `in_memory()`"),
        (LoadError::DataDir { path: file(), reason: "a cause; move it".into() }, &["a cause"], "move it"),
        (
            LoadError::Catalog { definition: "note", file: file(), message: message() },
            &["the catalog", "the cause"],
            "ask again",
        ),
        (LoadError::Runtime { reason: "a cause; do this".into() }, &["registry", "a cause"], "do this"),
        (LoadError::Schema { definition: "note", message: message() }, &["`note`", "the cause"], "change"),
        (
            LoadError::Storage { store: store(), message: message(), file: file() },
            &["the cause", "/data/note.db"],
            "get it again",
        ),
    ]
}

#[test]
fn store_and_delete_errors() {
    let stores: [Case<StoreError>; 5] = [
        (StoreError::Evicted { store: store() }, &["evicted"], "get or open it again"),
        (StoreError::Closed { store: store() }, &["closed"], "build a new one"),
        (StoreError::Stopped { store: store(), reason: text() }, &["the cause"], "get it again"),
        (StoreError::Storage { store: store(), message: text() }, &["the cause"], "try again"),
        (StoreError::Poisoned { store: store(), reason: text() }, &["the cause"], "evict it"),
    ];
    check(stores, identity);
    let load = || Box::new(LoadError::Cancelled { store: store() });
    let id = StoreIdError::Dots { id: "a..b".into() };
    let deletes: [Case<DeleteError>; 8] = [
        (DeleteError::Id { definition: "note", source: id }, &["`note`", "`a..b`"], "write one dot"),
        (DeleteError::Observed { store: store(), observers: 2 }, &["2 observers"], "drop"),
        (DeleteError::Unsent { store: store(), events: 3 }, &["3 events"], "`.forced()`"),
        (DeleteError::Locked { store: store(), holder: "process 7".into() }, &["process 7"], "close it"),
        (DeleteError::Unknown { store: store(), source: load() }, &["cancelled"], "`.forced()`"),
        (DeleteError::Storage { store: store(), message: text() }, &["the cause"], "delete it again"),
        (DeleteError::ShutDown { store: store() }, &["shut down"], "build a new one"),
        (DeleteError::Definition(load()), &["store"], "get it again"),
    ];
    check(deletes, identity);
}

#[test]
fn doctor_errors() {
    let file = || "/data/note.db".into();
    let io = || std::io::Error::other("the cause");
    let doctors: [Case<DoctorError>; 4] = [
        (DoctorError::Locked { file: file(), holder: "process 7".into() }, &["process 7"], "close it there"),
        (DoctorError::NotAStore { file: file(), reason: text() }, &["the cause"], "name a `.db` file"),
        (DoctorError::Unreadable { file: file(), reason: text() }, &["the cause"], "from a backup"),
        (DoctorError::Io { file: file(), source: io() }, &["the cause"], "try again"),
    ];
    check(doctors, identity);
}

#[test]
fn commit_errors() {
    let event = "v1.Written";
    let commits: [Case<CommitErrorKind>; 11] = [
        (StoreError::Evicted { store: store() }.into(), &["evicted"], "again"),
        (
            CommitErrorKind::Encode { store: store(), event, source: EventEncodeError::NotFinite },
            &["NaN", "nothing was committed"],
            "use `Option<f64>`",
        ),
        (
            CommitErrorKind::EventTooLarge { store: store(), event, bytes: 9, limit: 8 },
            &["9 bytes", "limit is 8"],
            "raise `max_event_bytes`",
        ),
        (
            CommitErrorKind::LabelsTooLong { store: store(), event, bytes: 9, limit: 8 },
            &["9 bytes", "limit is 8"],
            "use shorter ones",
        ),
        (
            CommitErrorKind::TooManyEvents { store: store(), count: 9, limit: 8 },
            &["9 events", "limit is 8"],
            "raise `max_commit_events`",
        ),
        (
            CommitErrorKind::NumbersExhausted { store: store(), last: "e9".parse().unwrap() },
            &["e9"],
            "start a new store",
        ),
        (
            CommitErrorKind::Materialize { store: store(), event, source: MaterializeError::app("ask for a title") },
            &["nothing was committed"],
            "ask for a title",
        ),
        (
            CommitErrorKind::MaterializerPanicked { store: store(), event, message: text() },
            &["the cause", "nothing was committed"],
            "mend the materializer",
        ),
        (
            CommitErrorKind::Reentrant { store: store(), inside: "its own materializer" },
            &["inside its own materializer"],
            "commit when",
        ),
        (CommitErrorKind::DiskFull { store: store() }, &["full"], "free some space"),
        (CommitErrorKind::Storage { store: store(), message: text() }, &["the cause"], "commit again"),
    ];
    let in_store = |kind| {
        let error = CommitError::<()>::new(kind, Vec::new());
        assert_eq!(*error.store(), store());
        error
    };
    check(commits, in_store);
}

#[test]
fn materialize_errors() {
    let materialize: [Case<MaterializeError>; 8] = [
        (
            MaterializeError::Exists { table: "notes".into(), columns: vec!["number".into()], message: text() },
            &["`notes`", "the cause"],
            "`upsert`",
        ),
        (MaterializeError::NotOne { table: "notes", matched: 2 }, &["`notes`", "2 rows"], "use `run`"),
        (
            MaterializeError::Reference { table: "lines".into(), message: text() },
            &["`lines`", "the cause"],
            "write the row",
        ),
        (
            MaterializeError::Value { table: "notes", column: "weight", source: ValueError::NotANumber },
            &["`notes`", "`weight`", "NaN"],
            "use `Option<f64>`",
        ),
        (MaterializeError::Sql { message: text() }, &["SQL", "the cause"], "change the statement"),
        (
            MaterializeError::Storage { message: text(), disk_full: false },
            &["storage", "the cause"],
            "return this error",
        ),
        (QueryErrorKind::Value(ValueError::NotANumber).into(), &["NaN"], "use `Option<f64>`"),
        (MaterializeError::app("the cause; ask for a title"), &["the cause"], "ask for a title"),
    ];
    check(materialize, in_commit);
}

/// As users get it: the commit says which store and event.
fn in_commit(source: MaterializeError) -> CommitError<()> {
    let kind = CommitErrorKind::Materialize { store: store(), event: "v1.Written", source };
    CommitError::new(kind, Vec::new())
}

#[test]
fn query_errors() {
    let sql = || "SELECT 1".to_owned();
    let queries: [Case<QueryErrorKind>; 13] = [
        (QueryErrorKind::OtherSource { source_id: "n:2".into() }, &["`n:2`", "another"], "`SourceId::this()`"),
        (QueryErrorKind::SeveralTables { sql: "SELECT 1".into() }, &["`SELECT 1`", "several tables"], "`each`"),
        (StoreError::Evicted { store: store() }.into(), &["evicted"], "again"),
        (QueryErrorKind::Sql { sql: sql(), message: text() }, &["`SELECT 1`", "the cause"], "change the statement"),
        (
            QueryErrorKind::MissingColumn { row: "Load", column: "open".into(), sql: sql(), found: "`a`".into() },
            &["`Load`", "`open`", "`SELECT 1`", "`a`"],
            "`AS open`",
        ),
        (
            QueryErrorKind::Decode {
                row: "notes",
                column: "at".into(),
                source: ValueError::Type { expected: "i64", found: "text" },
            },
            &["`at`", "`notes`", "expected i64, found text", "`Store::verify`"],
            "`version`",
        ),
        (QueryErrorKind::Value(ValueError::NotANumber), &["NaN"], "use `Option<f64>`"),
        (QueryErrorKind::NotOne { row: "notes", found: "no row" }, &["`notes`", "no row"], "use `first`"),
        (QueryErrorKind::Overflow { sql: sql() }, &["`SELECT 1`", "a sum"], "ask for fewer rows"),
        (QueryErrorKind::Reentrant, &["inside"], "use the `Tables`"),
        (QueryErrorKind::Interrupted, &["closing"], "get or open it again"),
        (
            QueryErrorKind::Backup { file: "/data/note.db".into(), message: text() },
            &["the cause"],
            "back up into a new file",
        ),
        (QueryErrorKind::Storage { message: text() }, &["the cause"], "query again"),
    ];
    check(queries, |kind| QueryError::new(store(), kind));
}

#[test]
fn errors_of_values_and_of_encoded_events() {
    let value = |source| QueryErrorKind::Decode { row: "notes", column: "at".into(), source };
    let values: [Case<ValueError>; 6] = [
        (ValueError::NotANumber, &["NaN"], "use `Option<f64>`"),
        (ValueError::TooFine(text()), &["the cause", "finer than a microsecond"], "round it"),
        (
            ValueError::Type { expected: "i64", found: "text" },
            &["expected i64, found text"],
            "raise the schema's `version`",
        ),
        (
            ValueError::OutOfRange { expected: "i64", value: text() },
            &["`i64`", "the cause"],
            "raise the schema's `version`",
        ),
        (
            ValueError::Invalid { expected: "Status", text: "Opn".into(), reason: text() },
            &["`Opn`", "`Status`", "the cause"],
            "raise the schema's `version`",
        ),
        (ValueError::MissingColumn("at".into()), &["no column at"], "run `Store::verify`"),
    ];
    check(values, |source| QueryError::new(store(), value(source)));
    let json = || serde_json::from_str::<i64>("x").unwrap_err();
    let encode = |source| CommitErrorKind::Encode { store: store(), event: "v1.Written", source };
    let encodes: [Case<EventEncodeError>; 4] = [
        (EventEncodeError::NotFinite, &["NaN or infinite"], "use `Option<f64>`"),
        (EventEncodeError::TooDeep { limit: 100 }, &["100 arrays and objects"], "flatten it"),
        (json().into(), &["expected value"], "change the value"),
        (EventEncodeError::Panicked(text()), &["panicked", "the cause"], "mend its `Serialize`"),
    ];
    check(encodes, |source| CommitError::<()>::new(encode(source), Vec::new()));
    let decodes: [Case<EventDecodeError>; 3] = [
        (json().into(), &["expected value"], "`#[serde(default)]`"),
        (EventDecodeError::Shape("it has arguments"), &["it has arguments"], "upcaster"),
        (EventDecodeError::Upcast("a tag needs a title".into()), &["upcaster"], "a tag needs a title"),
    ];
    check(decodes, identity);
}

#[test]
fn store_id_errors() {
    let id = || "a!b".to_owned();
    let ids: [Case<StoreIdError>; 8] = [
        (StoreIdError::Empty, &["empty"], "`issue:123`"),
        (StoreIdError::TooLong { id: id(), bytes: 121 }, &["`a!b…`", "121 bytes", "at most 120"], "shorter"),
        (StoreIdError::Character { id: id(), found: '!' }, &["`a!b`", "'!'"], "`StoreId::from_parts` escapes"),
        (StoreIdError::Start { id: id(), found: '~' }, &["`a!b`", "'~'"], "begin with a letter or digit"),
        (StoreIdError::Dots { id: id() }, &["`a!b`", "`..`"], "write one dot"),
        (StoreIdError::EmptyPart { before: "user:".into() }, &["`user:…`", "empty"], "at least one character"),
        (StoreIdError::Pattern { id: id(), pattern: "issue:{n}" }, &["`a!b`", "`issue:{n}`"], "from their key"),
        (StoreIdError::Singleton { id: id() }, &["`a!b`"], "use `get_singleton`"),
    ];
    check(ids, identity);
}
