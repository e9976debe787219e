//! Spans: a layer reads them; no argument value and no payload is ever in one.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{LazyLock, Mutex},
    time::Duration,
};

use larder::{Attributes, Payload, StoreOptions, prelude::*};
use tracing::{
    Event as TracingEvent, Id, Instrument, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, Registry, layer::Context, prelude::*, registry::LookupSpan};

use super::support::*;

type Fields = BTreeMap<String, String>;

/// Every span and event of the test run, as text; an event has its level for a name.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    id: u64,
    parent: Option<String>,
    name: &'static str,
    pub(super) fields: Fields,
    ended: bool,
}

static SEEN: LazyLock<Mutex<Vec<Seen>>> = LazyLock::new(Mutex::default);

struct Reader;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Reader {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Text::default();
        attributes.record(&mut fields);
        let parent = context.span(id).and_then(|span| span.parent()).map(|span| span.name().to_owned());
        let seen =
            Seen { id: id.into_u64(), parent, name: attributes.metadata().name(), fields: fields.0, ended: false };
        SEEN.lock().unwrap().push(seen);
    }

    fn on_record(&self, id: &Id, values: &span::Record<'_>, _: Context<'_, S>) {
        let mut fields = Text::default();
        values.record(&mut fields);
        let mut seen = SEEN.lock().unwrap();
        // Ids are used again, so the last one is meant.
        if let Some(span) = seen.iter_mut().rev().find(|span| span.id == id.into_u64()) {
            span.fields.extend(fields.0);
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut seen = SEEN.lock().unwrap();
        if let Some(span) = seen.iter_mut().rev().find(|span| span.id == id.into_u64()) {
            span.ended = true;
        }
    }

    fn on_event(&self, event: &TracingEvent<'_>, _: Context<'_, S>) {
        let mut fields = Text::default();
        event.record(&mut fields);
        let name = event.metadata().level().as_str();
        SEEN.lock().unwrap().push(Seen { id: 0, parent: None, name, fields: fields.0, ended: true });
    }
}

#[derive(Default)]
struct Text(Fields);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

/// Blocking work runs on other threads, so the reader is that of the whole test run.
pub(super) fn read() {
    static ONCE: LazyLock<()> =
        LazyLock::new(|| tracing::subscriber::set_global_default(Registry::default().with(Reader)).unwrap());
    LazyLock::force(&ONCE);
}

pub(super) fn spans(name: &str, id: &str) -> Vec<Seen> {
    let seen = SEEN.lock().unwrap();
    seen.iter().filter(|span| span.name == name && span.fields.get("id").is_some_and(|of| of == id)).cloned().collect()
}

fn names(span: &Seen) -> Vec<&str> {
    span.fields.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn every_piece_of_work_has_a_span_with_store_id_counts_and_microseconds() {
    read();
    let attributes = Attributes::new().with("service.name", "app");
    let defaults =
        StoreOptions::new().attributes(attributes).sync_payload(Payload::new().with("token", "canary-token"));
    let bench = Bench::with(|builder| anywhere(builder).defaults(defaults));
    let parent = tracing::info_span!("a parent of the app");
    let call = Attributes::new().with("route", "/issues");
    let handle = bench.get::<NoteStore>("telemetry-1").attributes(call).parent_span(parent).await.unwrap();
    handle.commit([written(1), NoteEvent::Written { number: 2, text: "canary-argument".to_owned() }]).unwrap();
    handle.query(Note::all()).unwrap();
    bench.evict::<NoteStore>("telemetry-1").await.unwrap();
    bench.settle().await;

    let load = &spans("larder.load", "telemetry-1")[0];
    assert_eq!(names(load), ["attributes", "events", "id", "micros", "outcome", "store"]);
    assert_eq!(load.parent.as_deref(), Some("a parent of the app"));
    assert_eq!(load.fields["attributes"], r#"{"route":"/issues","service.name":"app"}"#);
    assert_eq!((load.fields["store"].as_str(), load.fields["outcome"].as_str()), ("note", "loaded"));
    let commit = &spans("larder.commit", "telemetry-1")[0];
    assert_eq!(names(commit), ["events", "id", "micros", "store"]);
    assert_eq!(commit.fields["events"], "2");
    let query = &spans("larder.query", "telemetry-1")[0];
    assert_eq!(names(query), ["id", "micros", "rows", "store"]);
    assert_eq!(query.fields["rows"], "2");
    let evict = &spans("larder.evict", "telemetry-1")[0];
    assert_eq!(names(evict), ["id", "micros", "reason", "store"]);
    assert_eq!(evict.fields["reason"], "evict");

    let before = SEEN.lock().unwrap().len();
    let _open = bench.get::<NoteStore>("telemetry-2").await.unwrap();
    bench.shutdown(Duration::from_secs(1)).await;
    let shutdown = SEEN.lock().unwrap()[before..].iter().find(|span| span.name == "larder.shutdown").cloned().unwrap();
    assert_eq!(names(&shutdown), ["micros", "stores", "unsent"]);
    assert!(!format!("{:?}", SEEN.lock().unwrap()).contains("canary"), "a secret or an argument is in a span");
}

#[tokio::test]
async fn the_parent_span_of_a_load_ends_while_the_store_is_loaded() {
    read();
    let bench = Bench::new();
    let given = tracing::info_span!("a request of the app", id = "telemetry-given");
    let current = tracing::info_span!("a request of the app", id = "telemetry-current");
    let _given = bench.get::<NoteStore>("telemetry-given").parent_span(given).await.unwrap();
    let get = bench.get::<NoteStore>("telemetry-current");
    let _current = get.instrument(current).await.unwrap();
    bench.settle().await;
    for id in ["telemetry-given", "telemetry-current"] {
        assert_eq!(spans("larder.load", id)[0].parent.as_deref(), Some("a request of the app"));
        assert!(spans("a request of the app", id)[0].ended, "{id} goes on while its store is loaded");
    }
}

#[tokio::test]
async fn a_load_that_waited_for_its_place_is_a_child_of_who_asked() {
    read();
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::with(|builder| builder.data_dir(dir.path()).capacity(1));
    let reading = Reading::begin(bench.get::<NoteStore>("telemetry-before").await.unwrap());
    drop(bench.evict::<NoteStore>("telemetry-before"));
    let mut get = bench.get::<NoteStore>("telemetry-waits");
    assert!(tracing::info_span!("who asks").in_scope(|| poll_once(&mut get)).is_pending());
    reading.end();
    let handle = get.await.unwrap();
    assert_eq!(spans("larder.load", "telemetry-waits")[0].parent.as_deref(), Some("who asks"));
    // One that waits for the closing of its own store, too.
    let reading = Reading::begin(handle);
    drop(bench.evict::<NoteStore>("telemetry-waits"));
    let mut get = bench.get::<NoteStore>("telemetry-waits");
    assert!(tracing::info_span!("who asks again").in_scope(|| poll_once(&mut get)).is_pending());
    reading.end();
    drop(get.await.unwrap());
    assert_eq!(spans("larder.load", "telemetry-waits")[1].parent.as_deref(), Some("who asks again"));
}

#[tokio::test]
async fn rule_07_on_load_is_told_the_span_that_the_get_was_given_else_that_of_the_load() {
    read();
    let bench = Bench::new();
    let (sender, told) = std::sync::mpsc::channel();
    let sender = Mutex::new(sender);
    for id in ["telemetry-told", "telemetry-untold"] {
        let sender = Mutex::new(sender.lock().unwrap().clone());
        on_load_run(id, move |_, context| sender.lock().unwrap().send(context.parent_span().clone()).unwrap());
    }
    let parent = tracing::info_span!("a parent of the app");
    drop(bench.get::<HookedStore>("telemetry-told").parent_span(parent.clone()).await.unwrap());
    assert_eq!(told.recv().unwrap().id(), parent.id());
    assert!(parent.id().is_some());
    drop(bench.get::<HookedStore>("telemetry-untold").instrument(parent).await.unwrap());
    let load = told.recv().unwrap();
    assert_eq!(load.metadata().map(tracing::Metadata::name), Some("larder.load"));
}

#[tokio::test]
async fn a_load_that_fails_or_is_cancelled_says_so() {
    read();
    let bench = Bench::new();
    on_load("telemetry-fails", Hook::Fail);
    assert!(bench.get::<HookedStore>("telemetry-fails").await.is_err());
    let _gate = hold("telemetry-held");
    let mut get = bench.get::<HookedStore>("telemetry-held");
    assert!(poll_once(&mut get).is_pending());
    bench.settle().await;
    drop(get);
    bench.settle().await;
    let outcome = |id: &str| spans("larder.load", id)[0].fields.get("outcome").cloned();
    assert_eq!(outcome("telemetry-fails").as_deref(), Some("failed"));
    assert_eq!(outcome("telemetry-held").as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn a_rebuild_has_a_span_and_the_arguments_of_what_fails_are_in_none() {
    read();
    let dir = tempfile::tempdir().unwrap();
    let first = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    let handle = first.get::<NoteStore>("telemetry-rebuilt").await.unwrap();
    let secret = |number| NoteEvent::Written { number, text: "canary-rebuilt".to_owned() };
    handle.commit([secret(1), secret(2)]).unwrap();
    assert!(handle.commit(secret(1)).is_err());
    drop(handle);
    let file = first.stored::<NoteStore>().await.unwrap().remove(0).file;
    assert!(first.shutdown(Duration::from_secs(5)).await.is_clean());
    let sqlite = rusqlite::Connection::open(file).unwrap();
    sqlite.execute("UPDATE larder_meta SET value = zeroblob(16) WHERE key = 'fingerprint'", []).unwrap();
    sqlite.close().unwrap();
    let second = StoreRegistry::builder().data_dir(dir.path()).build().unwrap();
    drop(second.get::<NoteStore>("telemetry-rebuilt").await.unwrap());
    second.shutdown(Duration::from_secs(5)).await;

    let rebuilds = spans("larder.rebuild", "telemetry-rebuilt");
    let [rebuild] = &rebuilds[..] else { panic!("{rebuilds:?}") };
    assert_eq!(names(rebuild), ["events", "failed", "id", "micros", "store"]);
    assert_eq!((rebuild.fields["events"].as_str(), rebuild.fields["failed"].as_str()), ("2", "0"));
    assert_eq!(rebuild.parent.as_deref(), Some("larder.load"));
    let load = spans("larder.load", "telemetry-rebuilt").pop().unwrap();
    assert_eq!(load.fields["events"], "2");
    assert!(spans("larder.commit", "telemetry-rebuilt").iter().all(|commit| commit.fields.contains_key("micros")));
    assert!(!format!("{:?}", SEEN.lock().unwrap()).contains("canary"), "an argument is in a span");
}

#[tokio::test]
async fn queries_inside_read_verify_backup_and_a_rebuild_of_damaged_tables_have_spans() {
    read();
    let dir = tempfile::tempdir().unwrap();
    let id = "telemetry-whole";
    let first = StoreRegistry::builder().data_dir(dir.path().join("data")).build().unwrap();
    let handle = first.get::<NoteStore>(id).await.unwrap();
    handle.commit([written(1), written(2)]).unwrap();
    handle.read(|snapshot| Ok((snapshot.query(Note::all())?, snapshot.query(Note::by_key(1))?))).unwrap();
    assert!(handle.verify().unwrap().is_sound());
    handle.backup(dir.path().join("backup.db")).unwrap();
    drop(handle);
    let file = first.stored::<NoteStore>().await.unwrap().remove(0).file;
    assert!(first.shutdown(Duration::from_secs(5)).await.is_clean());
    let sqlite = rusqlite::Connection::open(file).unwrap();
    sqlite.execute_batch("CREATE INDEX of_somebody_else ON notes (text)").unwrap();
    sqlite.close().unwrap();
    let second = StoreRegistry::builder().data_dir(dir.path().join("data")).build().unwrap();
    let handle = second.get::<NoteStore>(id).await.unwrap();
    assert!(handle.migrations_report().rebuilt());
    drop(handle);
    second.shutdown(Duration::from_secs(5)).await;

    let rows: Vec<_> = spans("larder.query", id).into_iter().map(|span| span.fields["rows"].clone()).collect();
    assert_eq!(rows, ["2", "1"]);
    for (name, fields) in [
        ("larder.verify", &["events", "id", "micros", "store"][..]),
        ("larder.backup", &["id", "micros", "store"]),
        ("larder.rebuild", &["events", "failed", "id", "micros", "store"]),
    ] {
        let found = spans(name, id);
        let [span] = &found[..] else { panic!("{name}: {found:?}") };
        assert_eq!(names(span), fields, "{name}");
    }
    assert_eq!(spans("larder.rebuild", id)[0].fields["events"], "2");
}
