//! Commits that a damaged or torn `-wal` took with it: the store opens with those before, and says so.

use std::fs;

use larder::{Durability, LoadError, Loss, Migration, NoIndex, RebuildReason, StoreOptions, doctor};
use larder_tests::{
    lab::{Lab, copy_dir, lock_text, with_ending},
    notebook::{Note, Notebook, note, written},
};

/// The files as a killed process leaves them after five commits, the first two of them before a close.
async fn killed() -> Lab {
    let mut alive = Lab::on_disk();
    let store = alive.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    store.commit(written(2)).unwrap();
    drop(store);
    alive.close().await;
    let store = alive.open::<Notebook>().await;
    (3..=5).for_each(|number| drop(store.commit(written(number)).unwrap()));
    let dead = Lab::on_disk();
    copy_dir(&alive.data_dir(), &dead.data_dir());
    dead
}

const FRAME: usize = 24 + 4096;

#[tokio::test]
async fn a_killed_process_has_lost_nothing_and_nothing_is_said() {
    let mut dead = killed().await;
    assert!(doctor::check(dead.store_file("notebook")).unwrap().is_sound());
    let store = dead.open::<Notebook>().await;
    assert_eq!((store.migrations_report().lost.clone(), store.head().global()), (None, 5));
    drop(store);
    dead.close().await;
    assert_eq!(dead.open::<Notebook>().await.migrations_report().lost, None);
}

#[tokio::test]
async fn a_damaged_frame_takes_the_commits_behind_it_along_and_the_load_says_how_many() {
    for index_too in [false, true] {
        let mut dead = killed().await;
        let file = dead.store_file("notebook");
        let mut wal = fs::read(with_ending(&file, "-wal")).unwrap();
        let whole = wal.clone();
        // In the first frame, so that all three commits are behind it.
        wal[32 + 24 + 100] ^= 4;
        fs::write(with_ending(&file, "-wal"), &wal).unwrap();
        if index_too {
            fs::remove_file(with_ending(&file, "-shm")).unwrap();
        }
        let problems = doctor::check(&file).unwrap().problems;
        assert!(problems.iter().any(|problem| problem.starts_with("3 commits are lost")), "{problems:?}");
        let store = dead.open::<Notebook>().await;
        let lost = store.migrations_report().lost.clone().unwrap();
        assert_eq!((lost.loss, store.query(Note::all()).unwrap()), (Loss::AtLeast(3), vec![note(1), note(2)]));
        let kept = lost.kept.clone().unwrap();
        assert_eq!(fs::read(&kept).unwrap(), wal);
        assert!(lost.to_string().ends_with(&format!("it is kept as {}", kept.display())), "{lost}");
        // With the bit put right all of it can be read again.
        assert_ne!(wal, whole);
        store.commit(written(6)).unwrap();
        assert!(store.verify().unwrap().is_sound());
        drop(store);
        dead.close().await;
        let store = dead.open::<Notebook>().await;
        assert_eq!((store.migrations_report().lost.clone(), store.head().global()), (None, 3), "it is said once");
    }
}

#[tokio::test]
async fn what_is_lost_is_said_also_when_the_tables_are_built_anew() {
    let mut dead = killed().await;
    let file = dead.store_file("notebook");
    let wal = with_ending(&file, "-wal");
    let mut bytes = fs::read(&wal).unwrap();
    bytes[32 + 24 + 100] ^= 4;
    fs::write(wal, bytes).unwrap();
    // The last opener found the tables damaged.
    let lock = with_ending(&file, ".lock");
    let text = fs::read_to_string(&lock).unwrap().replace(" sound ", " suspect ");
    let line = text.lines().next().unwrap().trim_end().to_owned();
    fs::write(lock, format!("{line:<63}\n").repeat(2)).unwrap();
    let store = dead.open::<Notebook>().await;
    let report = store.migrations_report();
    assert_eq!(report.migration, Migration::Rebuilt(RebuildReason::Damaged));
    assert_eq!(report.lost.as_ref().map(|lost| lost.loss), Some(Loss::AtLeast(3)));
    assert_eq!(store.query(Note::all()).unwrap(), [note(1), note(2)]);
}

#[tokio::test]
async fn whatever_byte_of_the_wal_is_damaged_and_wherever_it_is_cut_no_commit_is_lost_without_a_word() {
    let dead = killed().await;
    let wal = fs::read(with_ending(&dead.store_file("notebook"), "-wal")).unwrap();
    let cuts = (0..wal.len()).step_by(FRAME / 3).map(|cut| wal[..cut].to_vec());
    let flips = (0..wal.len()).step_by(211).chain([0, 8, 16, 24, 31, 36, 40, 48]).map(|at| {
        let mut wal = wal.clone();
        wal[at] ^= 0x40;
        wal
    });
    for (case, damaged) in cuts.chain(flips).enumerate() {
        let mut lab = Lab::on_disk();
        copy_dir(&dead.data_dir(), &lab.data_dir());
        fs::write(with_ending(&lab.store_file("notebook"), "-wal"), damaged).unwrap();
        let problems = doctor::check(lab.store_file("notebook")).unwrap().problems;
        let store = lab.open::<Notebook>().await;
        let lost = store.migrations_report().lost.is_some();
        assert_eq!(lost, store.head().global() < 5, "case {case}");
        assert_eq!(lost, problems.iter().any(|problem| problem.contains("lost")), "case {case}: {problems:?}");
        assert!(store.verify().unwrap().is_sound(), "case {case}");
    }
}

#[tokio::test]
async fn a_copy_that_was_kept_goes_with_its_store() {
    let mut dead = killed().await;
    let file = dead.store_file("notebook");
    let mut wal = fs::read(with_ending(&file, "-wal")).unwrap();
    wal[32 + 24] ^= 1;
    fs::write(with_ending(&file, "-wal"), wal).unwrap();
    let kept = dead.open::<Notebook>().await.migrations_report().lost.clone().unwrap().kept.unwrap();
    let registry = dead.registry().clone();
    registry.evict::<Notebook>("book:1").await.unwrap();
    assert!(kept.exists() && registry.delete::<Notebook>("book:1").await.unwrap());
    assert!(!kept.exists());
}

/// What a load says is lost, and how many events it has.
async fn opened(lab: &mut Lab) -> (Option<Loss>, u64) {
    let store = lab.open::<Notebook>().await;
    assert!(store.verify().unwrap().is_sound());
    let found = (store.migrations_report().lost.as_ref().map(|lost| lost.loss), store.head().global());
    drop(store);
    lab.close().await;
    found
}

#[tokio::test]
async fn without_its_index_a_wal_that_was_cut_cannot_be_told_from_a_whole_one_and_the_load_says_so() {
    let missing = Some(Loss::Possible(NoIndex::Missing));
    // Whole, and cut behind the first of the three commits.
    for (cut, events) in [(false, 5), (true, 3)] {
        for looked_at in [false, true] {
            let mut dead = killed().await;
            let file = dead.store_file("notebook");
            let wal = fs::read(with_ending(&file, "-wal")).unwrap();
            let ends_commit = |end: &usize| wal[end - FRAME + 4..][..4] != [0; 4];
            let first = (32 + FRAME..=wal.len()).step_by(FRAME).find(ends_commit).unwrap();
            fs::write(with_ending(&file, "-wal"), &wal[..if cut { first } else { wal.len() }]).unwrap();
            fs::remove_file(with_ending(&file, "-shm")).unwrap();
            if looked_at {
                let problems = doctor::check(&file).unwrap().problems;
                assert!(problems.iter().any(|problem| problem.contains("may be lost")), "{problems:?}");
                assert!(!with_ending(&file, "-shm").exists(), "the next opener is to miss it, too");
            }
            assert_eq!(opened(&mut dead).await, (missing, events));
            assert_eq!(opened(&mut dead).await, (None, events), "it is said once");
        }
    }
}

#[tokio::test]
async fn an_index_that_says_nothing_may_come_from_a_loss_of_power_which_takes_no_commit_that_waited_for_the_disk() {
    for (durability, lost) in
        [(Durability::Process, Some(Loss::Possible(NoIndex::Unreadable))), (Durability::Power, None)]
    {
        for index in [&[][..], &[0; 32_768]] {
            let mut dead = killed().await;
            dead.set_defaults(StoreOptions::new().durability(durability));
            fs::write(with_ending(&dead.store_file("notebook"), "-shm"), index).unwrap();
            assert_eq!(opened(&mut dead).await, (lost, 5), "{durability:?}");
        }
    }
}

#[tokio::test]
async fn a_load_that_is_refused_leaves_the_next_one_what_tells_of_the_loss() {
    for (index, loss) in [(false, Loss::Possible(NoIndex::Missing)), (true, Loss::Uncounted)] {
        let mut dead = killed().await;
        let file = dead.store_file("notebook");
        let wal = fs::read(with_ending(&file, "-wal")).unwrap();
        fs::write(with_ending(&file, "-wal"), &wal[..wal.len() - 1]).unwrap();
        if !index {
            fs::remove_file(with_ending(&file, "-shm")).unwrap();
        }
        let lock = fs::read(with_ending(&file, ".lock")).unwrap();
        // The `-wal` seems to be of an earlier time.
        fs::write(with_ending(&file, ".lock"), lock_text(1, "open sound 9")).unwrap();
        let error = dead.try_open::<Notebook>().await.map(drop).unwrap_err();
        assert!(matches!(error, LoadError::WrongFile { .. }), "{error}");
        dead.close().await;
        fs::write(with_ending(&file, ".lock"), lock).unwrap();
        assert_eq!(opened(&mut dead).await, (Some(loss), 4));
    }
}

#[tokio::test]
async fn a_catalog_that_is_made_anew_takes_nothing_along_that_tells_of_the_loss() {
    let mut dead = killed().await;
    let wal = with_ending(&dead.store_file("notebook"), "-wal");
    let bytes = fs::read(&wal).unwrap();
    fs::write(&wal, &bytes[..bytes.len() - FRAME]).unwrap();
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(with_ending(&dead.data_dir().join("catalog.db"), ending));
    }
    assert_eq!(dead.registry().stored::<Notebook>().await.unwrap().len(), 1, "it reads the store's file");
    let store = dead.open::<Notebook>().await;
    assert_eq!(store.migrations_report().lost.as_ref().map(|lost| lost.loss), Some(Loss::Uncounted));
}
