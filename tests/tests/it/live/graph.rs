//! Signals and computed values: no glitch, and nothing computed twice.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::FutureExt as _;
use larder::{Computed, QueryErrorKind, Signal, StoreError, Updates};
use larder_tests::{
    lab::Lab,
    notebook::{Note, NoteEvent, Notebook, written},
};

fn polled<T>(updates: &mut Updates<T>) -> Option<Arc<T>> {
    updates.next().now_or_never().map(|item| item.expect("it has not ended").expect("it computes"))
}

#[test]
fn a_signal_is_heard_when_its_value_is_another_one() {
    let signal = Signal::new(1);
    let mut updates = signal.subscribe();
    assert_eq!(polled(&mut updates).as_deref(), Some(&1));
    signal.set(1);
    assert_eq!(polled(&mut updates), None);
    signal.set(2);
    signal.update(|value| value + 1);
    assert_eq!(polled(&mut updates).as_deref(), Some(&3));
    assert_eq!(polled(&mut updates), None);
}

#[test]
fn a_diamond_is_computed_once_per_change_and_never_of_two_states() {
    let runs = Arc::new(AtomicUsize::new(0));
    let number = Signal::new(1);
    let double = Computed::new(&number, |number| *number * 2);
    let square = Computed::new(&number, |number| *number * *number);
    let counted = Arc::clone(&runs);
    let both = Computed::new((&number, double, square), move |(number, double, square)| {
        counted.fetch_add(1, Ordering::Relaxed);
        assert_eq!((*double, *square), (*number * 2, *number * *number), "a glitch");
        *double + *square
    });
    let mut updates = both.subscribe();
    assert_eq!(polled(&mut updates).as_deref(), Some(&3));
    number.set(3);
    assert_eq!(polled(&mut updates).as_deref(), Some(&15));
    assert_eq!((*both.get().unwrap(), runs.load(Ordering::Relaxed)), (15, 2));
    (0..100).for_each(|value| number.set(value));
    assert_eq!(runs.load(Ordering::Relaxed), 2, "nobody asked");
    assert_eq!(polled(&mut updates).as_deref(), Some(&(198 + 99 * 99)));
    assert_eq!(runs.load(Ordering::Relaxed), 3);
}

#[test]
fn an_equal_result_goes_no_further() {
    let runs = Arc::new(AtomicUsize::new(0));
    let number = Signal::new(1);
    let parity = Computed::new(&number, |number| *number % 2);
    let counted = Arc::clone(&runs);
    let text = Computed::new(&parity, move |parity| {
        counted.fetch_add(1, Ordering::Relaxed);
        if *parity == 0 { "even" } else { "odd" }
    });
    let mut updates = text.subscribe();
    assert_eq!(polled(&mut updates).as_deref(), Some(&"odd"));
    number.set(3);
    assert_eq!(polled(&mut updates), None);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    number.set(4);
    assert_eq!(polled(&mut updates).as_deref(), Some(&"even"));
}

#[tokio::test]
async fn a_computed_value_follows_queries_of_several_stores_and_signals() {
    let mut lab = Lab::on_disk();
    let (a, b) = (
        lab.registry().get::<Notebook>("book:a").await.unwrap(),
        lab.registry().get::<Notebook>("book:b").await.unwrap(),
    );
    let least = Signal::new(0);
    let sources = (a.subscribe(Note::all().count()), b.subscribe(Note::all().count()), &least);
    let total = Computed::new(sources, |(a, b, least)| (*a + *b).max(*least));
    let mut updates = total.subscribe();
    assert_eq!(polled(&mut updates).as_deref(), Some(&0));
    let (heard, _) = tokio::join!(updates.next(), async { b.commit(written(1)) });
    assert_eq!(*heard.unwrap().unwrap(), 1);
    a.commit([written(1), written(2)]).unwrap();
    least.set(2);
    assert_eq!(polled(&mut updates).as_deref(), Some(&3), "one step for both changes");
    b.commit(NoteEvent::LookedAt(1)).unwrap();
    assert_eq!(polled(&mut updates), None);
    least.set(10);
    assert_eq!(polled(&mut updates).as_deref(), Some(&10));
    // The computed value alone holds both stores.
    drop((a, b));
    let observers: Vec<_> = lab.registry().stats().stores.iter().map(|store| store.observers).collect();
    assert_eq!(observers, [1, 1]);
    lab.registry().evict::<Notebook>("book:a").await.unwrap();
    let error = updates.next().await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), QueryErrorKind::Store(StoreError::Evicted { .. })), "{error}");
    assert!(updates.next().await.is_none());
    drop((updates, total));
    assert_eq!(lab.registry().stats().stores.iter().map(|store| store.observers).sum::<usize>(), 0);
}

#[test]
fn a_function_that_panics_leaves_the_value_computable() {
    let number = Signal::new(0);
    let inverse = Computed::new(&number, |number| 100 / *number);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inverse.get()));
    assert!(panicked.is_err());
    number.set(4);
    assert_eq!(*inverse.get().unwrap(), 25);
}
