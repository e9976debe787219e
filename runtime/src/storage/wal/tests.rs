//! A `-wal` that SQLite wrote, read here and by SQLite.

use std::{fs, io::Cursor, path::Path};

use super::*;
use crate::{
    options::Durability,
    storage::{
        lock::beside,
        sqlite::{Access, Checkpoint, Connection, Place},
    },
};

fn open(path: &Path) -> Connection {
    let access = Access::Writer { create: true, durability: Durability::Process };
    let mut connection = Connection::open(&Place::File(path.to_owned()), access).unwrap();
    connection.watch_wal().unwrap();
    connection
}

fn read(path: &Path) -> (Vec<u8>, Vec<u8>) {
    (fs::read(path).unwrap(), fs::read(beside(path, "-wal")).unwrap())
}

fn scanned(wal: &[u8]) -> WalScan {
    scan(wal, wal.len() as u64).unwrap()
}

/// What SQLite makes of a database and a `-wal`: how many rows the table has, the database after a checkpoint.
fn recovered(database: &[u8], wal: &[u8]) -> (Option<i64>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    fs::write(&path, database).unwrap();
    fs::write(beside(&path, "-wal"), wal).unwrap();
    let mut connection = open(&path);
    let rows = connection.integer("SELECT count(*) FROM t", &[]).unwrap_or(None);
    connection.checkpoint(Checkpoint::Truncate).unwrap();
    connection.close().unwrap();
    (rows, fs::read(&path).unwrap())
}

/// The `-wal` after each of several commits, some of more pages than one, and the database below.
fn history(path: &Path) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut connection = open(path);
    let mut wals = Vec::new();
    let mut commit = |sql: &str| {
        connection.batch(sql).unwrap();
        wals.push(read(path).1);
    };
    commit("CREATE TABLE t (x)");
    commit("INSERT INTO t VALUES (1)");
    commit("INSERT INTO t VALUES (zeroblob(20000))");
    commit("INSERT INTO t VALUES (2)");
    commit("CREATE TABLE u (y)");
    let database = read(path).0;
    (database, wals)
}

#[test]
fn what_is_committed_is_what_sqlite_takes_wherever_the_file_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (database, wals) = history(&folder.path().join("a.db"));
    let whole = wals.last().unwrap();
    let frame = 24 + 4096;
    let frames: Vec<u64> = wals.iter().map(|wal| ((wal.len() - 32) / frame) as u64).collect();
    assert_eq!(wals.iter().map(|wal| scanned(wal).committed).collect::<Vec<_>>(), frames);
    for cut in (0..=whole.len()).step_by(1_373) {
        let committed = scanned(&whole[..cut]).committed;
        let expected = frames.iter().rfind(|frames| 32 + **frames as usize * frame <= cut);
        assert_eq!(committed, expected.copied().unwrap_or(0), "{cut}");
        let same = scanned(&whole[..cut]).changes_nothing(Cursor::new(whole), Cursor::new(&database)).unwrap();
        assert_eq!(same, committed == 0, "{cut}");
        let (rows, moved) = recovered(&database, &whole[..cut]);
        let commits = frames.iter().filter(|frames| **frames <= committed).count() as i64;
        assert_eq!(rows, (commits > 0).then(|| (commits - 1).min(3)), "{cut}");
        assert!(scanned(&whole[..cut]).changes_nothing(Cursor::new(whole), Cursor::new(&moved)).unwrap(), "{cut}");
    }
}

#[test]
fn a_frame_that_does_not_check_ends_the_log_and_a_header_that_does_not_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (_, wals) = history(&folder.path().join("a.db"));
    let whole = wals.last().unwrap();
    let before = scanned(&wals[1]).committed;
    for at in [0, 4, 8, 16, 24, 31] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        // The version alone is not looked at; it is in the checksum.
        assert_eq!(scanned(&damaged).committed, 0, "{at}");
    }
    let frame = wals[1].len();
    for at in [0, 4, 8, 16, 23, 24, 4_000] {
        let mut damaged = whole.clone();
        damaged[frame + at] ^= 1;
        assert_eq!(scanned(&damaged).committed, before, "{at}");
    }
}

#[test]
fn frames_of_an_earlier_round_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    history(&path);
    let mut connection = open(&path);
    connection.batch("INSERT INTO t VALUES (3); INSERT INTO t VALUES (4); INSERT INTO t VALUES (5)").unwrap();
    assert_eq!(scanned(&read(&path).1).committed, 3);
    connection.checkpoint(Checkpoint::Passive).unwrap();
    connection.batch("INSERT INTO t VALUES (6)").unwrap();
    let (database, wal) = read(&path);
    let scan = scanned(&wal);
    assert_eq!((scan.committed, wal.len()), (1, 32 + 3 * (24 + 4096)));
    assert!(!scan.changes_nothing(Cursor::new(&wal), Cursor::new(&database)).unwrap());
    connection.checkpoint(Checkpoint::Passive).unwrap();
    assert!(scan.changes_nothing(Cursor::new(&wal), Cursor::new(read(&path).0)).unwrap());
    assert!(!scan.changes_nothing(Cursor::new(&wal), Cursor::new(&database)).unwrap());
}

#[test]
fn commits_behind_a_damaged_frame_are_counted_and_a_torn_end_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (_, wals) = history(&folder.path().join("a.db"));
    let whole = wals.last().unwrap();
    let ends: Vec<usize> = wals.iter().map(Vec::len).collect();
    assert_eq!(scanned(whole).commits_behind, 0);
    for cut in (0..whole.len()).step_by(1_999) {
        assert_eq!(scanned(&whole[..cut]).commits_behind, 0, "{cut}");
    }
    for at in (0..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let scan = scanned(&damaged);
        let before = ends.iter().filter(|end| **end <= at).count();
        let (lost, frame) = (ends.len() - before, (at.max(32) - 32) % (24 + 4096));
        // Without its salt a frame cannot be told from one of an earlier round; without its sum the next one has nothing to fit to.
        let unknown = if frame < 24 || at < 32 { 2 } else { 0 };
        assert!(scan.commits_behind <= lost as u64 && scan.commits_behind + unknown >= lost as u64, "{at}: {scan:?}");
    }
}

#[test]
fn what_the_index_says_is_committed_is_missed_when_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut connection = open(&path);
    let look = |wal: &[u8]| {
        let index = Index::parse(Some(&fs::read(beside(&path, "-shm")).unwrap()));
        assert!(matches!(index, Index::Says(_)));
        let scan = WalScan { index, ..scanned(wal) };
        (scan.index_of_round().map(|index| index.has_more_than(scan.taken())), scan.is_behind_file())
    };
    let (whole, lost, other) = ((Some(false), false), (Some(true), false), (None, false));
    connection.batch("CREATE TABLE t (x); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)").unwrap();
    let wal = read(&path).1;
    assert_eq!([look(&wal), look(&wal[..wal.len() - 1]), look(&wal[..32]), look(&[])], [whole, lost, lost, other]);
    connection.checkpoint(Checkpoint::Passive).unwrap();
    let behind = (Some(false), true);
    assert_eq!([look(&wal), look(&wal[..wal.len() - 1])], [whole, behind], "it is in the database");
    connection.batch("INSERT INTO t VALUES (3)").unwrap();
    let next = read(&path).1;
    assert_eq!([look(&next), look(&next[..40]), look(&wal)], [whole, lost, other], "a round of before is another");
    let index = Index::parse(Some(&fs::read(beside(&path, "-shm")).unwrap()));
    let later = |wal: &[u8]| WalScan { index, ..scanned(wal) }.index_of_later_round().is_some();
    assert!(later(&wal) && !later(&next));
    connection.checkpoint(Checkpoint::Truncate).unwrap();
    assert_eq!(look(&[]), other);
    for nothing in [&[][..], &[0; 136], &[7; 99]] {
        assert_eq!(Index::parse(Some(nothing)), Index::Unreadable);
    }
    assert_eq!(Index::parse(None), Index::Missing);
}
