//! Which stores are asked, how, and what is said of those that do not answer.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use larder::{AcrossError, LoadError, QueryErrorKind, StoreId};
use larder_tests::{
    lab::{Lab, with_ending},
    ledger::{Booking, LedgerEvent, LedgerStore, Mix},
    notebook::{Note, Notebook, written},
};

use super::{boards, ids, newest, numbers};
use crate::board::{BoardStore, Card, Lane, Load, added};

#[tokio::test]
async fn rows_of_loaded_and_closed_stores_come_in_one_order_each_with_its_store() {
    let mut lab = Lab::on_disk();
    boards(&mut lab, 1..=3).await;
    let registry = lab.registry();
    let held = registry.get::<BoardStore>("board:2").await.unwrap();
    held.commit(added(25)).unwrap();
    let found = registry.across::<BoardStore>(ids(1..=3)).query(newest().offset(1).limit(3)).await.unwrap();
    assert_eq!(numbers(&found.value), [("2", 25), ("2", 20), ("1", 10)]);
    assert_eq!((found.stores, found.failed.len()), (3, 0));
    assert_eq!(registry.across::<BoardStore>(ids(1..=3)).query(Card::all().count()).await.unwrap().value, 7);
    let mean = registry.across_all::<BoardStore>().query(Card::all().aggregate(Card::WEIGHT.avg())).await.unwrap();
    assert_eq!(mean.value, Some(2.0), "of all rows, not of the stores' means");
    // Rows that are equal by the order come in the order of the ids; an id counts once.
    let twice = ["board:3", "board:1", "board:3"];
    let found = registry.across::<BoardStore>(twice).query(Card::filter(Card::LANE.eq(Lane::Open))).await.unwrap();
    assert_eq!(numbers(&found.value), [("1", 1), ("3", 3), ("1", 10), ("3", 30)]);
}

#[tokio::test]
async fn a_closed_store_is_read_without_being_loaded_and_nothing_is_left_beside_its_file() {
    let mut lab = Lab::on_disk();
    boards(&mut lab, [1]).await;
    let file = lab.store_file("board");
    let loads = lab.registry().stats().loads;
    let found = lab.registry().across::<BoardStore>(ids([1])).query(Card::all()).await.unwrap();
    assert_eq!(numbers(&found.value), [("1", 1), ("1", 10)]);
    let stats = lab.registry().stats();
    assert_eq!((stats.loads, stats.stores.len()), (loads, 0));
    assert!(!with_ending(&file, "-wal").exists() && !with_ending(&file, "-shm").exists());
    // It is as it was.
    let store = lab.registry().get::<BoardStore>("board:1").await.unwrap();
    assert_eq!(store.query(Card::all().count()).unwrap(), 2);
}

#[tokio::test]
async fn whoever_gets_a_store_that_is_read_waits_and_is_not_refused() {
    let mut lab = Lab::on_disk();
    boards(&mut lab, 1..=8).await;
    let registry = lab.registry().clone();
    for round in 0..20 {
        let across = registry.across_all::<BoardStore>().query(Card::all().count());
        let id = format!("board:{}", round % 8 + 1);
        let (found, got) = tokio::join!(tokio::spawn(across), registry.get::<BoardStore>(&id));
        assert_eq!((found.unwrap().unwrap().value, got.is_ok()), (16, true));
        registry.evict::<BoardStore>(&id).await.unwrap();
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_reported_and_not_made() {
    for mut lab in Lab::both() {
        let held = lab.registry().get::<BoardStore>("board:1").await.unwrap();
        held.commit(added(1)).unwrap();
        let found = lab.registry().across::<BoardStore>(ids([1, 2])).query(Card::all()).await.unwrap();
        assert_eq!(numbers(&found.value), [("1", 1)]);
        assert_eq!((found.stores, found.failed.len(), found.failed[0].id.as_str()), (1, 1, "board:2"));
        let error = &found.failed[0].error;
        assert!(matches!(error, AcrossError::Load(LoadError::NotFound { .. })), "{error}");
        assert!(!lab.registry().exists::<BoardStore>("board:2").await.unwrap());
        let all = lab.registry().across_all::<BoardStore>().each(Card::all().count()).await.unwrap();
        assert_eq!(all.value, [("board:1".parse::<StoreId>().unwrap(), 1)]);
    }
    let lab = Lab::on_disk();
    assert!(!lab.data_dir().join("stores/board").exists());
}

#[tokio::test]
async fn a_store_of_another_process_is_locked_and_the_others_answer() {
    let mut lab = Lab::on_disk();
    let mut mix = Mix::new(1);
    for number in [1, 2] {
        let store = lab.registry().get::<LedgerStore>(&format!("ledger:{number}")).await.unwrap();
        store.commit(LedgerEvent::booked(2, &mut mix)).unwrap();
    }
    lab.close().await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_hold_child"));
    let mut child = child.arg(lab.data_dir()).arg("1").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "open\n");
    let found = lab.registry().across_all::<LedgerStore>().query(Booking::all().exists()).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((found.value, found.stores, found.failed.len()), (true, 1, 1));
    match &found.failed[0].error {
        AcrossError::Load(LoadError::Locked { store, holder, .. }) => {
            assert_eq!(
                (store.to_string(), holder.clone()),
                ("ledger/ledger:1".to_owned(), format!("process {}", child.id()))
            );
        }
        error => panic!("{error}"),
    }
    // Killed, it is not closed cleanly: it is loaded to be read, and answers.
    let found = lab.registry().across_all::<LedgerStore>().query(Booking::all().exists()).await.unwrap();
    assert_eq!((found.value, found.stores, found.failed.len()), (true, 2, 0));
}

#[tokio::test]
async fn a_damaged_store_is_reported_beside_the_rows_of_the_others() {
    let mut lab = Lab::on_disk();
    boards(&mut lab, [1]).await;
    let file = lab.store_file("board");
    std::fs::write(&file, b"no database at all, and long enough to be one if it were, one would think").unwrap();
    boards(&mut lab, [2]).await;
    let found = lab.registry().across::<BoardStore>(ids([1, 2])).query(newest()).await.unwrap();
    assert_eq!(numbers(&found.value), [("2", 20), ("2", 2)]);
    assert!(matches!(found.failed[0].error, AcrossError::Load(LoadError::Corrupt { .. })), "{}", found.failed[0].error);
}

#[tokio::test]
async fn sql_of_one_table_is_asked_of_the_union_and_of_several_in_each_store() {
    let mut lab = Lab::on_disk();
    boards(&mut lab, 1..=3).await;
    let registry = lab.registry().clone();
    let across = || registry.across::<BoardStore>(ids(1..=3));
    let lanes = across().query(BoardStore::load(2)).await.unwrap();
    assert_eq!(lanes.value, [Load { lane: Lane::Open, cards: 6 }]);
    assert_eq!(across().query(BoardStore::total()).await.unwrap().value, 6);
    assert_eq!(across().query(BoardStore::heaviest()).await.unwrap().value, Some(3.0));
    let pairs = across().query((BoardStore::pairs(), BoardStore::title_of(20))).await.unwrap();
    assert_eq!(pairs.value.0.len(), 6);
    assert!(pairs.value.1.is_some());
    assert!(matches!(
        across().query(BoardStore::only()).await.unwrap_err(),
        AcrossError::Union { source: QueryErrorKind::NotOne { .. }, .. }
    ));
    let refused = across().query(BoardStore::remarked()).await.unwrap_err();
    assert!(matches!(refused, AcrossError::Union { source: QueryErrorKind::SeveralTables { .. }, .. }), "{refused}");
    let each = across().each(BoardStore::remarked()).await.unwrap();
    assert_eq!(each.value.iter().map(|(id, found)| (id.as_str(), *found)).collect::<Vec<_>>()[2], ("board:3", 0));
}

#[tokio::test]
async fn a_query_that_one_store_refuses_is_an_error_of_that_store_in_each() {
    let mut lab = Lab::on_disk();
    boards(&mut lab, [1, 2]).await;
    let found = lab.registry().across::<BoardStore>(ids([1, 2])).each(Card::by_key(20).one()).await.unwrap();
    assert_eq!(found.value.len(), 1);
    assert_eq!((found.value[0].0.as_str(), found.failed[0].id.as_str()), ("board:2", "board:1"));
    assert!(
        matches!(&found.failed[0].error, AcrossError::Query(error) if matches!(error.kind(), QueryErrorKind::NotOne { .. }))
    );
}

#[tokio::test]
async fn what_is_no_id_and_a_registry_that_was_shut_down_are_errors_of_the_whole() {
    let mut lab = Lab::on_disk();
    let refused = lab.registry().across::<Notebook>(["../x"]).query(Note::all()).await;
    assert!(matches!(refused, Err(AcrossError::Load(LoadError::Id { .. }))));
    boards(&mut lab, [1]).await;
    let registry = lab.registry().clone();
    registry.shutdown(Duration::ZERO).await;
    let found = registry.across::<BoardStore>(ids([1])).query(Card::all()).await.unwrap();
    assert!(matches!(found.failed[0].error, AcrossError::Load(LoadError::ShutDown { .. })));
}

/// Notes as two versions of an app have them.
macro_rules! version {
    ($module:ident $version:literal $text:literal) => {
        mod $module {
            use larder::prelude::*;
            use larder_tests::notebook::{Note, NoteEvent};

            #[derive(StoreSchema)]
            #[schema(events = NoteEvent, tables(Note), version = $version)]
            pub(crate) struct Schema;

            #[larder::materializer]
            impl Materializer for Schema {
                fn materialize(
                    event: &NoteEvent,
                    _: &EventContext,
                    tables: &mut Tables<'_, Self>,
                ) -> MaterializeResult {
                    match event {
                        NoteEvent::Written { number, .. } => {
                            tables.insert(Note { number: *number, text: $text.to_owned() })
                        }
                        _ => Ok(()),
                    }
                }
            }

            define_store! {
                pub(crate) Notes { name: "versioned", schema: Schema, adapter: SqliteAdapter::persisted() }
            }
        }
    };
}

version!(older 1 "older");
version!(newer 2 "newer");

#[tokio::test]
async fn a_store_of_an_older_schema_is_rebuilt_before_it_answers() {
    let mut lab = Lab::on_disk();
    for id in ["notes:1", "notes:2"] {
        lab.registry().get::<older::Notes>(id).await.unwrap().commit(written(1)).unwrap();
    }
    lab.close().await;
    let texts = |found: larder::Gathered<Vec<(StoreId, Note)>>| {
        assert_eq!(found.failed, []);
        found.value.into_iter().map(|(_, note)| note.text).collect::<Vec<_>>()
    };
    let query = || Note::all();
    assert_eq!(texts(lab.registry().across_all::<older::Notes>().query(query()).await.unwrap()), ["older", "older"]);
    lab.close().await;
    assert_eq!(texts(lab.registry().across_all::<newer::Notes>().query(query()).await.unwrap()), ["newer", "newer"]);
    // What was loaded for it is closed again, rebuilt for good.
    lab.close().await;
    assert_eq!(texts(lab.registry().across_all::<newer::Notes>().query(query()).await.unwrap()), ["newer", "newer"]);
    assert_eq!(lab.registry().stats().loads, 0);
}
