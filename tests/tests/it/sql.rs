//! SQL of `queries { .. }` is checked while compiling wherever the schema stands; what it reads is a constant.

use larder::{TableReads, prelude::*};
use larder_tests::{
    lab::Lab,
    // Another crate's schema, under another name: its macro comes along.
    notebook::{NoteEvent, NotebookSchema as Foreign},
};

mod inner {
    //! A schema that nobody outside imports.

    use larder::prelude::*;

    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "stamps", index(at))]
    pub(super) struct Stamp {
        #[table(primary_key)]
        pub(super) id: i64,
        pub(super) at: Timestamp,
        pub(super) kind: Kind,
    }

    #[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
    pub(super) enum Kind {
        Round,
        Square,
    }

    #[derive(Event, Clone, Debug)]
    pub(super) enum StampEvent {
        #[event(name = "v1.Stamped")]
        Stamped { id: i64, at: Timestamp },
    }

    pub(super) mod deep {
        //! Names its tables by paths.

        use larder::prelude::*;

        #[derive(StoreSchema)]
        #[schema(events = super::StampEvent, tables(super::Stamp))]
        pub(in super::super) struct StampSchema;

        #[larder::materializer]
        impl Materializer for StampSchema {
            fn materialize(
                event: &super::StampEvent,
                _: &EventContext,
                tables: &mut Tables<'_, Self>,
            ) -> MaterializeResult {
                let super::StampEvent::Stamped { id, at } = event;
                let kind = if id % 2 == 0 { super::Kind::Round } else { super::Kind::Square };
                tables.insert(super::Stamp { id: *id, at: *at, kind })
            }
        }
    }
}

define_store! {
    ForeignStore {
        name: "foreign",
        schema: Foreign,
        adapter: SqliteAdapter::persisted(),

        queries {
            fn longest() -> Vec<(i64, String, i64)> =
                "SELECT number, text, length(text) FROM notes ORDER BY length(text) DESC, number";
            fn weights(note: i64) -> Vec<(i64, Option<f64>)> =
                "SELECT l.at, l.weight FROM lines AS l JOIN notes n ON n.number = l.note WHERE n.number = :note";
            #[indexed]
            fn text(number: i64) -> Option<String> = "SELECT text FROM notes WHERE number = :number";
            fn known(wanted: &str) -> bool = "SELECT EXISTS (SELECT 1 FROM notes WHERE text = :wanted)";
            fn items(number: i64) -> Vec<i64> =
                "SELECT value FROM notes AS n, json_each(n.text) WHERE n.number = :number ORDER BY key";
            fn weighed() -> Vec<f64> = "SELECT weight FROM lines WHERE weight IS NOT NULL";
        }
    }
}

define_store! {
    StampStore {
        name: "stamps",
        schema: inner::deep::StampSchema,
        adapter: SqliteAdapter::persisted(),

        queries {
            #[indexed]
            fn since(at: Timestamp, most: i64) -> Vec<inner::Stamp> =
                "WITH recent AS (SELECT * FROM stamps WHERE at >= :at) SELECT * FROM recent LIMIT :most";
            fn kinds() -> Vec<(inner::Kind, i64)> = "SELECT kind, count(*) FROM stamps GROUP BY kind ORDER BY kind";
            fn of(kind: inner::Kind) -> i64 = "SELECT count(*) FROM stamps WHERE kind = :kind";
        }
    }
}

#[tokio::test]
async fn sql_is_checked_against_a_schema_of_another_crate() {
    for mut lab in Lab::both() {
        let store = lab.registry().get::<ForeignStore>("a").await.unwrap();
        let written = |number, text: &str| NoteEvent::Written { number, text: text.to_owned() };
        store.commit([written(1, "one"), written(2, "two and more")]).unwrap();
        store.commit(NoteEvent::LineAdded { note: 1, at: 5 }).unwrap();
        assert_eq!(store.query(ForeignStore::longest()).unwrap()[0], (2, "two and more".to_owned(), 12));
        assert_eq!(store.query(ForeignStore::weights(1)).unwrap().len(), 1);
        assert_eq!(store.query(ForeignStore::text(1)).unwrap().as_deref(), Some("one"));
        assert_eq!(store.query((ForeignStore::known("one"), ForeignStore::known("three"))), Ok((true, false)));
        assert!(store.query(ForeignStore::weighed()).is_ok());
    }
}

#[tokio::test]
async fn json_in_a_column_is_taken_apart_and_only_the_column_is_read() {
    for mut lab in Lab::both() {
        let store = lab.registry().get::<ForeignStore>("a").await.unwrap();
        store.commit(NoteEvent::Written { number: 1, text: "[3, 1, 2]".to_owned() }).unwrap();
        assert_eq!(store.query(ForeignStore::items(1)), Ok(vec![3, 1, 2]));
        let columns = &["number", "text"][..];
        assert_eq!(ForeignStore::items(1).reads(), [TableReads { table: "notes", columns }]);
    }
}

#[tokio::test]
async fn sql_is_checked_against_a_schema_of_another_module() {
    for mut lab in Lab::both() {
        let store = lab.registry().get::<StampStore>("a").await.unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let stamped = |id| inner::StampEvent::Stamped { id, at: at(id) };
        store.commit((1..=5).map(stamped).collect::<Vec<_>>()).unwrap();
        let since = store.query(StampStore::since(at(3), 2)).unwrap();
        assert_eq!(since.iter().map(|stamp| stamp.id).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(store.query(StampStore::kinds()), Ok(vec![(inner::Kind::Round, 2), (inner::Kind::Square, 3)]));
        assert_eq!(store.query(StampStore::of(inner::Kind::Round)), Ok(2));
    }
}

#[test]
fn what_a_query_reads_is_known_without_running_it() {
    let reads = |table, columns| TableReads { table, columns };
    assert_eq!(ForeignStore::longest().reads(), [reads("notes", &["number", "text"][..])]);
    let mut weights: Vec<_> = ForeignStore::weights(1).reads().to_vec();
    weights.sort_by_key(|reads| reads.table);
    assert_eq!(weights[0].table, "lines");
    assert_eq!(weights[1], reads("notes", &["number"]));
    assert_eq!(StampStore::of(inner::Kind::Square).reads(), [reads("stamps", &["kind"][..])]);
}
