//! What one side takes, the others take: what commits is confirmed, and what the server keeps every client reads.

use std::{path::Path, sync::Arc};

use larder::{CommitErrorKind, EventEncodeError, StoreOptions, SyncError, prelude::*};
use larder_server::{MemoryStorage, OpenToAll, Settings, SqliteStorage};
use larder_wire::{Exit, Failure, Limits, Refusal, RefusalKind, ServerFrame};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    apps::{Client, PATIENCE, Way},
    lab::{Lab, event, failure, post, push},
};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "things")]
struct Thing {
    #[table(primary_key)]
    place: i64,
    bytes: i64,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum ThingEvent {
    #[event(name = "v1.Noted")]
    Noted(Value),
    /// As long as a name may be, and each byte of it two in JSON.
    #[event(
        name = r#""\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"#
    )]
    Quoted(String),
}

#[derive(StoreSchema)]
#[schema(events = ThingEvent, tables(Thing), version = 1)]
struct ThingSchema;

#[larder::materializer]
impl Materializer for ThingSchema {
    fn materialize(event: &ThingEvent, about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let bytes = match event {
            ThingEvent::Noted(value) => value.to_string().len(),
            ThingEvent::Quoted(text) => text.len() + 2,
        };
        tables.insert(Thing { place: about.number().global() as i64, bytes: bytes as i64 })
    }
}

define_store! {
    /// Things of any size.
    Things {
        name: "things",
        schema: ThingSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

async fn things(client: &Client, id: &str) -> StoreHandle<Things> {
    client.registry.get::<Things>(id).await.expect("it loads")
}

async fn confirmed(things: &Store<Things>, events: Vec<ThingEvent>) {
    let receipt = things.commit(events).expect("it commits");
    let confirmed = timeout(PATIENCE, receipt.confirmed()).await;
    confirmed.unwrap_or_else(|_| panic!("not in time: {:?}", things.sync_status())).expect("confirmed");
}

/// Waits until a store shows so many things.
async fn shows(things: &Store<Things>, expected: usize) -> Vec<Thing> {
    let mut found = things.subscribe(Thing::all());
    let shown = timeout(PATIENCE, async {
        loop {
            let shown = found.next().await.expect("it goes on").expect("it reads");
            if shown.len() == expected {
                return shown.to_vec();
            }
        }
    });
    shown.await.unwrap_or_else(|_| panic!("not {expected}: {:?}", things.sync_status()))
}

fn of_bytes(bytes: usize) -> ThingEvent {
    ThingEvent::Noted("x".repeat(bytes - 2).into())
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

async fn on_disk(data: &Path) -> Lab {
    let storage = Arc::new(SqliteStorage::open(data).expect("a log"));
    Lab::start(Settings::default(), storage, Arc::new(OpenToAll)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_event_that_commits_is_confirmed_and_one_byte_more_does_not_commit() {
    let data = tempfile::tempdir().expect("a folder");
    let lab = on_disk(data.path()).await;
    for way in Way::ALL {
        let (author, reader) = (Client::new(way.to(lab.address), StoreOptions::new()), Way::Ws.to(lab.address));
        let store = format!("things-{way:?}");
        let written = things(&author, &store).await;
        let error = written.commit(of_bytes(Limits::EVENT_BYTES + 1)).expect_err("too large");
        let kind = error.kind();
        assert!(matches!(kind, CommitErrorKind::EventTooLarge { bytes: 262_145, limit: 262_144, .. }), "{error}");
        assert!(error.to_string().contains("262145 bytes, the limit is 262144"), "{error}");
        // Alone, and with others in front of it and behind.
        confirmed(&written, vec![of_bytes(Limits::EVENT_BYTES)]).await;
        let largest = || ThingEvent::Quoted("x".repeat(Limits::EVENT_BYTES - 2));
        confirmed(&written, vec![of_bytes(2), largest(), largest(), largest(), largest(), of_bytes(2)]).await;
        // As many as a push may have, and full.
        confirmed(&written, vec![ThingEvent::Quoted("x".repeat(8_600)); 250]).await;
        let reader = Client::new(reader, StoreOptions::new());
        let read = things(&reader, &store).await;
        let shown = shows(&read, 257).await;
        assert_eq!(shown.iter().filter(|thing| thing.bytes == 262_144).count(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_message_has_room_for_is_said_to_its_store_and_holds_up_no_other() {
    let lab = Lab::open().await;
    for way in Way::ALL {
        let author = Client::new(way.to(lab.address), StoreOptions::new().max_event_bytes(4 << 20));
        let (stuck, other) =
            (things(&author, &format!("stuck-{way:?}")).await, things(&author, &format!("other-{way:?}")).await);
        confirmed(&other, vec![of_bytes(2)]).await;
        let mut statuses = stuck.watch_sync();
        stuck.commit(of_bytes(3 << 20)).expect("it commits here");
        let refused = timeout(PATIENCE, async {
            while stuck.sync_status().last_error.is_none() {
                statuses.next().await.expect("it goes on");
            }
        });
        refused.await.expect("in time");
        let error = stuck.sync_status().last_error.expect("an error");
        assert!(matches!(&error, SyncError::Refused { refusal: larder::Refusal::TooLarge, .. }), "{error}");
        assert!(error.to_string().contains("2097152"), "{error}");
        confirmed(&other, vec![of_bytes(2)]).await;
        assert!(author.registry.network().is_connected(), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_no_server_takes_do_not_commit() {
    let lab = Lab::open().await;
    let registry = |client_id: String| {
        let defaults = StoreOptions::new().sync(Way::Ws.to(lab.address));
        let folder = tempfile::tempdir().expect("a folder");
        let builder = StoreRegistry::builder().data_dir(folder.path()).defaults(defaults);
        Client { registry: builder.client_id(client_id.as_str().into()).build().expect("a registry"), folder }
    };
    let longest = Limits::LABEL_BYTES - "v1.Noted".len() - 32;
    let (fits, too_long) = (registry("c".repeat(longest)), registry("c".repeat(longest + 1)));
    confirmed(&*things(&fits, "things").await, vec![of_bytes(2)]).await;
    let error = things(&too_long, "other").await.commit(of_bytes(2)).expect_err("too long");
    assert!(matches!(error.kind(), CommitErrorKind::LabelsTooLong { bytes: 1025, limit: 1024, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deepest_arguments_that_commit_are_confirmed_and_read_by_others() {
    let lab = Lab::open().await;
    for way in Way::ALL {
        let (author, reader) = (way.to(lab.address), way.to(lab.address));
        let (author, reader) = (Client::new(author, StoreOptions::new()), Client::new(reader, StoreOptions::new()));
        let store = format!("things-{way:?}");
        let written = things(&author, &store).await;
        for levels in 1..=70 {
            match written.commit(ThingEvent::Noted(nested(levels))) {
                Ok(_) => assert!(levels <= Limits::JSON_DEPTH),
                Err(error) => {
                    assert!(levels > Limits::JSON_DEPTH, "{error}");
                    let CommitErrorKind::Encode { source, .. } = error.kind() else { panic!("{error}") };
                    assert!(matches!(source, EventEncodeError::TooDeep { limit: Limits::JSON_DEPTH }), "{error}");
                }
            }
        }
        confirmed(&written, vec![of_bytes(2)]).await;
        let read = things(&reader, &store).await;
        assert_eq!(shows(&read, 65).await[63].bytes, 2 * 64 + 4);
        assert_eq!(read.failed_events().expect("it reads"), []);
    }
}

#[tokio::test]
async fn a_push_that_is_too_deep_is_refused_and_another_stores_live_pull_goes_on() {
    let lab = Lab::open().await;
    let mut writer = lab.larder().await;
    for (mut socket, other) in [(lab.larder().await, "b"), (lab.typescript("a").await, "a")] {
        let live = socket.pull_live("a", None).await;
        let mut head = socket.page_of(&live).await.batch.last().map_or(0, |last| last.event.seq_num);
        for levels in [65, 68, 69, 1_000, 500_000] {
            let id = socket.ask(other, None, push(vec![event(1, &deep(levels))])).await;
            let Failure::Refused(Refusal { kind, message, .. }) = failure(socket.exit_of(&id).await) else {
                panic!("no refusal")
            };
            assert_eq!(kind, RefusalKind::TooLarge);
            assert!(message.contains("nested deeper than 64 levels"), "{message}");
            let frames = post(lab.address, "c", None, push(vec![event(1, &deep(levels))])).await.frames();
            let [ServerFrame::Exit { exit, .. }] = &frames[..] else { panic!("{frames:?}") };
            assert_eq!(failure(exit.clone()), Failure::Refused(Refusal::new(kind, message)), "both doors say the same");
            assert_eq!(writer.push("a", head, 1).await, Exit::Pushed);
            head += 1;
            assert_eq!(socket.page_of(&live).await.batch.last().map(|last| last.event.seq_num), Some(head));
        }
    }
    assert_eq!(writer.push("b", 0, 1).await, Exit::Pushed, "nothing of it was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_deeper_than_an_app_can_read_cost_that_event_and_no_connection() {
    let settings = Settings { wire: Limits { json_depth: 100_000, ..Limits::default() }, ..Settings::default() };
    let lab = Lab::start(settings, Arc::new(MemoryStorage::new()), Arc::new(OpenToAll)).await;
    for way in [Way::Ws, Way::Http, Way::WsOfLiveStore] {
        let client = Client::new(way.to(lab.address), StoreOptions::new());
        let stores = [format!("deep-{way:?}"), format!("other-{way:?}")];
        let mut writer = lab.larder().await;
        let batch = [deep(80), deep(60_000), "1".to_owned()];
        let batch = (1..).zip(batch).map(|(number, args)| event(number, &args)).collect();
        let id = writer.ask(&stores[0], None, push(batch)).await;
        assert_eq!(writer.exit_of(&id).await, Exit::Pushed);
        writer.quit().await;
        let other = things(&client, &stores[1]).await;
        confirmed(&other, vec![of_bytes(2)]).await;
        let deep = things(&client, &stores[0]).await;
        confirmed(&deep, vec![of_bytes(2)]).await;
        // One that the app can read is read, the other one is listed, and what comes behind it goes on.
        assert_eq!(shows(&deep, 3).await.iter().map(|thing| thing.place).collect::<Vec<_>>(), [1, 3, 4]);
        let failed = deep.failed_events().expect("it reads");
        assert_eq!(failed.iter().map(|failed| failed.event.number.global()).collect::<Vec<_>>(), [2]);
        confirmed(&other, vec![of_bytes(2)]).await;
        if way == Way::Ws {
            assert_eq!(lab.metric("sockets").await, 1, "one connection, which never broke");
        }
    }
}
