//! Live queries over many stores.

use std::time::Duration;

use futures_util::FutureExt as _;
use larder::{AcrossError, AcrossSubscription, Gathered, LoadError, QueryErrorKind, prelude::*};
use larder_tests::lab::Lab;

use super::{boards, ids, newest, numbers};
use crate::board::{BoardEvent, BoardStore, Card, Lane, added};

async fn news<T>(subscription: &mut AcrossSubscription<T>) -> Gathered<T> {
    let next = tokio::time::timeout(Duration::from_secs(20), subscription.next()).await.expect("there is news");
    next.expect("it has not ended").expect("it is a result")
}

/// That there is nothing new, once all that was heard is looked at.
async fn nothing_new<T>(subscription: &mut AcrossSubscription<T>) {
    let waited = tokio::time::timeout(Duration::from_millis(150), subscription.next()).await;
    assert!(waited.is_err(), "there is a different result");
}

#[tokio::test]
async fn a_result_follows_commits_of_loaded_stores_and_of_those_that_are_loaded_later() {
    let mut lab = Lab::on_disk();
    boards(&mut lab, 1..=3).await;
    let registry = lab.registry().clone();
    let held = registry.get::<BoardStore>("board:1").await.unwrap();
    let mut top = registry.across::<BoardStore>(ids(1..=3)).subscribe(newest().limit(2));
    assert_eq!(numbers(&news(&mut top).await.value), [("3", 30), ("2", 20)]);
    held.commit(added(25)).unwrap();
    assert_eq!(numbers(&news(&mut top).await.value), [("3", 30), ("1", 25)]);
    // Another row, and another column than those that count.
    held.commit(added(7)).unwrap();
    nothing_new(&mut top).await;
    let later = registry.get::<BoardStore>("board:2").await.unwrap();
    later.commit(added(40)).unwrap();
    assert_eq!(numbers(&news(&mut top).await.value), [("2", 40), ("3", 30)]);
    drop(later);
    registry.evict::<BoardStore>("board:2").await.unwrap();
    let again = registry.get::<BoardStore>("board:2").await.unwrap();
    again.commit(BoardEvent::Removed(40)).unwrap();
    assert_eq!(numbers(&news(&mut top).await.value), [("3", 30), ("1", 25)]);
}

#[tokio::test]
async fn only_stores_whose_rows_can_have_changed_are_read_again() {
    let mut lab = Lab::in_memory();
    let mut held = Vec::new();
    for id in ids(1..=4) {
        let store = lab.registry().get::<BoardStore>(&id).await.unwrap();
        store.commit([added(1), added(2)]).unwrap();
        held.push(store);
    }
    let open = Card::filter(Card::LANE.eq(Lane::Open).and(Card::NUMBER.le(2))).count();
    let mut count = lab.registry().across_all::<BoardStore>().subscribe(open);
    assert_eq!(news(&mut count).await.value, 8);
    held[2].commit(added(3)).unwrap();
    assert!(count.next().now_or_never().is_none(), "nobody was woken, and nothing runs");
    held[1].commit(BoardEvent::Moved { number: 1, done: true }).unwrap();
    assert_eq!(news(&mut count).await.value, 7);
    held[1].commit([BoardEvent::Removed(1), added(1), BoardEvent::Removed(2)]).unwrap();
    nothing_new(&mut count).await;
    assert_eq!(held[1].live_stats().queries, 1);
    drop(count);
    assert_eq!(held[1].live_stats().queries, 0);
}

#[tokio::test]
async fn stores_that_come_go_and_fail_are_news() {
    for mut lab in Lab::both() {
        let registry = lab.registry().clone();
        let mut named = registry.across::<BoardStore>(ids([1, 2])).subscribe(Card::all().count());
        let mut all = registry.across_all::<BoardStore>().subscribe(Card::all().count());
        let (first, of_all) = (news(&mut named).await, news(&mut all).await);
        assert_eq!((first.value, first.failed.len(), of_all.value, of_all.failed.len()), (0, 2, 0, 0));
        let store = registry.get::<BoardStore>("board:1").await.unwrap();
        store.commit(added(1)).unwrap();
        let other = registry.get::<BoardStore>("other:3").await.unwrap();
        other.commit(added(1)).unwrap();
        let (now, of_all) = (news(&mut named).await, news(&mut all).await);
        assert_eq!((now.value, now.stores, now.failed.len()), (1, 1, 1));
        assert_eq!((of_all.value, of_all.stores, of_all.failed.len()), (2, 2, 0));
        drop(store);
        registry.delete::<BoardStore>("board:1").forced().await.unwrap();
        let (now, of_all) = (news(&mut named).await, news(&mut all).await);
        assert_eq!((now.value, now.failed.len()), (0, 2));
        assert!(matches!(now.failed[0].error, AcrossError::Load(LoadError::NotFound { .. })));
        assert_eq!((of_all.value, of_all.stores), (1, 1));
    }
}

#[tokio::test]
async fn an_error_of_the_whole_is_a_result_and_the_end_of_the_registry_the_end() {
    let mut lab = Lab::on_disk();
    boards(&mut lab, [1]).await;
    let registry = lab.registry().clone();
    let mut only = registry.across_all::<BoardStore>().subscribe(Card::all().one());
    let error = only.next().await.unwrap().unwrap_err();
    assert!(matches!(error, AcrossError::Union { source: QueryErrorKind::NotOne { .. }, .. }), "{error}");
    let store = registry.get::<BoardStore>("board:1").await.unwrap();
    store.commit(BoardEvent::Removed(10)).unwrap();
    assert_eq!(news(&mut only).await.value.1.number, 1);
    drop(store);
    registry.shutdown(Duration::ZERO).await;
    let end = only.next().await.unwrap().unwrap_err();
    assert!(matches!(end, AcrossError::ShutDown { definition: "board" }), "{end}");
    assert!(only.next().await.is_none());
}

#[tokio::test]
async fn a_result_is_the_same_as_a_fresh_one_after_every_commit_of_a_random_workload() {
    let mut lab = Lab::on_memory_disk();
    boards(&mut lab, 1..=3).await;
    let registry = lab.registry().clone();
    let query = || {
        (
            Card::filter(Card::WEIGHT.is_null()).order_by((Card::LANE.asc(), Card::NUMBER.desc())).limit(4),
            Card::all().group_by(Card::LANE).aggregate((count(), Card::WEIGHT.avg())),
        )
    };
    let mut live = registry.across::<BoardStore>(ids(1..=3)).subscribe(query());
    let mut shown = news(&mut live).await.value;
    let mut seed = 20_261_128_u64;
    for _ in 0..300 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = |shift: u32, of: u64| i64::try_from((seed >> shift) % of).unwrap();
        let id = format!("board:{}", pick(33, 3) + 1);
        if pick(40, 6) == 0 {
            registry.evict::<BoardStore>(&id).await.unwrap();
            continue;
        }
        let (store, number) = (registry.get::<BoardStore>(&id).await.unwrap(), pick(45, 8));
        let event = match pick(50, 4) {
            0 => BoardEvent::Removed(number),
            1 => BoardEvent::Moved { number, done: number % 2 == 0 },
            _ => BoardEvent::Added { number, weight: (number % 3 == 0).then_some(number as f64) },
        };
        // Some are refused.
        let _ = store.commit(event);
        let fresh = registry.across::<BoardStore>(ids(1..=3)).query(query()).await.unwrap().value;
        if fresh != shown {
            shown = news(&mut live).await.value;
        }
        assert_eq!(shown, fresh, "seed {seed}");
    }
}
