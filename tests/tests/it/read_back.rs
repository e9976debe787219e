//! A commit builds what the text of its events says: the same as every rebuild and every other client.

use std::collections::BTreeMap;

use larder::{CommitErrorKind, EventEncodeError, prelude::*, testing::given};
use larder_tests::lab::Lab;
use proptest::prelude::*;

/// Seconds, which forget what is less than one.
mod seconds {
    use larder::serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(millis: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(millis / 1_000)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        i64::deserialize(deserializer).map(|seconds| seconds * 1_000)
    }
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "readings")]
struct Reading {
    #[table(primary_key)]
    number: i64,
    value: f64,
    single: f32,
    many: Json<Vec<f64>>,
    millis: i64,
    note: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum ReadingEvent {
    #[event(name = "v1.Read")]
    Read { number: i64, value: f64, single: f32, many: Vec<f64> },
    #[event(name = "v1.Skipped")]
    Skipped {
        number: i64,
        #[serde(skip)]
        note: String,
        #[serde(with = "seconds")]
        millis: i64,
    },
    #[event(name = "v1.Unwritten")]
    Unwritten {
        number: i64,
        #[serde(skip_serializing_if = "String::is_empty")]
        note: String,
    },
    #[event(name = "v1.Twice")]
    Twice {
        number: i64,
        #[serde(flatten)]
        rest: BTreeMap<String, i64>,
    },
}

#[derive(StoreSchema)]
#[schema(events = ReadingEvent, tables(Reading), version = 1)]
struct ReadingSchema;

impl ReadingEvent {
    fn reading(&self) -> Reading {
        let plain =
            |number| Reading { number, value: 0.0, single: 0.0, many: Json(vec![]), millis: 0, note: String::new() };
        match self {
            Self::Read { number, value, single, many } => {
                Reading { value: *value, single: *single, many: Json(many.clone()), ..plain(*number) }
            }
            Self::Skipped { number, note, millis } => Reading { note: note.clone(), millis: *millis, ..plain(*number) },
            Self::Unwritten { number, note } => Reading { note: note.clone(), ..plain(*number) },
            Self::Twice { number, rest } => Reading { millis: rest.len() as i64, ..plain(*number) },
        }
    }
}

#[larder::materializer]
impl Materializer for ReadingSchema {
    fn materialize(event: &ReadingEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        tables.insert(event.reading())
    }
}

larder::define_store! {
    /// Readings.
    Readings { name: "readings", schema: ReadingSchema, adapter: SqliteAdapter::persisted() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn floats_are_the_same_to_the_last_bit_after_a_rebuild(
        values in prop::collection::vec((prop::num::f64::NORMAL, prop::num::f32::NORMAL), 100),
    ) {
        let event = |(number, (value, single)): (i64, (f64, f32))| {
            ReadingEvent::Read { number, value, single, many: vec![value, -value] }
        };
        let events: Vec<_> = (1..).zip(values).map(event).collect();
        let expected: Vec<_> = events.iter().map(ReadingEvent::reading).collect();
        let after = given::<Readings>([]).when(events).then(Reading::all(), expected);
        let report = after.store().verify().unwrap();
        prop_assert!(report.is_sound(), "{report:?}");
    }
}

#[tokio::test]
async fn what_serde_leaves_out_is_left_out_by_the_commit_too() {
    for mut lab in Lab::both() {
        let store = lab.open::<Readings>().await;
        store.commit(ReadingEvent::Skipped { number: 1, note: "never written".into(), millis: 2_500 }).unwrap();
        let row = store.query(Reading::by_key(1).one()).unwrap();
        assert_eq!((row.note.as_str(), row.millis), ("", 2_000));
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn an_event_whose_text_cannot_be_read_again_is_not_committed() {
    for mut lab in Lab::both() {
        let store = lab.open::<Readings>().await;
        let twice = BTreeMap::from([("number".to_owned(), 7)]);
        for event in
            [ReadingEvent::Unwritten { number: 1, note: String::new() }, ReadingEvent::Twice { number: 1, rest: twice }]
        {
            let error = store.commit(event.clone()).unwrap_err();
            let text = error.to_string();
            let CommitErrorKind::Encode { source: EventEncodeError::NotReadable(_), .. } = error.kind() else {
                panic!("{text}")
            };
            assert!(text.contains("#[serde(default)]") && text.contains("nothing was committed"), "{text}");
            assert_eq!(error.into_events(), [event]);
        }
        store.commit(ReadingEvent::Unwritten { number: 1, note: "written".into() }).unwrap();
        assert_eq!(store.head(), "e1".parse().unwrap());
        assert!(store.verify().unwrap().is_sound());
    }
}
