//! Every shape of event and every type of column, through commit, reload, rebuild and verify.

use larder::{CommitErrorKind, EventNumber, LogChange, Migration, RebuildReason, prelude::*, serde};
use larder_tests::lab::Lab;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "things")]
struct Thing {
    #[table(primary_key)]
    id: Uuid,
    name: Name,
    kind: Kind,
    bytes: Vec<u8>,
    at: Timestamp,
    json: Json<Vec<Point>>,
    small: u8,
    number: i64,
    float: f64,
    flag: bool,
    maybe_bytes: Option<Vec<u8>>,
    maybe_id: Option<Uuid>,
    maybe_at: Option<Timestamp>,
    maybe_json: Option<Json<Point>>,
    maybe_name: Option<Name>,
    maybe_flag: Option<bool>,
}

#[derive(ColumnValue, Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(crate = "larder::serde")]
struct Name(String);

#[derive(ColumnValue, Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(crate = "larder::serde")]
enum Kind {
    Plain,
    #[column(name = "odd one")]
    Odd,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(crate = "larder::serde")]
struct Point {
    x: f64,
    label: Option<String>,
}

/// Keyed by two columns, one of them bytes.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "pairs")]
struct Pair {
    #[table(primary_key)]
    key: Vec<u8>,
    #[table(primary_key)]
    at: Timestamp,
    count: i64,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum ThingEvent {
    #[event(name = "v1.ThingMade")]
    Made {
        id: Uuid,
        name: Name,
        kind: Kind,
        bytes: Vec<u8>,
        at: Timestamp,
        points: Json<Vec<Point>>,
        float: f64,
        maybe: Option<Point>,
    },
    #[event(name = "v1.Emptied")]
    Emptied,
    #[event(name = "v1.IdRemoved")]
    Removed(Uuid),
    #[event(name = "v1.Stamped")]
    Stamped(Timestamp),
    #[event(name = "v1.BytesCounted")]
    Counted(Vec<u8>),
    #[event(name = "v1.MaybeNamed")]
    MaybeNamed(Option<Name>),
    #[event(name = "v1.Pinged")]
    Pinged {},
}

#[derive(StoreSchema)]
#[schema(events = ThingEvent, tables(Thing, Pair), version = 1)]
struct ThingSchema;

#[larder::materializer]
impl Materializer for ThingSchema {
    fn materialize(event: &ThingEvent, about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let count = i64::try_from(about.number().global()).unwrap_or(i64::MAX);
        match event {
            ThingEvent::Made { id, name, kind, bytes, at, points, float, maybe } => tables.insert(Thing {
                id: *id,
                name: name.clone(),
                kind: *kind,
                bytes: bytes.clone(),
                at: *at,
                json: points.clone(),
                small: u8::MAX,
                number: i64::MIN,
                float: *float,
                flag: *kind == Kind::Odd,
                maybe_bytes: maybe.as_ref().map(|_| bytes.clone()),
                maybe_id: maybe.as_ref().map(|_| *id),
                maybe_at: maybe.as_ref().map(|_| *at),
                maybe_json: maybe.clone().map(Json),
                maybe_name: maybe.as_ref().map(|_| name.clone()),
                maybe_flag: maybe.as_ref().map(|_| false),
            }),
            ThingEvent::Emptied => tables.delete(Pair::all()).run(),
            ThingEvent::Removed(id) => tables.delete(Thing::by_key(id)).run_one(),
            ThingEvent::Stamped(at) => tables.upsert(Pair { key: Vec::new(), at: *at, count }),
            ThingEvent::Counted(key) => tables.insert(Pair { key: key.clone(), at: Timestamp::UNIX_EPOCH, count }),
            ThingEvent::MaybeNamed(name) => {
                tables.update(Thing::filter(Thing::FLAG.eq(true))).set(Thing::MAYBE_NAME, name.clone()).run()
            }
            ThingEvent::Pinged {} => Ok(()),
        }
    }
}

larder::define_store! {
    /// Things.
    Things { name: "things", schema: ThingSchema, adapter: SqliteAdapter::persisted() }
}

fn made(number: u128, kind: Kind, maybe: Option<Point>) -> ThingEvent {
    ThingEvent::Made {
        id: Uuid::from_u128(number),
        name: Name("na\0me\u{1f600}".to_owned()),
        kind,
        bytes: vec![0, 1, 255],
        at: Timestamp::from_microsecond(-1).unwrap(),
        points: Json(vec![Point { x: 0.1, label: None }, Point { x: -0.0, label: Some("\"".to_owned()) }]),
        float: f64::MIN_POSITIVE,
        maybe,
    }
}

fn events() -> Vec<ThingEvent> {
    vec![
        ThingEvent::Counted(vec![7]),
        ThingEvent::Emptied,
        made(1, Kind::Plain, None),
        made(u128::MAX, Kind::Odd, Some(Point { x: 1e300, label: Some(String::new()) })),
        made(3, Kind::Odd, None),
        ThingEvent::Stamped(Timestamp::from_microsecond(1).unwrap()),
        ThingEvent::Counted(Vec::new()),
        ThingEvent::Counted(vec![255, 0]),
        ThingEvent::Removed(Uuid::from_u128(1)),
        ThingEvent::MaybeNamed(Some(Name(String::new()))),
        ThingEvent::MaybeNamed(None),
        ThingEvent::Pinged {},
    ]
}

async fn logged(store: &StoreHandle<Things>) -> Vec<ThingEvent> {
    let mut stream = store.events(EventNumber::ZERO).with_pending();
    let mut all = Vec::new();
    while all.len() < events().len() {
        let LogChange::Event(event) = stream.next().await.unwrap().unwrap() else { panic!("an event") };
        all.push(ThingEvent::decode(&event.name, event.args.as_deref()).unwrap().unwrap());
    }
    all
}

#[tokio::test]
async fn every_event_and_column_comes_back_after_a_reload_and_after_a_rebuild() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Things>().await;
    store.commit(events()).unwrap();
    let read = |store: &StoreHandle<Things>| store.query((Thing::all(), Pair::all())).unwrap();
    let before = read(&store);
    let (things, pairs) = &before;
    assert_eq!((things.len(), pairs.len()), (2, 3));
    let ids: Vec<u128> = things.iter().map(|thing| thing.id.as_u128()).collect();
    assert_eq!(ids, [3, u128::MAX]);
    assert_eq!((things[1].float, things[1].number, things[1].small), (f64::MIN_POSITIVE, i64::MIN, u8::MAX));
    assert_eq!(things[1].maybe_json, Some(Json(Point { x: 1e300, label: Some(String::new()) })));
    assert_eq!(
        store.query(Pair::by_key((vec![255_u8, 0], Timestamp::UNIX_EPOCH))).unwrap().map(|pair| pair.count),
        Some(8)
    );
    assert_eq!(logged(&store).await, events());
    assert!(store.verify().unwrap().is_sound());
    drop(store);
    lab.close().await;

    let store = lab.open::<Things>().await;
    assert_eq!(store.migrations_report().migration, Migration::Unchanged);
    assert_eq!(read(&store), before);
    drop(store);
    lab.close().await;

    lab.sqlite("things").execute("UPDATE larder_meta SET value = zeroblob(16) WHERE key = 'fingerprint'", []).unwrap();
    let store = lab.open::<Things>().await;
    assert_eq!((store.migrations_report().rebuilt(), store.migrations_report().failed), (true, 0));
    assert_eq!(read(&store), before);
    assert_eq!(logged(&store).await, events());
}

#[tokio::test]
async fn tables_can_be_deleted_at_any_time_and_come_back_row_for_row() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Things>().await;
    store.commit(events()).unwrap();
    let before = store.query((Thing::all(), Pair::all())).unwrap();
    drop(store);
    lab.close().await;
    for sql in ["DROP TABLE things", "DROP TABLE pairs; DROP TABLE things"] {
        lab.sqlite("things").execute_batch(sql).unwrap();
        let store = lab.open::<Things>().await;
        assert_eq!(store.migrations_report().migration, Migration::Rebuilt(RebuildReason::Damaged), "{sql}");
        assert_eq!(store.query((Thing::all(), Pair::all())).unwrap(), before, "{sql}");
        assert!(store.verify().unwrap().is_sound(), "{sql}");
        drop(store);
        lab.close().await;
    }
    assert_eq!(lab.open::<Things>().await.migrations_report().migration, Migration::Unchanged);
}

#[tokio::test]
async fn a_float_that_is_not_finite_is_a_commit_error_that_gives_the_events_back() {
    for mut lab in Lab::both() {
        let store = lab.open::<Things>().await;
        for (number, bad) in [(1, f64::NAN), (2, f64::INFINITY), (3, f64::NEG_INFINITY)] {
            let mut event = made(number, Kind::Plain, None);
            let ThingEvent::Made { float, .. } = &mut event else { panic!("a thing is made") };
            *float = bad;
            // Also deep inside of a field.
            let nested = made(number, Kind::Plain, Some(Point { x: bad, label: None }));
            for event in [event, nested] {
                let error = store.commit([ThingEvent::Emptied, event]).unwrap_err();
                assert!(matches!(error.kind(), CommitErrorKind::Encode { event: "v1.ThingMade", .. }), "{error}");
                assert!(error.to_string().contains("nothing was committed"), "{error}");
                assert_eq!(error.into_events()[0], ThingEvent::Emptied);
            }
        }
        assert_eq!((store.head(), store.query(Thing::all().count())), (EventNumber::ZERO, Ok(0)));
    }
}
