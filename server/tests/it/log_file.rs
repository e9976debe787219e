//! The storages do what every storage must, and the one in a file keeps it.

use std::sync::Arc;

use larder_server::{Append, MemoryStorage, SqliteStorage, Storage as _, conformance};
use larder_wire::StoreId;

use crate::lab::events;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_in_memory_conform() {
    conformance::check(|| Arc::new(MemoryStorage::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_in_a_file_conform() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut count = 0;
    let new = || {
        count += 1;
        Arc::new(SqliteStorage::open(&folder.path().join(count.to_string())).expect("a log"))
    };
    conformance::check(new).await;
    let again = folder.path().join("again");
    conformance::check_reopened(|| Arc::new(SqliteStorage::open(&again).expect("a log"))).await;
}

#[tokio::test]
async fn appends_that_arrive_together_share_a_transaction_and_one_that_fails_takes_none_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Arc::new(SqliteStorage::open(folder.path()).expect("a log"));
    let append = |store: usize, head| {
        let store = StoreId::new(&format!("s{store}")).expect("an id");
        let storage = storage.clone();
        async move { storage.append(Append::new(store, head, 0, events(head, 2))).await }
    };
    let results =
        futures_util::future::join_all((0..300).map(|number| append(number, u64::from(number % 7 == 3)))).await;
    for (number, result) in results.into_iter().enumerate() {
        assert_eq!(result.is_ok(), number % 7 != 3, "{number}: {result:?}");
    }
    let wal = std::fs::metadata(folder.path().join("log.sqlite-wal")).expect("a log").len();
    // Each transaction writes at least the pages of two tables; 257 of them alone would have written far more.
    assert!(wal < 2_500_000, "{wal} bytes were written");
    storage.close().await;
    let closed = append(0, 2).await;
    assert!(closed.expect_err("closed").to_string().contains("closed"));
}

#[tokio::test]
async fn one_server_a_directory_and_no_other_programs_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = SqliteStorage::open(folder.path()).expect("a log");
    let second = SqliteStorage::open(folder.path()).expect_err("taken").to_string();
    assert!(second.contains("is another server's that is running"), "{second}");
    first.close().await;
    drop(first);
    SqliteStorage::open(folder.path()).expect("free again").close().await;

    let other = tempfile::tempdir().expect("a folder");
    let path = other.path().join("log.sqlite");
    rusqlite::Connection::open(&path).and_then(|file| file.execute_batch("CREATE TABLE t (a)")).expect("a file");
    let refused = SqliteStorage::open(other.path()).expect_err("another program's").to_string();
    assert!(refused.contains("is not a log of larder-server"), "{refused}");
    let newer = tempfile::tempdir().expect("a folder");
    SqliteStorage::open(newer.path()).expect("a log").close().await;
    let file = rusqlite::Connection::open(newer.path().join("log.sqlite")).expect("a file");
    file.execute_batch("PRAGMA user_version = 9").expect("a pragma");
    drop(file);
    let refused = SqliteStorage::open(newer.path()).expect_err("newer").to_string();
    assert!(refused.contains("has format 9, this server knows 1"), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_the_owners_alone_and_symlinks_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let storage = SqliteStorage::open(&data).expect("a log");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("log.sqlite")), 0o600);
    storage.close().await;
    let linked = folder.path().join("linked");
    std::fs::create_dir(&linked).expect("a folder");
    std::os::unix::fs::symlink(data.join("log.sqlite"), linked.join("log.sqlite")).expect("a link");
    assert!(SqliteStorage::open(&linked).expect_err("a link").to_string().contains("symlink"));
}

#[tokio::test]
async fn a_log_with_a_hole_is_damaged_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = StoreId::new("a").expect("an id");
    let storage = SqliteStorage::open(folder.path()).expect("a log");
    storage.append(Append::new(store.clone(), 0, 0, events(0, 5))).await.expect("an append");
    storage.close().await;
    drop(storage);
    let file = rusqlite::Connection::open(folder.path().join("log.sqlite")).expect("a file");
    file.execute_batch("DELETE FROM events WHERE number = 3").expect("a hole");
    drop(file);
    let storage = SqliteStorage::open(folder.path()).expect("a log");
    let read = storage.read(&store, 0, larder_server::PageSize::default()).await;
    assert!(read.expect_err("a hole").to_string().contains("restore a backup"));
}
