//! Durabilities and checkpoints, as far as they show without a crash.

use std::fs;

use larder::{Durability, StoreOptions};
use larder_tests::{
    lab::{Lab, transactions, with_ending},
    notebook::{Note, NoteEvent, Notebook, written},
};

#[tokio::test]
async fn both_durabilities_commit_and_reopen() {
    for durability in [Durability::Process, Durability::Power] {
        let mut lab = Lab::on_disk_with(StoreOptions::default().durability(durability));
        let store = lab.open::<Notebook>().await;
        store.commit([written(1), written(2)]).unwrap();
        drop(store);
        lab.close().await;
        assert_eq!(lab.open::<Notebook>().await.query(Note::all().count()).unwrap(), 2);
    }
}

#[tokio::test]
async fn the_wal_stays_bounded_under_a_steady_flow_of_commits() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    let text = "x".repeat(20_000);
    for number in 1..=1_500 {
        store.commit(NoteEvent::Written { number, text: text.clone() }).unwrap();
    }
    let file = lab.store_file("notebook");
    let bytes = |ending: &str| fs::metadata(with_ending(&file, ending)).map_or(0, |found| found.len());
    // 60 MB were written; a commit checkpoints when 16 MiB are there.
    assert!(bytes("-wal") < 32 << 20, "{}", bytes("-wal"));
    drop(store);
    lab.close().await;
    assert_eq!(bytes("-wal"), 0);
    assert_eq!(lab.open::<Notebook>().await.query(Note::all().count()).unwrap(), 1_500);
}

#[tokio::test]
async fn a_commit_is_one_transaction_of_the_file_and_it_is_written_when_commit_returns() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    let wal = with_ending(&lab.store_file("notebook"), "-wal");
    store.commit(written(1)).unwrap();
    let first = transactions(&wal);
    for count in 1..=20_i64 {
        let events = (0..count).map(|at| written(100 * count + at)).collect::<Vec<_>>();
        store.commit(events).unwrap();
        assert_eq!(transactions(&wal), first + usize::try_from(count).unwrap());
        store.commit([written(100 * count + 50), NoteEvent::Refused(3)]).unwrap_err();
    }
    assert_eq!(transactions(&wal), first + 20, "a failed commit leaves none");
}

#[tokio::test]
async fn a_commit_waits_while_somebody_has_the_lock_of_writers_for_a_moment() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    let other = lab.sqlite("notebook");
    let (taken, is_taken) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        taken.send(()).unwrap();
        (0..20).for_each(|_| std::thread::yield_now());
        other.execute_batch("COMMIT").unwrap();
    });
    is_taken.recv().unwrap();
    store.commit(written(2)).unwrap();
    holder.join().unwrap();
    assert_eq!(store.query(Note::all().count()).unwrap(), 2);
}
