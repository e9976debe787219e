//! What is read of the sources, when, and how often.

use larder::{AcrossError, LoadError, LocalBackend, StoreRegistry, prelude::*};
use larder_tests::{
    lab::{Lab, copy_dir},
    notebook::{NoteEvent, Notebook, written},
};

use crate::sync::clients::{STORE, push_foreign, synced};

use super::{Book, Listed, Shelf, ShelfSchema, close, commit, counts, id, next, of_sources, rows, shelve};

/// The same projection, by a later version of the app.
mod later {
    use super::{Book, Listed, NoteEvent, Notebook, shelve};
    use larder::prelude::*;

    #[derive(StoreSchema)]
    #[schema(events = NoteEvent, tables(Listed, Book), version = 2)]
    pub(super) struct ShelfSchema;

    #[larder::materializer]
    impl Materializer for ShelfSchema {
        fn materialize(event: &NoteEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
            match event {
                NoteEvent::Written { number, .. } => {
                    shelve(&NoteEvent::Written { number: *number, text: "later".to_owned() }, tables)
                }
                other => shelve(other, tables),
            }
        }
    }

    define_projection! {
        pub(super) Shelf { name: "shelf", source: Notebook, schema: ShelfSchema, adapter: SqliteAdapter::persisted() }
    }
}

#[test]
fn the_schemas_differ() {
    assert_ne!(<ShelfSchema as StoreSchema>::VERSION, <later::ShelfSchema as StoreSchema>::VERSION);
}

#[tokio::test]
async fn it_follows_the_stores_that_are_loaded_and_those_that_come_later() {
    for mut lab in Lab::both() {
        let first = lab.registry().get::<Notebook>(&id(1)).await.unwrap();
        first.commit(written(1)).unwrap();
        let shelf = lab.registry().projection::<Shelf>().await.unwrap();
        let mut newest = shelf.subscribe(Listed::all().order_by(Listed::NUMBER.desc()).limit(2));
        assert_eq!(rows(&next(&mut newest).await), [("book:1", 1)]);
        first.commit(written(2)).unwrap();
        assert_eq!(rows(&next(&mut newest).await), [("book:1", 2), ("book:1", 1)]);
        let second = lab.registry().get::<Notebook>(&id(2)).await.unwrap();
        second.commit(written(3)).unwrap();
        assert_eq!(rows(&next(&mut newest).await), [("book:2", 3), ("book:1", 2)]);
        // As long as somebody subscribes.
        drop(shelf);
        first.commit([written(4), NoteEvent::Erased(4), written(5)]).unwrap();
        assert_eq!(rows(&next(&mut newest).await), [("book:1", 5), ("book:2", 3)]);
        second.commit_async(NoteEvent::AllErased).await.unwrap();
        assert_eq!(rows(&next(&mut newest).await), [("book:1", 5), ("book:1", 2)]);
    }
}

#[tokio::test]
async fn every_event_is_taken_over_once_whatever_is_closed_in_between() {
    let mut lab = Lab::on_memory_disk();
    let mut seed = 20_261_128_u64;
    let mut expected = std::collections::BTreeMap::<String, i64>::new();
    for round in 0..12 {
        // In some rounds nobody follows, in some from the middle on.
        let mut shelf = None;
        for step in 0..40 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let pick = |shift: u32, of: u64| usize::try_from((seed >> shift) % of).unwrap();
            if step == 10 * (round % 5) {
                shelf = Some(lab.registry().projection::<Shelf>().await.unwrap());
            }
            let number = pick(33, 4) + 1;
            match pick(40, 8) {
                0 => close(&mut lab, number).await,
                1 => commit(&mut lab, number, NoteEvent::AllErased).await,
                _ => {
                    commit(&mut lab, number, written(i64::from(round) * 100 + step as i64)).await;
                    *expected.entry(id(number).to_string()).or_default() += 1;
                }
            }
        }
        if let Some(shelf) = &shelf {
            shelf.catch_up().await.unwrap();
        } else {
            shelf = Some(lab.registry().projection::<Shelf>().await.unwrap());
        }
        let shelf = shelf.unwrap();
        let listed = shelf.query(Listed::all()).unwrap();
        let listed: Vec<_> = rows(&listed).into_iter().map(|(id, number)| (id.to_owned(), number)).collect();
        assert_eq!(listed, of_sources(&mut lab).await, "seed {seed}");
        let written = counts(shelf.query(Book::all()).unwrap()).into_iter().map(|(id, (written, _))| (id, written));
        assert_eq!(written.collect::<std::collections::BTreeMap<_, _>>(), expected, "once each, seed {seed}");
        drop(shelf);
        if round % 3 == 0 {
            lab.close().await;
        }
    }
}

#[tokio::test]
async fn a_load_opens_only_sources_whose_files_have_changed() {
    let mut lab = Lab::on_disk();
    for number in 1..=3 {
        commit(&mut lab, number, written(1)).await;
    }
    lab.close().await;
    drop(lab.registry().projection::<Shelf>().await.unwrap());
    commit(&mut lab, 2, written(2)).await;
    lab.close().await;
    // Whoever is looked at now is found to be held by another registry; a hold alone changes no file.
    let other = StoreRegistry::builder().data_dir(lab.data_dir()).build().unwrap();
    let mut held = Vec::new();
    for number in 1..=3 {
        held.push(other.get::<Notebook>(&id(number)).await.unwrap());
    }
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    let failed = shelf.failed();
    assert_eq!(failed.iter().map(|failed| failed.id.clone()).collect::<Vec<_>>(), [id(2)]);
    assert!(matches!(failed[0].error, AcrossError::Load(LoadError::Locked { .. })), "{}", failed[0].error);
    // Its rows of before stay.
    assert_eq!(shelf.query(Listed::all().count()).unwrap(), 3);
    drop(held);
    other.shutdown(std::time::Duration::from_secs(5)).await;
    shelf.catch_up().await.unwrap();
    assert_eq!((shelf.failed().len(), shelf.query(Listed::all().count()).unwrap()), (0, 4));
}

#[tokio::test]
async fn a_changed_schema_or_materializer_makes_all_rows_anew() {
    let mut lab = Lab::on_disk();
    for number in 1..=3 {
        commit(&mut lab, number, written(1)).await;
    }
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    let before = shelf.query(Listed::all()).unwrap();
    drop(shelf);
    lab.close().await;
    let shelf = lab.registry().projection::<later::Shelf>().await.unwrap();
    let after = shelf.query(Listed::all()).unwrap();
    assert_eq!(rows(&before), rows(&after));
    assert!(before.iter().all(|row| row.text != "later") && after.iter().all(|row| row.text == "later"));
    assert_eq!(counts(shelf.query(Book::all()).unwrap())["book:1"], (1, None));
}

#[tokio::test]
async fn a_source_whose_log_is_another_one_is_made_anew() {
    let mut lab = Lab::on_disk();
    for number in 1..=2 {
        let store = lab.registry().get::<Notebook>(&id(number)).await.unwrap();
        store.commit([written(1), written(2)]).unwrap();
    }
    drop(lab.registry().projection::<Shelf>().await.unwrap());
    lab.close().await;
    lab.registry().delete::<Notebook>(&id(1)).await.unwrap();
    let store = lab.registry().get::<Notebook>(&id(1)).await.unwrap();
    store.commit([written(7), written(8), written(9)]).unwrap();
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    let all = shelf.query(Listed::all()).unwrap();
    assert_eq!(rows(&all), [("book:1", 7), ("book:1", 8), ("book:1", 9), ("book:2", 1), ("book:2", 2)]);
    assert_eq!(counts(shelf.query(Book::all()).unwrap())["book:1"], (3, None));
}

#[tokio::test]
async fn more_events_than_are_read_at_once_are_all_taken_over_and_made_anew() {
    let mut lab = Lab::on_memory_disk();
    let store = lab.registry().get::<Notebook>(&id(1)).await.unwrap();
    for from in [0, 1_000] {
        store.commit((from..from + 800).map(written).collect::<Vec<_>>()).unwrap();
    }
    let shelf = lab.registry().projection::<Shelf>().await.unwrap();
    assert_eq!(shelf.query(Shelf::notes()).unwrap(), 1_600);
    shelf.rebuild().await.unwrap();
    assert_eq!(shelf.query(Shelf::notes()).unwrap(), 1_600);
    assert_eq!(counts(shelf.query(Book::all()).unwrap())["book:1"], (1_600, None));
}

#[tokio::test]
async fn a_projection_that_was_killed_goes_on_where_it_was() {
    let mut lab = Lab::on_memory_disk();
    for round in 0..8_i64 {
        for number in 1..=3 {
            commit(&mut lab, number, written(round * 10 + number as i64)).await;
        }
        let shelf = lab.registry().projection::<Shelf>().await.unwrap();
        shelf.catch_up().await.unwrap();
        // Behind what the projection has, in some rounds.
        if round % 2 == 1 {
            commit(&mut lab, 1, written(round * 10 + 9)).await;
        }
        // What a killed process leaves: nothing is closed.
        let killed = lab.beside(&format!("killed {round}"));
        copy_dir(&lab.data_dir(), &killed);
        let registry = StoreRegistry::builder().data_dir(&killed).build().unwrap();
        let after = registry.projection::<Shelf>().await.unwrap();
        let found = registry.across_all::<Notebook>().query(larder_tests::notebook::Note::all()).await.unwrap();
        let mut expected: Vec<_> = found.value.iter().map(|(id, note)| (id.to_string(), note.number)).collect();
        expected.sort();
        let listed = after.query(Listed::all()).unwrap();
        let listed: Vec<_> = rows(&listed).into_iter().map(|(id, number)| (id.to_owned(), number)).collect();
        assert_eq!(listed, expected, "round {round}");
        let written: i64 = after.query(Book::all()).unwrap().iter().map(|book| book.written).sum();
        assert_eq!(written, i64::try_from(expected.len()).unwrap(), "once each");
        drop(after);
        registry.shutdown(std::time::Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_dropped_registry_closes_its_projection_and_a_shutdown_ends_the_following() {
    let mut lab = Lab::on_disk();
    commit(&mut lab, 1, written(1)).await;
    lab.close().await;
    let registry = StoreRegistry::builder().data_dir(lab.data_dir()).build().unwrap();
    let shelf = registry.projection::<Shelf>().await.unwrap();
    drop(registry);
    // It is closed in the background.
    let limit = std::time::Duration::from_secs(20);
    let opened = tokio::time::timeout(limit, async {
        loop {
            match lab.registry().projection::<Shelf>().await {
                Err(LoadError::Locked { .. }) => tokio::task::yield_now().await,
                opened => break opened,
            }
        }
    });
    let again = opened.await.expect("it is closed").unwrap();
    assert!(shelf.query(Listed::all()).is_err());
    assert_eq!(again.query(Shelf::notes()).unwrap(), 1);
    let report = lab.registry().shutdown(limit).await;
    assert!(report.is_clean(), "{report:?}");
    assert!(again.catch_up().await.is_err());
}

#[tokio::test]
async fn a_source_that_is_rebased_has_the_rows_that_its_log_makes_then() {
    for in_files in [true, false] {
        let backend = LocalBackend::new("local");
        backend.set_connected(false);
        let mut lab = if in_files { Lab::on_disk() } else { Lab::in_memory() };
        lab.set_defaults(synced(&backend));
        let source = lab.registry().get::<Notebook>(STORE).await.unwrap();
        source.commit([written(1), written(2)]).unwrap();
        let shelf = lab.registry().projection::<Shelf>().await.unwrap();
        let mut listed = shelf.subscribe(Listed::all().order_by(Listed::NUMBER.asc()).limit(9));
        assert_eq!(rows(&next(&mut listed).await), [(STORE, 1), (STORE, 2)]);
        // The own note 2 cannot come back behind it.
        push_foreign(&backend, &[NoteEvent::Written { number: 2, text: "another's".to_owned() }, written(3)]).await;
        backend.set_connected(true);
        let mut shown = next(&mut listed).await;
        while shown.len() < 3 || shown[1].text != "another's" {
            shown = next(&mut listed).await;
        }
        assert_eq!(rows(&shown), [(STORE, 1), (STORE, 2), (STORE, 3)]);
        assert_eq!(source.quarantined_events().unwrap().len(), 1);
        drop((source, shelf, listed));
        lab.close().await;
    }
}
