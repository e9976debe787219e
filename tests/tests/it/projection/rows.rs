//! Whose rows there are, who writes them, and what is refused.

use larder::{LoadError, QueryErrorKind, StoreId, prelude::*};
use larder_tests::{
    lab::Lab,
    notebook::{NoteEvent, Notebook, written},
};

use super::{Book, Listed, Shelf, close, commit, counts, id, next, rows};

#[tokio::test]
async fn each_row_has_its_source_and_an_event_sees_and_changes_rows_of_its_own_alone() {
    for mut lab in Lab::both() {
        let mut held = Vec::new();
        for number in 1..=3 {
            let store = lab.registry().get::<Notebook>(&id(number)).await.unwrap();
            store.commit([written(1), written(number as i64)].into_iter().take(number).collect::<Vec<_>>()).unwrap();
            held.push(store);
        }
        held[1].commit(NoteEvent::LookedAt(7)).unwrap();
        held[2].commit([NoteEvent::Erased(1), NoteEvent::AllErased, written(9)]).unwrap();
        let shelf = lab.registry().projection::<Shelf>().await.unwrap();
        let all = shelf.query(Listed::all()).unwrap();
        assert_eq!(rows(&all), [("book:1", 1), ("book:2", 1), ("book:2", 2), ("book:3", 9)]);
        assert_eq!(all[1].source.key::<StoreId>(), Ok(id(2)));
        let books = counts(shelf.query(Book::all()).unwrap());
        assert_eq!(books["book:1"], (1, None));
        assert_eq!((books["book:2"], books["book:3"]), ((2, Some(7)), (3, None)));
        assert_eq!(shelf.query(Shelf::notes()).unwrap(), 4);
        let of_two = shelf.query(Listed::filter(Listed::SOURCE.eq(SourceId::from(id(2)))).count()).unwrap();
        assert_eq!(of_two, 2);
        assert_eq!(shelf.sources().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn an_event_that_does_not_materialize_is_passed_over_whole_and_counted() {
    let mut lab = Lab::on_disk();
    commit(&mut lab, 1, written(1)).await;
    commit(&mut lab, 1, NoteEvent::LookedAt(-5)).await;
    commit(&mut lab, 2, NoteEvent::LookedAt(-5)).await;
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    commit(&mut lab, 1, NoteEvent::LookedAt(-6)).await;
    commit(&mut lab, 1, written(2)).await;
    shelf.catch_up().await.unwrap();
    assert_eq!(rows(&shelf.query(Listed::all()).unwrap()), [("book:1", 1), ("book:1", 2)]);
    let sources = shelf.sources().unwrap();
    assert_eq!((sources[0].head.to_string(), sources[0].failed, sources[1].failed), ("e2".to_owned(), 2, 1));
    let reason = sources[0].reason.clone().unwrap();
    assert!(reason.contains("event e1.1") && reason.contains("nothing is there"), "{reason}");
    shelf.rebuild().await.unwrap();
    assert_eq!(shelf.sources().unwrap(), sources);
}

#[derive(Table)]
struct Unique {
    #[table(primary_key)]
    source: SourceId,
    #[table(unique)]
    number: i64,
}

#[derive(Table)]
struct Keyless {
    source: SourceId,
    #[table(primary_key)]
    number: i64,
}

#[derive(Table)]
struct Greedy {
    #[table(primary_key)]
    source: SourceId,
    number: i64,
}

macro_rules! projection {
    ($definition:ident $schema:ident $name:literal $table:ident: |$event:ident, $tables:ident| $work:expr) => {
        #[derive(StoreSchema)]
        #[schema(events = NoteEvent, tables($table), version = 1)]
        struct $schema;

        #[larder::materializer]
        impl Materializer for $schema {
            fn materialize($event: &NoteEvent, _: &EventContext, $tables: &mut Tables<'_, Self>) -> MaterializeResult {
                $work
            }
        }

        define_projection! {
            $definition { name: $name, source: Notebook, schema: $schema, adapter: SqliteAdapter::persisted() }
        }
    };
}

projection!(UniqueShelf UniqueSchema "unique" Unique: |_event, _tables| Ok(()));
projection!(KeylessShelf KeylessSchema "keyless" Keyless: |_event, _tables| Ok(()));
projection!(GreedyShelf GreedySchema "greedy" Greedy: |event, tables| match event {
    NoteEvent::Written { number: 1, .. } => tables.insert(Greedy { source: SourceId::from("x:1".parse::<StoreId>().unwrap()), number: 1 }),
    NoteEvent::Written { number: 2, .. } => tables.execute_sql("DELETE FROM greedy", ()),
    NoteEvent::Written { number: 3, .. } => {
        let other = SourceId::from("x:1".parse::<StoreId>().unwrap());
        tables.query(Greedy::by_key(other)).map(drop).map_err(Into::into)
    }
    NoteEvent::Written { .. } => {
        let moved = SourceId::from("x:1".parse::<StoreId>().unwrap());
        tables.update(Greedy::all()).set(Greedy::SOURCE, moved).set(Greedy::NUMBER, 4).run()
    }
    _ => Ok(()),
});

#[derive(StoreSchema)]
#[schema(events = NoteEvent, tables(Greedy), version = 1)]
struct PlainSchema;

#[larder::materializer]
impl Materializer for PlainSchema {
    fn materialize(_: &NoteEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

define_store! {
    PlainStore { name: "plain", schema: PlainSchema, adapter: SqliteAdapter::persisted() }
}

#[tokio::test]
async fn a_schema_by_which_sources_could_meet_is_refused() {
    let mut lab = Lab::in_memory();
    let refused = |error: LoadError, words: &str| {
        assert!(matches!(error, LoadError::Schema { .. }) && error.to_string().contains(words), "{error}");
    };
    refused(lab.registry().projection::<UniqueShelf>().await.unwrap_err(), "unique");
    refused(lab.registry().projection::<KeylessShelf>().await.unwrap_err(), "primary key");
    refused(lab.registry().get::<PlainStore>("plain:1").await.unwrap_err(), "projections");
}

#[tokio::test]
async fn what_would_reach_another_source_is_set_right_or_refused() {
    let mut lab = Lab::on_disk();
    for number in 1..=3 {
        commit(&mut lab, 1, written(number)).await;
    }
    let greedy = lab.registry().projection::<GreedyShelf>().await.unwrap();
    let all = greedy.query(Greedy::all()).unwrap();
    assert_eq!((all.len(), all[0].source.to_string()), (1, "book:1".to_owned()), "whatever the row says");
    let source = greedy.sources().unwrap().remove(0);
    assert_eq!(source.failed, 2, "SQL, and the key of another source");
    commit(&mut lab, 1, written(4)).await;
    greedy.catch_up().await.unwrap();
    let all = greedy.query(Greedy::all()).unwrap();
    assert_eq!((all[0].number, all[0].source.to_string()), (4, "book:1".to_owned()), "a row stays its source's");
}

#[tokio::test]
async fn a_source_that_is_deleted_takes_its_rows_along() {
    let mut lab = Lab::on_disk();
    for number in 1..=2 {
        commit(&mut lab, number, written(1)).await;
        close(&mut lab, number).await;
    }
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    let mut count = shelf.subscribe(Listed::all().count());
    assert_eq!(*next(&mut count).await, 2);
    lab.registry().delete::<Notebook>(&id(1)).await.unwrap();
    assert_eq!(*next(&mut count).await, 1);
    // Also while nobody follows.
    drop((shelf, count));
    lab.close().await;
    lab.registry().delete::<Notebook>(&id(2)).await.unwrap();
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    assert_eq!((shelf.query(Listed::all().count()).unwrap(), shelf.query(Book::all().count()).unwrap()), (0, 0));
    assert_eq!(shelf.sources().unwrap(), []);
}

#[tokio::test]
async fn a_closed_projection_says_so_and_its_own_store_can_be_deleted() {
    let mut lab = Lab::on_disk();
    commit(&mut lab, 1, written(1)).await;
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    let other = shelf.clone();
    shelf.close().await.unwrap();
    assert!(matches!(other.query(Listed::all()).unwrap_err().kind(), QueryErrorKind::Store(_)));
    assert!(other.catch_up().await.unwrap_err().to_string().contains("evicted"));
    drop(other);
    assert!(lab.registry().delete_projection::<Shelf>().await.unwrap());
    assert!(!lab.registry().delete_projection::<Shelf>().await.unwrap());
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    assert_eq!(shelf.query(Shelf::notes()).unwrap(), 1);
}
