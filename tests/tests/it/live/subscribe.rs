//! Subscriptions of one store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake},
};

use larder::{QueryErrorKind, StoreError};
use larder_tests::{
    lab::Lab,
    notebook::{Line, Note, NoteEvent, Notebook, note, written},
};

use super::{news, polled};
use crate::board::{BoardEvent, BoardStore, Card, Lane, Remark, added, board};

#[tokio::test]
async fn a_subscription_has_the_current_result_then_each_different_one() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        let mut notes = store.subscribe(Note::all());
        let first = news(&mut notes);
        assert_eq!((first.to_vec(), first.head()), (vec![note(1)], store.head()));
        assert!(polled(&mut notes).is_none());
        store.commit(written(2)).unwrap();
        let second = news(&mut notes);
        assert_eq!((second.to_vec(), second.head()), (vec![note(1), note(2)], store.head()));
        store.commit(NoteEvent::LineAdded { note: 1, at: 1 }).unwrap();
        assert!(polled(&mut notes).is_none(), "another table");
        // A different query of the same table, whose result is the same.
        let mut third = store.subscribe(Note::filter(Note::NUMBER.le(2)).limit(5));
        news(&mut third);
        store.commit([written(3), NoteEvent::Erased(3)]).unwrap();
        assert!(polled(&mut third).is_none() && polled(&mut notes).is_none(), "nothing is different in the end");
    }
}

#[tokio::test]
async fn whoever_waits_is_woken_by_a_commit_that_can_affect_the_result() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let mut notes = store.subscribe(Note::all().count());
        assert_eq!(*news(&mut notes).into_inner(), 0);
        let woken = Arc::new(Woken::default());
        let mut next = std::pin::pin!(notes.next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&Arc::clone(&woken).into())).is_pending());
        store.commit(written(1)).unwrap();
        assert!(woken.0.load(Ordering::SeqCst), "nothing else than the commit wakes it");
        assert_eq!(**next.await.unwrap().unwrap(), 1);
    }
}

/// Whether a waker was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_thousand_commits_without_a_poll_run_no_query_and_are_one_run_then() {
    let store = board().await;
    let mut cards = store.subscribe(Card::all());
    let mut lanes = store.subscribe(BoardStore::load(1));
    let mut newest = store.subscribe(Card::all().order_by(Card::NUMBER.desc()).limit(3));
    drop((news(&mut cards), news(&mut lanes), news(&mut newest)));
    let before = store.live_stats().runs;
    for number in 1..=1_000 {
        store.commit(added(number)).unwrap();
    }
    assert_eq!(store.live_stats().runs, before);
    assert_eq!(news(&mut cards).len(), 1_000);
    assert_eq!(news(&mut lanes)[0].cards, 1_000);
    assert_eq!(news(&mut newest).iter().map(|card| card.number).collect::<Vec<_>>(), [1_000, 999, 998]);
    // The rows of 1,000 commits are what is kept at most, so the third had them.
    assert_eq!(store.live_stats().runs, before + 2);
    for number in 1_001..=2_001 {
        store.commit(added(number)).unwrap();
    }
    assert_eq!(news(&mut newest)[0].number, 2_001);
    assert_eq!(store.live_stats().runs, before + 3, "one more than is kept: it runs again");
}

#[tokio::test]
async fn of_ten_thousand_live_queries_only_those_run_that_the_changed_row_can_affect() {
    let store = board().await;
    store.commit((1..=20).map(added).collect::<Vec<_>>()).unwrap();
    let mut points: Vec<_> = (1..=8_000).map(|number| store.subscribe(Card::by_key(number))).collect();
    let mut ranges: Vec<_> =
        (0..1_900).map(|from| store.subscribe(Card::filter(Card::NUMBER.between(from * 10, from * 10 + 9)))).collect();
    let mut counts: Vec<_> = (0..100)
        .map(|lane| store.subscribe(Card::filter(Card::LANE.eq(Lane::Done).and(Card::NUMBER.ne(lane))).count()))
        .collect();
    let mut titles = store.subscribe(BoardStore::title_of(5));
    let mut remarks = store.subscribe(Remark::all());
    points.iter_mut().for_each(|query| drop(news(query)));
    ranges.iter_mut().for_each(|query| drop(news(query)));
    counts.iter_mut().for_each(|query| drop(news(query)));
    drop((news(&mut titles), news(&mut remarks)));
    let before = store.live_stats();
    assert_eq!(before.queries, 8_000 + 1_900 + 100 + 2);
    store.commit(BoardEvent::Moved { number: 7, done: false }).unwrap();
    let different = points.iter_mut().filter_map(polled).count();
    let ranges_different = ranges.iter_mut().filter_map(polled).count();
    assert_eq!((different, ranges_different), (1, 1));
    // From one lane to another that the counts do not count; the query in SQL reads another column.
    assert_eq!(counts.iter_mut().filter_map(polled).count(), 0);
    assert!(polled(&mut titles).is_none() && polled(&mut remarks).is_none());
    assert_eq!(store.live_stats().runs, before.runs + 2, "the card, and the range around it");
}

#[tokio::test]
async fn equal_queries_share_one_result_and_dropping_them_frees_it() {
    let store = board().await;
    store.commit(added(1)).unwrap();
    let query = || Card::filter(Card::LANE.eq(Lane::Open)).order_by(Card::TITLE.asc());
    let (mut first, mut second) = (store.subscribe(query()), store.subscribe(query()));
    let mut other = store.subscribe(Card::filter(Card::LANE.eq(Lane::Done)).order_by(Card::TITLE.asc()));
    assert_eq!(store.live_stats().queries, 2);
    let (one, two) = (news(&mut first).into_inner(), news(&mut second).into_inner());
    assert!(Arc::ptr_eq(&one, &two));
    assert_eq!(store.live_stats().runs, 1);
    assert!(news(&mut other).is_empty());
    drop((first, other));
    assert_eq!(store.live_stats().queries, 1);
    store.commit(added(2)).unwrap();
    assert_eq!(news(&mut second).len(), 2);
    drop(second);
    assert_eq!(store.live_stats().queries, 0);
    assert_eq!(Arc::strong_count(&one), 2, "ours alone");
}

#[tokio::test]
async fn every_kind_of_change_counts() {
    let store = board().await;
    store.commit([added(1), added(2)]).unwrap();
    store.commit(BoardEvent::Remarked { card: 1, at: vec!["a".into(), "b".into()] }).unwrap();
    let mut cards = store.subscribe(Card::all().order_by(Card::NUMBER.asc()).limit(10));
    let mut remarks = store.subscribe(Remark::all().count());
    drop((news(&mut cards), news(&mut remarks)));
    let sql = |sql: &str| BoardEvent::SqlRun(sql.to_owned());
    store.commit(BoardEvent::Moved { number: 1, done: true }).unwrap();
    assert_eq!(news(&mut cards)[0].lane, Lane::Done);
    store.commit(BoardEvent::Replaced(1)).unwrap();
    assert!(news(&mut cards)[0].pinned, "an upsert");
    store.commit(sql("UPDATE cards SET number = number + 10 WHERE number = 2")).unwrap();
    assert_eq!(news(&mut cards)[1].number, 12);
    store.commit(BoardEvent::Removed(1)).unwrap();
    assert_eq!(news(&mut cards).len(), 1);
    assert_eq!(**news(&mut remarks), 0, "a cascade");
    store.commit(sql("DELETE FROM cards")).unwrap();
    assert!(news(&mut cards).is_empty());
}

#[tokio::test]
async fn another_handle_of_the_same_store_is_heard() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    let mut notes = store.subscribe(Note::all());
    news(&mut notes);
    lab.open::<Notebook>().await.commit(written(1)).unwrap();
    assert_eq!(news(&mut notes).len(), 1);
}

#[tokio::test]
async fn a_tuple_is_one_state_and_a_failing_query_is_a_result_like_others() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let mut both = store.subscribe((Note::all().count(), Line::all().count()));
        let mut one = store.subscribe(Note::by_key(1).one());
        assert_eq!(**news(&mut both), (0, 0));
        let missing = polled(&mut one).unwrap().unwrap_err();
        assert!(matches!(missing.kind(), QueryErrorKind::NotOne { .. }), "{missing}");
        store.commit(written(2)).unwrap();
        assert!(polled(&mut one).is_none(), "the same error");
        store.commit([written(1), NoteEvent::LineAdded { note: 1, at: 1 }]).unwrap();
        assert_eq!(**news(&mut both), (2, 1));
        assert_eq!(**news(&mut one), note(1));
    }
}

#[tokio::test]
async fn a_failed_commit_is_not_heard_of() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let mut notes = store.subscribe(Note::all());
        news(&mut notes);
        let before = store.live_stats().runs;
        store.commit(NoteEvent::Refused(1)).unwrap_err();
        store.commit([written(1), NoteEvent::Panicked(2)]).unwrap_err();
        assert!(polled(&mut notes).is_none());
        assert_eq!(store.live_stats().runs, before);
    }
}

#[tokio::test]
async fn rule_14_a_subscription_is_an_observer_and_ends_with_one_error() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let mut notes = store.subscribe(Note::all());
        drop(store);
        let observers = |lab: &mut Lab| lab.registry().stats().stores[0].observers;
        assert_eq!(observers(&mut lab), 1);
        assert!(news(&mut notes).is_empty());
        let (ended, evicted) = tokio::join!(notes.next(), lab.registry().evict::<Notebook>("book:1"));
        evicted.unwrap();
        let error = ended.unwrap().unwrap_err();
        assert!(matches!(error.kind(), QueryErrorKind::Store(StoreError::Evicted { .. })), "{error}");
        assert!(notes.next().await.is_none());
    }
}

#[tokio::test]
async fn a_window_follows_rows_that_enter_move_and_leave_without_asking_sqlite() {
    let store = board().await;
    store
        .commit((1..=500).map(|number| BoardEvent::Added { number, weight: Some(number as f64) }).collect::<Vec<_>>())
        .unwrap();
    let mut heavy = store.subscribe(Card::filter(Card::WEIGHT.gt(10.0)).order_by(Card::WEIGHT.desc()).limit(3));
    let numbers = |cards: &[Card]| cards.iter().map(|card| card.number).collect::<Vec<_>>();
    assert_eq!(numbers(&news(&mut heavy)), [500, 499, 498]);
    let before = store.live_stats().runs;
    let set = |number: i64, weight: &str| {
        store
            .commit(BoardEvent::SqlRun(format!("UPDATE cards SET weight = {weight} WHERE number = {number}")))
            .unwrap();
    };
    set(1, "1000.0");
    assert_eq!(numbers(&news(&mut heavy)), [1, 500, 499], "enters");
    set(500, "2000.0");
    assert_eq!(numbers(&news(&mut heavy)), [500, 1, 499], "moves");
    set(1, "NULL");
    assert_eq!(numbers(&news(&mut heavy)), [500, 499, 498], "leaves");
    set(2, "20.5");
    assert!(polled(&mut heavy).is_none(), "stays outside");
    assert_eq!(store.live_stats().runs, before);
    for number in (400..500).rev() {
        set(number, "0.0");
    }
    assert_eq!(numbers(&news(&mut heavy)), [500, 399, 398], "more left than were kept in reserve");
    assert_eq!(store.live_stats().runs, before + 1);
}
