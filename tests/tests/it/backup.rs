//! Backups of a store, and stores restored from them.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

use larder_tests::{
    lab::{Lab, with_ending},
    notebook::{Note, Notebook, note, written},
};

#[tokio::test]
async fn a_store_restored_from_a_backup_opens_with_what_was_there_at_the_backup() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit([written(1), written(2)]).unwrap();
    let copy = lab.beside("copy.db");
    store.backup(&copy).unwrap();
    store.commit(written(3)).unwrap();
    drop(store);
    lab.close().await;
    fs::copy(&copy, lab.store_file("notebook")).unwrap();
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.query(Note::all()).unwrap(), [note(1), note(2)]);
    assert_eq!(store.commit(written(9)).unwrap().last(), Some("e3".parse().unwrap()));
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn a_backup_goes_into_a_new_file_and_not_over_another() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        let copy = lab.beside("copy.db");
        store.backup(&copy).unwrap();
        let refused = store.backup(&copy).unwrap_err();
        assert!(matches!(refused.kind(), larder::QueryErrorKind::Backup { file, .. } if *file == copy), "{refused}");
        let (text, store_name) = (refused.to_string(), store.name().to_string());
        for word in [store_name.as_str(), "copy.db", "exists already", "back up into a new file"] {
            assert!(text.contains(word), "{text}");
        }
        store.commit(written(2)).unwrap();
    }
}

#[tokio::test]
async fn a_backup_while_commits_go_on_is_one_state_of_the_store() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        // Some pages, so that a backup takes several steps.
        store.commit((1..=900).map(written).collect::<Vec<_>>()).unwrap();
        let copies: Vec<_> = (0..5).map(|copy| lab.beside(&format!("copy-{copy}.db"))).collect();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut next = 1_001;
                while !done.load(Ordering::Relaxed) {
                    store.commit([written(next), written(next + 1)]).unwrap();
                    next += 2;
                }
            });
            copies.iter().for_each(|copy| store.backup(copy).unwrap());
            done.store(true, Ordering::Relaxed);
        });
        let all = store.query(Note::all()).unwrap();
        let mut before = 0;
        for copy in copies {
            let mut restored = Lab::on_disk();
            drop(restored.open::<Notebook>().await);
            restored.close().await;
            let file = restored.store_file("notebook");
            fs::copy(&copy, &file).unwrap();
            fs::remove_file(with_ending(&file, ".lock")).unwrap();
            let store = restored.open::<Notebook>().await;
            assert_eq!(store.migrations_report().migration, larder::Migration::Unchanged);
            let notes = store.query(Note::all()).unwrap();
            assert_eq!((notes.len() % 2, notes.len() as u64), (0, store.head().global()), "no half commit");
            assert_eq!(notes, all[..notes.len()]);
            assert!(notes.len() >= before, "a later backup has what an earlier one had");
            before = notes.len();
            assert!(store.verify().unwrap().is_sound());
        }
    }
}
