//! Group commit with the moments fixed: the leader stands in its materializer while the others queue, so they share a transaction.

use std::{sync::mpsc, time::Duration};

use larder::{Change, CommitErrorKind, StoreError, prelude::*};
use larder_tests::{
    lab::{Lab, transactions, with_ending},
    notebook::{Note, NoteEvent, Notebook, in_materializer, note, written},
};

use crate::{
    kept_changes::places,
    registry::fake::{Fake, synced},
};

/// What became of one commit: its numbers, or the events that came back and why.
type Outcome = Result<Vec<String>, (Vec<NoteEvent>, Why)>;

#[derive(Debug, PartialEq)]
enum Why {
    Refused,
    Panicked,
    Evicted,
    Other,
}

/// Commits `events`, one commit each, as one group: a leader blocks the writer, and `while_blocked` runs when all have queued.
fn as_group(
    registry: &StoreRegistry,
    store: &StoreHandle<Notebook>,
    commits: Vec<Vec<NoteEvent>>,
    while_blocked: impl FnOnce(),
) -> Vec<Outcome> {
    let (entered, at_entry) = mpsc::channel();
    let (release, at_release) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let leader = store.clone();
        let leading = scope.spawn(move || {
            let hook = move || {
                entered.send(()).unwrap();
                at_release.recv().unwrap();
            };
            in_materializer(hook, || leader.commit(NoteEvent::Hooked)).map(drop)
        });
        at_entry.recv().unwrap();
        let queued: Vec<_> = commits
            .into_iter()
            .enumerate()
            .map(|(at, events)| {
                let committer = store.clone();
                let thread = scope.spawn(move || outcome(committer.commit(events)));
                // The next one comes behind it in the queue.
                until_waiting(registry, at + 1);
                thread
            })
            .collect();
        while_blocked();
        release.send(()).unwrap();
        leading.join().unwrap().unwrap();
        queued.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Until so many commits have queued behind the leader.
fn until_waiting(registry: &StoreRegistry, commits: usize) {
    while registry.stats().stores[0].waiting_commits < commits {
        std::thread::yield_now();
    }
}

fn outcome(result: Result<larder::Receipt, larder::CommitError<NoteEvent>>) -> Outcome {
    match result {
        Ok(receipt) => Ok(receipt.numbers().iter().map(ToString::to_string).collect()),
        Err(error) => {
            let why = match error.kind() {
                CommitErrorKind::Materialize { .. } => Why::Refused,
                CommitErrorKind::MaterializerPanicked { .. } => Why::Panicked,
                CommitErrorKind::Store(StoreError::Evicted { .. }) => Why::Evicted,
                _ => Why::Other,
            };
            Err((error.into_events(), why))
        }
    }
}

#[tokio::test]
async fn in_a_group_the_failing_and_the_panicking_commit_fail_alone() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let mut changes = store.changes();
        let commits = vec![
            vec![written(1), written(2)],
            vec![written(3), NoteEvent::Refused(4)],
            vec![NoteEvent::LookedAt(1)],
            vec![written(5), NoteEvent::Panicked(6)],
            vec![written(7)],
        ];
        let outcomes = as_group(lab.registry(), &store, commits.clone(), || {});
        assert_eq!(outcomes[0].as_ref().unwrap(), &["e2", "e3"]);
        assert_eq!(outcomes[2].as_ref().unwrap(), &["e3.1"]);
        assert_eq!(outcomes[4].as_ref().unwrap(), &["e4"], "the numbers of failed commits are given again");
        assert_eq!(outcomes[1], Err((commits[1].clone(), Why::Refused)));
        assert_eq!(outcomes[3], Err((commits[3].clone(), Why::Panicked)));
        assert_eq!(store.query(Note::all()).unwrap(), [note(1), note(2), note(7)]);
        assert!(store.verify().unwrap().is_sound());
        let mut rows = Vec::new();
        for _ in 0..4 {
            let Some(Ok(Change::Committed(record))) = changes.next().await else { panic!("a record") };
            rows.push((record.numbers.len(), record.rows.len()));
        }
        assert_eq!(rows, [(1, 0), (2, 2), (1, 0), (1, 1)], "each record has the rows of its own commit");
        store.commit(written(8)).unwrap();
    }
}

#[tokio::test]
async fn in_a_group_a_failing_commit_leaves_no_change_record() {
    let mut lab = Lab::on_disk_with(synced(&Fake::new("wss://one", false)));
    let store = lab.open::<Notebook>().await;
    let commits = vec![vec![written(1)], vec![written(2), NoteEvent::Refused(3)], vec![written(4)]];
    let outcomes = as_group(lab.registry(), &store, commits, || {});
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    drop(store);
    lab.close_within(Duration::ZERO).await;
    assert_eq!(places(&lab.sqlite("notebook")), ["e1", "e2", "e3"]);
}

#[tokio::test]
async fn commits_that_wait_share_one_transaction() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit(written(100)).unwrap();
    let wal = with_ending(&lab.store_file("notebook"), "-wal");
    let before = transactions(&wal);
    let outcomes = as_group(lab.registry(), &store, (1..=8).map(|number| vec![written(number)]).collect(), || {});
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(transactions(&wal), before + 2, "one of the leader, one of all who waited");
}

#[tokio::test]
async fn a_commit_that_would_roll_back_everything_takes_no_other_of_its_group_along() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let commits = vec![
            vec![written(1)],
            vec![NoteEvent::Refused(2)],
            vec![written(3), NoteEvent::RolledBack],
            vec![written(4)],
            vec![NoteEvent::RolledBack],
        ];
        let failed: Vec<_> = as_group(lab.registry(), &store, commits, || {}).iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, true, true, false, true]);
        assert_eq!(store.query(Note::all()).unwrap(), [note(1), note(4)]);
        assert_eq!(store.head(), "e3".parse().unwrap());
        assert!(store.verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn commits_that_wait_when_the_store_is_evicted_answer_that_and_the_one_in_progress_ends() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        let registry = lab.registry().clone();
        let mut evicting = None;
        let outcomes = as_group(&registry, &store, vec![vec![written(1)], vec![written(2)]], || {
            evicting = Some(registry.evict::<Notebook>("book:1"));
        });
        assert_eq!(outcomes, [Err((vec![written(1)], Why::Evicted)), Err((vec![written(2)], Why::Evicted))]);
        evicting.unwrap().await.unwrap();
        drop(store);
        let again = lab.open::<Notebook>().await;
        let in_file = again.migrations_report().migration == larder::Migration::Unchanged;
        assert_eq!(again.head().global(), u64::from(in_file), "the leader's commit had begun before");
    }
}
