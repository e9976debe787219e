//! Backups, and logs that come from them: never with the identity that clients have met.

use std::path::{Path, PathBuf};

use larder_server::{Append, SqliteStorage, Storage as _, backup, restore};
use larder_wire::StoreId;

use crate::lab::events;

async fn add(storage: &SqliteStorage, head: u64, count: u64) {
    let store = StoreId::new("a").expect("an id");
    storage.append(Append::new(store, head, 0, events(head, count))).await.expect("an append");
}

async fn head(storage: &SqliteStorage) -> u64 {
    storage.head(&StoreId::new("a").expect("an id")).await.expect("a head")
}

/// A log with three events and a backup of them, five in the log afterwards. Its identity.
async fn prepared(folder: &Path) -> String {
    let data = folder.join("data");
    let storage = SqliteStorage::open(&data).expect("a log");
    add(&storage, 0, 3).await;
    backup(&data, &folder.join("backup")).expect("a copy, while the log is in use");
    add(&storage, 3, 2).await;
    storage.close().await;
    storage.name().to_owned()
}

/// The same, with two events more that a killed server has left beside its log: the log's identity, and the data directory.
async fn killed(folder: &Path) -> (String, PathBuf) {
    let identity = prepared(folder).await;
    let (data, killed) = (folder.join("data"), folder.join("killed"));
    let storage = SqliteStorage::open(&data).expect("a log");
    add(&storage, 5, 2).await;
    std::fs::create_dir(&killed).expect("a folder");
    for name in ["log.sqlite", "log.sqlite-wal", "generation"] {
        std::fs::copy(data.join(name), killed.join(name)).expect("a copy");
    }
    (identity, killed)
}

#[tokio::test]
async fn a_restored_log_is_the_backups_and_has_a_new_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = prepared(folder.path()).await;
    let data = folder.path().join("data");
    let restored = restore(&data, Some(&folder.path().join("backup"))).expect("restored");
    assert_eq!((restored.stores, restored.events), (1, 3));
    assert_ne!(restored.identity, before);
    let replaced = restored.replaced.expect("the old log stays");
    assert!(replaced.exists());
    let storage = SqliteStorage::open(&data).expect("a log");
    assert_eq!((storage.name(), head(&storage).await), (restored.identity.as_str(), 3));
    add(&storage, 3, 1).await;
    storage.close().await;
    drop(storage);
    let storage = SqliteStorage::open(&data).expect("a log");
    assert_eq!((storage.name(), head(&storage).await), (restored.identity.as_str(), 4), "it stays that one");
}

#[tokio::test]
async fn a_log_put_back_by_hand_gets_a_new_identity_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let before = prepared(folder.path()).await;
    // A copy of a stopped server's file, put back after the server ran again.
    let old = folder.path().join("old");
    std::fs::copy(data.join("log.sqlite"), &old).expect("a copy");
    let storage = SqliteStorage::open(&data).expect("a log");
    assert_eq!(storage.name(), before, "a restart is no reason");
    add(&storage, 5, 1).await;
    storage.close().await;
    drop(storage);
    for copy in [old, folder.path().join("backup")] {
        std::fs::copy(copy, data.join("log.sqlite")).expect("put back");
        let storage = SqliteStorage::open(&data).expect("a log");
        assert_ne!(storage.name(), before);
        storage.close().await;
    }
    // And into a directory that never had it.
    let other = folder.path().join("other");
    std::fs::create_dir(&other).expect("a folder");
    std::fs::copy(data.join("log.sqlite"), other.join("log.sqlite")).expect("put there");
    let here = SqliteStorage::open(&data).expect("a log");
    let there = SqliteStorage::open(&other).expect("a log");
    assert_ne!(here.name(), there.name());
}

#[tokio::test]
async fn a_log_put_over_the_one_of_a_younger_server_gets_a_new_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, young) = (folder.path().join("old"), folder.path().join("young"));
    let mut met = String::new();
    for _ in 0..4 {
        let storage = SqliteStorage::open(&old).expect("a log");
        met = storage.name().to_owned();
        storage.close().await;
    }
    SqliteStorage::open(&young).expect("a log").close().await;
    std::fs::copy(old.join("log.sqlite"), young.join("log.sqlite")).expect("put there");
    assert_ne!(SqliteStorage::open(&young).expect("a log").name(), met);
}

#[tokio::test]
async fn a_file_that_was_copied_while_the_server_ran_is_noticed_after_a_clean_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let storage = SqliteStorage::open(&data).expect("a log");
    let before = storage.name().to_owned();
    add(&storage, 0, 1).await;
    // As a tool for backups does that knows nothing of SQLite, and happens to find the file whole.
    let file = rusqlite::Connection::open(data.join("log.sqlite")).expect("a file");
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    drop(file);
    let copy = folder.path().join("copy");
    std::fs::copy(data.join("log.sqlite"), &copy).expect("a copy");
    add(&storage, 1, 1).await;
    storage.close().await;
    drop(storage);
    std::fs::copy(&copy, data.join("log.sqlite")).expect("put back");
    let storage = SqliteStorage::open(&data).expect("a log");
    assert_eq!(head(&storage).await, 1);
    assert_ne!(storage.name(), before, "clients have seen e2");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_a_backup_at_any_moment() {
    use std::{os::unix::fs::PermissionsExt as _, sync::mpsc};
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let storage = SqliteStorage::open(&data).expect("a log");
    for head in (0..3_000).step_by(100) {
        add(&storage, head, 100).await;
    }
    let to = folder.path().join("backup");
    let (over, is_over) = mpsc::channel::<()>();
    let watched = to.clone();
    let watching = std::thread::spawn(move || {
        let mut modes = std::collections::BTreeSet::new();
        loop {
            let ends = is_over.try_recv() != Err(mpsc::TryRecvError::Empty);
            modes.extend(std::fs::metadata(&watched).ok().map(|file| file.permissions().mode() & 0o777));
            if ends {
                return modes;
            }
        }
    });
    backup(&data, &to).expect("a copy");
    drop(over);
    assert_eq!(watching.join().expect("no panic").into_iter().collect::<Vec<_>>(), [0o600]);
    let taken = backup(&data, &to).expect_err("it overwrites nothing").to_string();
    assert!(taken.contains("is there already; give a new name"), "{taken}");
    storage.close().await;
}

#[tokio::test]
async fn a_backup_that_is_none_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let before = prepared(folder.path()).await;
    let bad = folder.path().join("bad");
    std::fs::write(&bad, "no database").expect("a file");
    assert!(restore(&data, Some(&bad)).is_err());
    assert!(restore(&data, Some(&folder.path().join("missing"))).is_err());
    // A copy that found no room, and a file of SQLite that nobody has written to.
    for nothing in [Vec::new(), empty_database()] {
        std::fs::write(&bad, nothing).expect("a file");
        let error = restore(&data, Some(&bad)).expect_err("nothing in it").to_string();
        assert!(error.contains("is empty, and no backup"), "{error}");
    }
    let holes = folder.path().join("holes");
    std::fs::copy(folder.path().join("backup"), &holes).expect("a copy");
    let file = rusqlite::Connection::open(&holes).expect("a file");
    file.execute_batch("DELETE FROM events WHERE number = 2").expect("a hole");
    drop(file);
    assert!(restore(&data, Some(&holes)).expect_err("a hole").to_string().contains("lack events"));
    let storage = SqliteStorage::open(&data).expect("a log");
    assert_eq!((storage.name(), head(&storage).await), (before.as_str(), 5));
    let running = restore(&data, None).expect_err("a server has it").to_string();
    assert!(running.contains("is another server's that is running"), "{running}");
    storage.close().await;
    drop(storage);
    assert!(backup(&data, &folder.path().join("backup")).is_err(), "a backup overwrites nothing");
    let renamed = restore(&data, None).expect("only a new identity");
    assert_eq!((renamed.events, renamed.replaced), (5, None));
    assert_ne!(renamed.identity, before);
}

#[tokio::test]
async fn a_directory_whose_log_is_gone_is_refused_and_restored_or_begun_anew_only_when_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    prepared(folder.path()).await;
    std::fs::rename(data.join("log.sqlite"), data.join("elsewhere")).expect("moved");
    let error = SqliteStorage::open(&data).expect_err("no log").to_string();
    assert!(error.contains("log.sqlite is gone or empty") && error.contains("restore --from"), "{error}");
    assert!(!data.join("log.sqlite").exists(), "nothing is in its place");
    restore(&data, Some(&backup)).expect("restored");
    let storage = SqliteStorage::open(&data).expect("a log");
    assert_eq!(head(&storage).await, 3);
    storage.close().await;
    drop(storage);
    std::fs::remove_file(data.join("log.sqlite")).expect("removed");
    std::fs::remove_file(data.join("generation")).expect("removed");
    assert_eq!(head(&SqliteStorage::open(&data).expect("an empty log")).await, 0);
}

/// A copy that found no room is empty; SQLite would take it for a new log, and remove what is written ahead of the old one.
#[tokio::test]
async fn an_empty_file_in_the_place_of_a_log_is_refused_and_the_write_ahead_log_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let (before, killed) = killed(folder.path()).await;
    let log = std::fs::read(killed.join("log.sqlite")).expect("a log");
    for nothing in [Vec::new(), empty_database()] {
        std::fs::write(killed.join("log.sqlite"), &nothing).expect("written");
        let error = SqliteStorage::open(&killed).expect_err("no log").to_string();
        assert!(error.contains("gone or empty") && error.contains("restore --from"), "{error}");
        assert!(restore(&killed, None).is_err(), "there is nothing to be given a name");
        if nothing.is_empty() {
            std::fs::write(killed.join("log.sqlite"), &log).expect("put back");
            let storage = SqliteStorage::open(&killed).expect("a log");
            assert_eq!((storage.name(), head(&storage).await), (before.as_str(), 7));
            storage.close().await;
        }
    }
}

#[tokio::test]
async fn what_stands_beside_an_empty_file_goes_aside_with_it_when_a_backup_takes_its_place() {
    a_backup_takes_the_place_of(|log| std::fs::write(log, b"")).await;
}

#[tokio::test]
async fn what_a_log_that_is_gone_left_beside_it_is_not_taken_for_the_backups() {
    a_backup_takes_the_place_of(std::fs::remove_file).await;
}

/// Of a log that a killed server left and something happened to: what stands beside it goes aside.
async fn a_backup_takes_the_place_of(happens: impl FnOnce(PathBuf) -> std::io::Result<()>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, killed) = killed(folder.path()).await;
    happens(killed.join("log.sqlite")).expect("it happened");
    let restored = restore(&killed, Some(&folder.path().join("backup"))).expect("restored");
    assert_eq!(restored.events, 3);
    let aside = killed.join("log.sqlite.replaced-0-wal");
    assert!(std::fs::metadata(aside).is_ok_and(|aside| aside.len() > 0), "nothing is thrown away");
}

#[tokio::test]
async fn a_log_that_was_copied_as_files_is_restored_with_what_stands_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, killed) = killed(folder.path()).await;
    let restored = restore(&folder.path().join("other"), Some(&killed.join("log.sqlite"))).expect("restored");
    assert_eq!(restored.events, 7);
    assert!(killed.join("log.sqlite-wal").exists(), "the copy stays as it was");
}

/// What `sqlite3` makes of `VACUUM`.
fn empty_database() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("empty");
    rusqlite::Connection::open(&path).expect("opened").execute_batch("VACUUM").expect("made");
    std::fs::read(path).expect("a file")
}

#[tokio::test]
async fn starts_that_fail_do_not_make_the_log_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let before = prepared(folder.path()).await;
    // As where the disk has no room for another file.
    std::fs::create_dir(data.join("generation.new")).expect("in the way");
    for _ in 0..3 {
        let error = SqliteStorage::open(&data).expect_err("no number").to_string();
        assert!(error.contains("data"), "{error}");
    }
    std::fs::remove_dir(data.join("generation.new")).expect("out of the way");
    let storage = SqliteStorage::open(&data).expect("a log");
    assert_eq!((storage.name(), head(&storage).await), (before.as_str(), 5));
}

#[tokio::test]
async fn what_a_killed_server_left_beside_its_log_is_in_the_one_that_is_put_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, killed) = killed(folder.path()).await;
    let restored = restore(&killed, Some(&folder.path().join("backup"))).expect("restored");
    let aside = restored.replaced.expect("the log of before");
    assert!(!killed.join("log.sqlite.replaced-0-wal").exists(), "it is one file");
    std::fs::remove_file(killed.join("log.sqlite")).expect("removed");
    std::fs::rename(aside, killed.join("log.sqlite")).expect("put back");
    assert_eq!(head(&SqliteStorage::open(&killed).expect("a log")).await, 7);
}
