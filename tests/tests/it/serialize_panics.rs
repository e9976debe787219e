//! Encoding runs the app's `Serialize`: one that panics fails its commit, and the events come back.

use larder::{CommitErrorKind, EventEncodeError, prelude::*, serde};
use larder_tests::lab::Lab;

/// A number that cannot be written when it is odd.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(crate = "larder::serde")]
struct Even(i64);

impl serde::Serialize for Even {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 % 2 == 0, "{} is odd", self.0);
        serializer.serialize_i64(self.0)
    }
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "evens")]
struct Row {
    #[table(primary_key)]
    number: i64,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum EvenEvent {
    #[event(name = "v1.EvenCounted")]
    Counted(Even),
}

#[derive(StoreSchema)]
#[schema(events = EvenEvent, tables(Row), version = 1)]
struct EvenSchema;

#[larder::materializer]
impl Materializer for EvenSchema {
    fn materialize(event: &EvenEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let EvenEvent::Counted(Even(number)) = event;
        tables.insert(Row { number: *number })
    }
}

larder::define_store! {
    /// Even numbers.
    Evens { name: "evens", schema: EvenSchema, adapter: SqliteAdapter::persisted() }
}

#[tokio::test]
async fn an_event_whose_serialize_panics_fails_its_commit_and_comes_back() {
    for mut lab in Lab::both() {
        let store = lab.open::<Evens>().await;
        let events = [2, 3].map(|number| EvenEvent::Counted(Even(number)));
        let refused = [store.commit_async(events.clone()).await, store.commit(events.clone())];
        for error in refused.map(Result::unwrap_err) {
            let text = error.to_string();
            let CommitErrorKind::Encode {
                event: "v1.EvenCounted", source: EventEncodeError::Panicked(message), ..
            } = error.kind()
            else {
                panic!("{text}")
            };
            assert_eq!(message, "3 is odd");
            assert!(text.contains(&store.name().to_string()) && text.contains("mend its `Serialize`"), "{text}");
            assert_eq!(error.into_events(), events);
        }
        assert_eq!(store.query(Row::all()).unwrap(), []);
        store.commit_async(EvenEvent::Counted(Even(4))).await.unwrap();
        assert_eq!(store.query(Row::all()).unwrap(), [Row { number: 4 }]);
    }
}
