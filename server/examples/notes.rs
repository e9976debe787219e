//! A larder client that shares a store with clients of LiveStore in TypeScript, for `server/tests/typescript`: one process, told what to do by one JSON object
//! a line on its standard input, as `client.mjs` beside it is. The schema is the one of that file, in Rust.

use std::{
    error::Error,
    io::{BufRead as _, Write as _},
    sync::Arc,
    time::Duration,
};

use larder::{
    HttpBackend, OnBackendChange, Payload, StoreOptions, SyncBackend, SyncStatus, Timestamp, WsBackend, prelude::*,
};
use serde_json::{Value, json};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "notes")]
struct Note {
    #[table(primary_key)]
    id: String,
    text: String,
}

/// What depends on the order: the last note.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "last")]
struct Last {
    #[table(primary_key)]
    name: String,
    note: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum NoteEvent {
    #[event(name = "v1.Noted")]
    Noted { id: String, text: String, at: Timestamp },
    #[event(name = "v1.Touched")]
    Touched,
}

#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Note, Last), version = 1)]
struct NotesSchema;

#[larder::materializer]
impl Materializer for NotesSchema {
    fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            NoteEvent::Noted { id, text, .. } => {
                tables.upsert(Note { id: id.clone(), text: text.clone() })?;
                tables.upsert(Last { name: "last".to_owned(), note: id.clone() })
            }
            NoteEvent::Touched => Ok(()),
        }
    }
}

define_store! {
    /// Notes of several people.
    Notes {
        name: "notes",
        schema: NotesSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

type Failed = Box<dyn Error + Send + Sync>;

fn backend(options: &Value) -> Result<Arc<dyn SyncBackend>, Failed> {
    let url = options["url"].as_str().unwrap_or_default();
    let livestore = options["livestore"].as_bool().unwrap_or_default();
    Ok(match options["transport"].as_str() {
        Some("ws") if livestore => WsBackend::builder(url).of_livestore().build()?,
        Some("ws") => WsBackend::new(url)?,
        _ if livestore => HttpBackend::builder(url).of_livestore().build()?,
        _ => HttpBackend::new(url)?,
    })
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let options: Value = serde_json::from_str(&std::env::args().nth(1).unwrap_or_default())?;
    let mut defaults = StoreOptions::new().sync(backend(&options)?);
    if let Some(token) = options["token"].as_str() {
        defaults = defaults.sync_payload(Payload::new().with("authToken", token));
    }
    if options["reset"] == true {
        defaults = defaults.on_backend_change(OnBackendChange::Reset { resend_own: true });
    }
    let data = options["data"].as_str().unwrap_or("data");
    let registry = StoreRegistry::builder().data_dir(data).defaults(defaults).build()?;
    let notes = registry.get::<Notes>(options["store"].as_str().unwrap_or("notes")).await?;
    say(&json!({ "ready": true }))?;
    let mut next = 0;
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        if let Some(id) = asked["note"].as_str() {
            let at = Timestamp::from_millisecond(1_700_000_000_000 + next)?;
            next += 1;
            let text = asked["text"].as_str().unwrap_or("by larder").to_owned();
            notes.commit(NoteEvent::Noted { id: id.to_owned(), text, at })?;
            say(&json!({ "done": true }))?;
        } else if asked["touch"] == true {
            notes.commit(NoteEvent::Touched)?;
            say(&json!({ "done": true }))?;
        } else if asked["state"] == true {
            let found = notes.query(Note::all())?;
            let found: Vec<_> = found.iter().map(|note| json!([note.id, note.text.len()])).collect();
            let last = notes.query(Last::all())?.pop().map(|last| last.note);
            let SyncStatus { phase, pending, last_error, .. } = notes.sync_status();
            let (phase, why) = (format!("{phase:?}"), last_error.map(|error| error.to_string()));
            say(&json!({ "notes": found, "last": last, "phase": phase, "pending": pending, "why": why }))?;
        } else {
            break;
        }
    }
    drop(notes);
    registry.shutdown(Duration::from_secs(2)).await;
    say(&json!({ "done": true }))
}

fn say(what: &Value) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    Ok(out.flush()?)
}
