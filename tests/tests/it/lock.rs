//! The lock file: one opener at a time, and whether the last one closed.

use std::fs;

use larder::{LoadError, prelude::*};
use larder_tests::{
    lab::{Lab, copy_dir, lock_text, with_ending},
    notebook::{Note, Notebook, note, written},
};

#[tokio::test]
async fn a_second_opener_in_the_same_process_is_refused_with_its_pid() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    let second = StoreRegistry::builder().data_dir(lab.data_dir()).build().unwrap();
    let error = second.get::<Notebook>("book:1").await.unwrap_err();
    let LoadError::Locked { holder, file, .. } = &error else { panic!("{error}") };
    assert_eq!(holder, "this process");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(&format!("pid {} open", std::process::id())), "{text}");
    store.commit(written(1)).unwrap();
    drop(store);
    lab.close().await;
    assert_eq!(second.get::<Notebook>("book:1").await.unwrap().query(Note::all()).unwrap(), [note(1)]);
}

#[tokio::test]
async fn a_clean_close_leaves_one_file_and_says_closed() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    let file = lab.store_file("notebook");
    assert!(with_ending(&file, "-wal").exists());
    drop(store);
    lab.close().await;
    assert!(!with_ending(&file, "-wal").exists());
    assert!(!with_ending(&file, "-shm").exists());
    assert!(fs::read_to_string(with_ending(&file, ".lock")).unwrap().contains("closed"));
}

/// The files as a killed process leaves them, in another data dir.
async fn killed() -> (Lab, Lab) {
    let mut alive = Lab::on_disk();
    let store = alive.open::<Notebook>().await;
    store.commit([written(1), written(2)]).unwrap();
    let dead = Lab::on_disk();
    copy_dir(&alive.data_dir(), &dead.data_dir());
    (alive, dead)
}

/// The same of a store that another process had closed before.
async fn killed_after_a_close() -> (Lab, Lab) {
    let mut alive = Lab::on_disk();
    alive.open::<Notebook>().await.commit(written(1)).unwrap();
    alive.close().await;
    alive.open::<Notebook>().await.commit(written(2)).unwrap();
    let dead = Lab::on_disk();
    copy_dir(&alive.data_dir(), &dead.data_dir());
    (alive, dead)
}

#[tokio::test]
async fn what_a_killed_process_committed_is_in_its_wal_and_is_found() {
    let (_alive, mut dead) = killed().await;
    let store = dead.open::<Notebook>().await;
    assert_eq!(store.query(Note::all()).unwrap(), [note(1), note(2)]);
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn an_unclean_file_without_its_wal_is_reported() {
    // Of a store that was never closed the file has nothing yet; of one that was, the commits of before.
    for (_alive, mut dead) in [killed().await, killed_after_a_close().await] {
        let file = dead.store_file("notebook");
        fs::remove_file(with_ending(&file, "-wal")).unwrap();
        assert!(!larder::doctor::check(&file).unwrap().is_sound());
        assert!(!with_ending(&file, "-wal").exists(), "who looks at it is not to make one");
        let error = dead.try_open::<Notebook>().await.unwrap_err();
        assert!(matches!(error, LoadError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("`-wal` is missing"), "{error}");
    }
}

#[tokio::test]
async fn a_wal_beside_a_cleanly_closed_file_is_another_stores_and_is_refused() {
    let (_alive, dead) = killed().await;
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit(written(7)).unwrap();
    drop(store);
    lab.close().await;
    let (file, foreign) = (lab.store_file("notebook"), dead.store_file("notebook"));
    fs::copy(with_ending(&foreign, "-wal"), with_ending(&file, "-wal")).unwrap();
    let error = lab.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(error, LoadError::WrongFile { .. }), "{error}");
    lab.close().await;
    fs::remove_file(with_ending(&file, "-wal")).unwrap();
    assert_eq!(lab.open::<Notebook>().await.query(Note::all()).unwrap(), [note(7)]);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_the_users_alone_and_symlinks_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    let file = lab.store_file("notebook");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for ending in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&with_ending(&file, ending)), 0o600, "{ending}");
    }
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    drop(store);
    lab.close().await;
    let moved = lab.beside("elsewhere.db");
    fs::rename(&file, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &file).unwrap();
    let error = lab.try_open::<Notebook>().await.unwrap_err();
    assert!(matches!(error, LoadError::WrongFile { .. }), "{error}");
}

/// SQLite holds a lock on the file as long as it is open, which a process loses with the first descriptor of the file that it closes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_load_that_compares_the_file_with_its_wal_keeps_sqlites_lock_on_the_file() {
    use std::os::unix::fs::MetadataExt;

    let mut alive = Lab::on_disk();
    let store = alive.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    let mut dead = Lab::on_disk();
    copy_dir(&alive.data_dir(), &dead.data_dir());
    let file = dead.store_file("notebook");
    // All of the `-wal` is in the file, too, and the marker is of another time.
    let sqlite = dead.sqlite("notebook");
    sqlite.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    let beside =
        ["-wal", "-shm"].map(|ending| (with_ending(&file, ending), fs::read(with_ending(&file, ending)).unwrap()));
    sqlite.close().unwrap();
    beside.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    fs::write(with_ending(&file, ".lock"), lock_text(1, "open sound 7")).unwrap();
    let store = dead.open::<Notebook>().await;
    assert!(!store.migrations_report().rebuilt());
    let (inode, pid) = (format!(":{}", fs::metadata(&file).unwrap().ino()), std::process::id().to_string());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    let ours = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        words[1] == "POSIX" && words[4] == pid && words[5].ends_with(&inode)
    };
    assert_eq!(locks.lines().filter(ours).count(), 1, "{locks}");
    store.commit(written(2)).unwrap();
}
