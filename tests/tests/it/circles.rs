//! Two stores, two threads, each inside of one and asking the other: never a deadlock.

use std::sync::{Arc, Barrier};

use larder::{CommitErrorKind, QueryErrorKind, prelude::*};
use larder_tests::{
    lab::Lab,
    notebook::{Note, NoteEvent, Notebook, in_materializer, written},
};

async fn two(lab: &mut Lab) -> [StoreHandle<Notebook>; 2] {
    let registry = lab.registry();
    [registry.get("book:1").await.unwrap(), registry.get("book:2").await.unwrap()]
}

/// Runs `work` on two threads, with the stores the one way round and the other.
fn both_ways<R: Send>(
    stores: &[StoreHandle<Notebook>; 2],
    work: impl Fn(StoreHandle<Notebook>, StoreHandle<Notebook>, Arc<Barrier>) -> R + Sync,
) -> [R; 2] {
    let (barrier, work) = (Arc::new(Barrier::new(2)), &work);
    std::thread::scope(|scope| {
        let threads = [(0, 1), (1, 0)].map(|(outer, inner)| {
            let (outer, inner, barrier) = (stores[outer].clone(), stores[inner].clone(), Arc::clone(&barrier));
            scope.spawn(move || work(outer, inner, barrier))
        });
        threads.map(|thread| thread.join().unwrap())
    })
}

#[tokio::test]
async fn two_reads_that_query_each_others_store_in_memory_end_and_one_is_told() {
    let mut lab = Lab::in_memory();
    let stores = two(&mut lab).await;
    for _ in 0..20 {
        let results = both_ways(&stores, |outer, inner, barrier| {
            outer
                .read(|_| {
                    barrier.wait();
                    Ok(inner.query(Note::all()))
                })
                .unwrap()
        });
        let refused = results.iter().filter(|result| result.is_err()).count();
        assert_eq!(refused, 1, "one waits for the other, which is told: {results:?}");
        let error = results.into_iter().find_map(Result::err).unwrap();
        assert_eq!(error.kind(), &QueryErrorKind::Reentrant);
    }
}

#[tokio::test]
async fn two_materializers_that_commit_to_each_others_store_end_and_one_is_told() {
    for mut lab in Lab::both() {
        let stores = two(&mut lab).await;
        for round in 0..20 {
            let results = both_ways(&stores, |outer, inner, barrier| {
                let told = std::rc::Rc::new(std::cell::Cell::new(None));
                let tell = std::rc::Rc::clone(&told);
                let hook = move || {
                    barrier.wait();
                    tell.set(Some(inner.commit(written(round)).map(drop)));
                };
                in_materializer(hook, || outer.commit(NoteEvent::Hooked)).unwrap();
                told.take().unwrap()
            });
            let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
            let [error] = refused[..] else { panic!("{results:?}") };
            assert!(matches!(error.kind(), CommitErrorKind::Reentrant { .. }), "{error}");
            assert_eq!(error.events(), [written(round)], "the events come back");
        }
        let notes: usize = stores.iter().map(|store| store.query(Note::all()).unwrap().len()).sum();
        assert_eq!(notes, 20);
    }
}

#[tokio::test]
async fn a_store_that_is_only_busy_is_waited_for_also_from_inside_another() {
    for mut lab in Lab::both() {
        let [one, other] = two(&mut lab).await;
        std::thread::scope(|scope| {
            let busy = other.clone();
            scope.spawn(move || (1_000..1_200).for_each(|number| drop(busy.commit(written(number)).unwrap())));
            for number in 0..100 {
                let inner = other.clone();
                in_materializer(move || drop(inner.commit(written(number)).unwrap()), || one.commit(NoteEvent::Hooked))
                    .unwrap();
            }
        });
        assert_eq!(other.query(Note::all().count()).unwrap(), 300);
    }
}
