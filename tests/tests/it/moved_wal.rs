//! A `-wal` that is damaged after a checkpoint moved it, or a part of it, into the file: what is moved is not undone by what SQLite still
//! reads of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use larder::{LoadError, Loss, NoIndex, doctor};
use larder_tests::{
    lab::{Lab, copy_dir, with_ending},
    notebook::{Note, Notebook, written},
};

const FRAME: usize = 24 + 4096;

/// A store that is open, and a connection of somebody who makes checkpoints.
struct Alive {
    lab: Lab,
    store: larder::StoreHandle<Notebook>,
    file: PathBuf,
    other: rusqlite::Connection,
}

impl Alive {
    async fn new() -> Self {
        let mut lab = Lab::on_disk();
        let store = lab.open::<Notebook>().await;
        store.commit((1..=300).map(written).collect::<Vec<_>>()).unwrap();
        drop(store);
        lab.close().await;
        let store = lab.open::<Notebook>().await;
        let file = lab.store_file("notebook");
        let other = rusqlite::Connection::open(&file).unwrap();
        Self { lab, store, file, other }
    }

    fn commit(&self, numbers: std::ops::RangeInclusive<i64>) {
        numbers.for_each(|number| drop(self.store.commit(written(number)).unwrap()));
    }

    fn checkpoint(&self) {
        self.other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    }

    fn wal(&self) -> Vec<u8> {
        fs::read(with_ending(&self.file, "-wal")).unwrap()
    }

    /// What a kill leaves, with another `-wal`.
    fn killed(&self, wal: &[u8]) -> Lab {
        let dead = Lab::on_disk();
        copy_dir(&self.lab.data_dir(), &dead.data_dir());
        fs::write(with_ending(&dead.store_file("notebook"), "-wal"), wal).unwrap();
        dead
    }
}

/// The `-wal` with a flipped bit in its first frame, in its header, and cut behind its first commit and its first frame.
fn damages(wal: &[u8]) -> Vec<Vec<u8>> {
    let flipped = |at: usize| {
        let mut wal = wal.to_vec();
        wal[at] ^= 8;
        wal
    };
    let ends_commit = |end: &usize| wal[end - FRAME + 4..][..4] != [0; 4];
    let first = (32 + FRAME..=wal.len()).step_by(FRAME).find(ends_commit).unwrap();
    vec![
        flipped(32 + 24 + 7),
        flipped(9),
        flipped(25),
        flipped(first + 30),
        wal[..first].to_vec(),
        wal[..32 + FRAME].to_vec(),
    ]
}

async fn opened(lab: &mut Lab, what: &str) -> (Option<Loss>, u64) {
    let store = lab.open::<Notebook>().await;
    assert!(store.verify().unwrap().is_sound(), "{what}");
    let found = (store.migrations_report().lost.as_ref().map(|lost| lost.loss), store.head().global());
    assert_eq!(store.query(Note::all().count()).unwrap(), found.1, "{what}");
    store.commit(written(1_000)).unwrap();
    drop(store);
    lab.close().await;
    let store = lab.open::<Notebook>().await;
    assert_eq!((store.head().global(), store.migrations_report().lost.is_none()), (found.1 + 1, true), "{what}, again");
    assert!(store.verify().unwrap().is_sound(), "{what}, again");
    found
}

fn kept(file: &Path) -> bool {
    with_ending(file, "-wal.damaged").exists()
}

#[tokio::test]
async fn damage_to_a_wal_that_is_wholly_in_the_file_loses_nothing() {
    let alive = Alive::new().await;
    alive.commit(301..=340);
    alive.checkpoint();
    for (case, damaged) in damages(&alive.wal()).iter().enumerate() {
        let mut dead = alive.killed(damaged);
        let file = dead.store_file("notebook");
        let (database, index) = (fs::read(&file).unwrap(), fs::read(with_ending(&file, "-shm")).unwrap());
        let checked = doctor::check(&file).unwrap();
        assert!(checked.is_sound() && checked.sound_events == 340, "case {case}: {checked:?}");
        assert_eq!(fs::read(&file).unwrap(), database);
        assert_eq!(fs::read(with_ending(&file, "-wal")).unwrap(), *damaged);
        assert!(index.starts_with(&fs::read(with_ending(&file, "-shm")).unwrap()));
        assert_eq!(opened(&mut dead, &format!("case {case}")).await, (None, 340), "case {case}");
        assert!(!kept(&file), "case {case}");
    }
}

#[tokio::test]
async fn of_a_damaged_wal_that_is_partly_in_the_file_only_the_rest_is_lost() {
    let alive = Alive::new().await;
    alive.commit(301..=330);
    alive.other.execute_batch("BEGIN; SELECT count(*) FROM notes").unwrap();
    let checkpointer = rusqlite::Connection::open(&alive.file).unwrap();
    checkpointer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    // Somebody reads, so the `-wal` is not begun anew.
    alive.commit(331..=340);
    for (case, damaged) in damages(&alive.wal()).iter().enumerate() {
        let mut dead = alive.killed(damaged);
        let file = dead.store_file("notebook");
        let problems = doctor::check(&file).unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains("lost")), "case {case}: {problems:?}");
        assert_eq!(opened(&mut dead, &format!("case {case}")).await, (Some(Loss::Uncounted), 330), "case {case}");
        assert!(kept(&file), "case {case}");
    }
}

#[tokio::test]
async fn a_wal_of_the_round_before_is_refused_and_without_its_index_the_log_is_read_whole() {
    let alive = Alive::new().await;
    alive.commit(301..=320);
    let before = alive.wal();
    alive.commit(321..=340);
    alive.checkpoint();
    // The `-wal` begins anew.
    alive.commit(341..=345);
    for index in [true, false] {
        let mut dead = alive.killed(&before);
        let file = dead.store_file("notebook");
        if index {
            let error = dead.try_open::<Notebook>().await.map(drop).unwrap_err();
            assert!(matches!(error, LoadError::WrongFile { .. }), "{error}");
            dead.close().await;
            assert_eq!(fs::read(with_ending(&file, "-wal")).unwrap(), before);
        } else {
            fs::remove_file(with_ending(&file, "-shm")).unwrap();
            match dead.try_open::<Notebook>().await {
                Ok(store) => {
                    let lost = store.migrations_report().lost.clone().unwrap();
                    assert_eq!(lost.loss, Loss::Possible(NoIndex::Missing));
                    assert!(store.migrations_report().rebuilt() && store.verify().unwrap().is_sound());
                }
                Err(error) => assert!(matches!(error, LoadError::Corrupt { .. }), "{error}"),
            }
        }
    }
}
