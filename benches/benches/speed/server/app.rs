//! A small app, and the same by hand.

use std::{path::Path, sync::Arc};

use larder::{InitialSync, StoreOptions, WsBackend, prelude::*};
use larder_wire::Event;
use rusqlite::Connection;
use serde_json::value::RawValue;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "lines")]
pub(crate) struct Line {
    #[table(primary_key)]
    pub(crate) id: i64,
    pub(crate) text: String,
}

#[derive(larder::Event, Clone, Debug, PartialEq)]
pub(crate) enum LineEvent {
    #[event(name = "v1.LineAdded")]
    Added { id: i64, text: String },
}

#[derive(StoreSchema)]
#[schema(events = LineEvent, tables(Line), version = 1)]
pub(crate) struct PageSchema;

#[larder::materializer]
impl Materializer for PageSchema {
    fn materialize(event: &LineEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            LineEvent::Added { id, text } => tables.insert(Line { id: *id, text: text.clone() }),
        }
    }
}

define_store! {
    /// Lines that several people write.
    pub(crate) Page {
        name: "page",
        schema: PageSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

pub(crate) fn text(number: u64) -> String {
    format!("a line of some length, as people write them: number {number}")
}

/// The registry of one person's app, which sends as much as the server takes.
pub(crate) fn registry(data: &Path, server: &larder_server::Server, initial_sync: InitialSync) -> StoreRegistry {
    let backend: Arc<dyn larder::SyncBackend> = WsBackend::builder(format!("ws://{}", server.address()))
        .pushes_per_second(u32::MAX)
        .bytes_per_second(1 << 40)
        .build()
        .expect("a URL");
    let options = StoreOptions::new().sync(backend).initial_sync(initial_sync);
    StoreRegistry::builder().data_dir(data).defaults(options).build().expect("a registry")
}

/// The event of a line, as the wire has it.
pub(crate) fn event(number: u64) -> Event {
    let args = serde_json::json!({ "id": number, "text": text(number) }).to_string();
    Event {
        name: "v1.LineAdded".to_owned(),
        args: Some(RawValue::from_string(args).expect("JSON")),
        seq_num: number,
        parent_seq_num: number - 1,
        client_id: "01jdqz3k7m8n9p0q1r2s3t4v5w".to_owned(),
        session_id: "static".to_owned(),
        id: None,
    }
}

/// A file with a log and the table of lines, each commit of it durable as the server's.
pub(crate) fn by_hand(path: &Path) -> Connection {
    let file = Connection::open(path).expect("a file");
    file.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000;
         CREATE TABLE events (store INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, args TEXT, client TEXT NOT NULL,
             session TEXT NOT NULL, PRIMARY KEY (store, number)) STRICT, WITHOUT ROWID;
         CREATE TABLE lines (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;",
    )
    .expect("tables");
    file
}

/// Appends events by hand, and their lines if wanted: one transaction.
pub(crate) fn append(file: &mut Connection, store: i64, events: &[Event], with_lines: bool) {
    let transaction = file.transaction().expect("a transaction");
    {
        let mut insert =
            transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)").expect("a statement");
        let mut line = transaction.prepare_cached("INSERT INTO lines VALUES (?1, ?2)").expect("a statement");
        for event in events {
            let number = i64::try_from(event.seq_num).expect("small");
            insert
                .execute((store, number, &event.name, event.args_text(), &event.client_id, &event.session_id))
                .expect("a row");
            if with_lines {
                let args: serde_json::Value =
                    serde_json::from_str(event.args_text().expect("arguments")).expect("JSON");
                line.execute((args["id"].as_i64(), args["text"].as_str())).expect("a row");
            }
        }
    }
    transaction.commit().expect("on disk");
}
