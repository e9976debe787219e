//! What a loss of power may leave with `Durability::Process`: of all that was not synced anything, in any order. The store opens by itself
//! with the commits that reached the disk.

use std::{fs, path::Path, time::Duration};

use larder::{EventNumber, LoadError};
use larder_tests::{
    lab::{Lab, copy_dir, lock_text, with_ending},
    notebook::{Note, Notebook, written},
};

/// The three files of a store at a moment.
#[derive(Clone)]
struct Moment {
    database: Vec<u8>,
    wal: Option<Vec<u8>>,
    lock: Vec<u8>,
    /// Commits until then, and how many of them the file itself has.
    commits: u64,
    moved: u64,
}

fn moment(file: &Path, commits: u64, moved: u64) -> Moment {
    let read = |ending: &str| fs::read(with_ending(file, ending));
    Moment { database: read("").unwrap(), wal: read("-wal").ok(), lock: read(".lock").unwrap(), commits, moved }
}

/// A store that is opened and closed three times; each time it commits twice.
async fn history(lab: &mut Lab) -> Vec<Moment> {
    let mut moments = Vec::new();
    for round in 0..3_u64 {
        let store = lab.open::<Notebook>().await;
        let file = lab.store_file("notebook");
        moments.push(moment(&file, 2 * round, 2 * round));
        for commit in 2 * round + 1..=2 * round + 2 {
            store.commit(written(commit.cast_signed())).unwrap();
            moments.push(moment(&file, commit, 2 * round));
        }
        drop(store);
        lab.close().await;
        moments.push(moment(&file, 2 * round + 2, 2 * round + 2));
    }
    moments
}

/// The store opens, has at least the commits that are in the file and no other than the first ones, and takes new ones.
async fn opens(left: &Lab, what: &str, moment: &Moment) -> u64 {
    let mut lab = Lab::on_disk();
    copy_dir(&left.data_dir(), &lab.data_dir());
    let store = lab.try_open::<Notebook>().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    let commits = store.head().global();
    assert!((moment.moved..=moment.commits).contains(&commits), "{what}: {commits} commits");
    assert_eq!(store.query(Note::all().count()).unwrap(), commits, "{what}");
    store.commit(written(100)).unwrap();
    assert!(store.verify().unwrap().is_sound(), "{what}");
    drop(store);
    lab.close().await;
    let store = lab.try_open::<Notebook>().await.unwrap_or_else(|error| panic!("{what}, again: {error}"));
    assert_eq!(store.head(), EventNumber::synced(commits + 1), "{what}, again");
    commits
}

fn put(lab: &Lab, moment: &Moment, wal: Option<&[u8]>, lock: Option<&[u8]>) {
    let file = lab.store_file("notebook");
    fs::write(&file, &moment.database).unwrap();
    for (ending, bytes) in [("-wal", wal), (".lock", lock), ("-shm", None)] {
        match bytes {
            Some(bytes) => fs::write(with_ending(&file, ending), bytes).unwrap(),
            None => drop(fs::remove_file(with_ending(&file, ending))),
        }
    }
}

/// A `-wal` of which some of the last writes did not reach the disk.
fn torn(wal: &[u8]) -> Vec<Vec<u8>> {
    let mut torn: Vec<_> = [0, 1, 32, 1_000, wal.len() / 2, wal.len().saturating_sub(1), wal.len()]
        .map(|cut| wal[..cut.min(wal.len())].to_vec())
        .into();
    for sector in [0, wal.len() / 1_024, wal.len() / 512] {
        let mut zeroed = wal.to_vec();
        zeroed.iter_mut().skip(sector * 512).take(512).for_each(|byte| *byte = 0);
        torn.push(zeroed);
    }
    torn
}

#[tokio::test]
async fn whatever_marker_meets_whatever_wal_the_store_opens_with_what_reached_the_disk() {
    let mut lab = Lab::on_disk();
    let moments = history(&mut lab).await;
    for (at, moment) in moments.iter().enumerate() {
        // An older marker, or none: it was written, and did not reach the disk.
        let older = (0..=at).map(|older| Some(moments[older].lock.as_slice()));
        for (age, lock) in older.chain([None, Some(&[][..])]).enumerate() {
            let Some(wal) = &moment.wal else {
                put(&lab, moment, None, lock);
                assert_eq!(opens(&lab, &format!("moment {at}, marker {age}"), moment).await, moment.commits);
                continue;
            };
            for (cut, torn) in torn(wal).iter().enumerate() {
                put(&lab, moment, Some(torn), lock);
                let commits = opens(&lab, &format!("moment {at}, marker {age}, wal {cut}"), moment).await;
                assert!(torn != wal || commits == moment.commits, "moment {at}, marker {age}");
            }
        }
    }
}

/// The marker of before: the one of now comes after the folder is synced, and with it the name of the `-wal`.
#[tokio::test]
async fn a_wal_whose_name_did_not_reach_the_disk_is_no_damage() {
    let mut lab = Lab::on_disk();
    let moments = history(&mut lab).await;
    for (at, moment) in moments.iter().enumerate() {
        for older in moments[..=at].iter().filter(|older| older.lock != moment.lock || moment.wal.is_none()) {
            // The file of a store that was never closed has nothing yet.
            if moment.moved > 0 || older.moved == 0 && at >= 4 {
                put(&lab, moment, None, Some(&older.lock));
                assert_eq!(opens(&lab, &format!("moment {at}"), moment).await, moment.moved);
            }
        }
    }
}

/// The `-wal` as it stands when its last transaction has been moved into the file, which then is all there is.
async fn closing(lab: &mut Lab) -> (Vec<u8>, Moment) {
    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    let file = lab.store_file("notebook");
    // Somebody reads while the store closes: the `-wal` stays.
    let reader = rusqlite::Connection::open(&file).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM notes").unwrap();
    drop(store);
    lab.close().await;
    let wal = fs::read(with_ending(&file, "-wal")).unwrap();
    reader.execute_batch("COMMIT").unwrap();
    reader.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    reader.close().unwrap();
    (wal, moment(&file, 1, 1))
}

#[tokio::test]
async fn the_remains_of_a_clean_close_are_taken_whatever_the_marker_says() {
    let mut lab = Lab::on_disk();
    let (wal, closed) = closing(&mut lab).await;
    for words in ["closed sound 2", "open sound 1", "fresh sound 0"] {
        let lock = lock_text(1, words);
        for wal in [Some(wal.as_slice()), Some(&[]), None] {
            put(&lab, &closed, wal, Some(lock.as_bytes()));
            assert_eq!(opens(&lab, words, &closed).await, 1);
        }
    }
}

#[tokio::test]
async fn a_wal_of_an_earlier_time_is_refused() {
    let mut lab = Lab::on_disk();
    let moments = history(&mut lab).await;
    let closed: Vec<_> = moments.iter().filter(|moment| moment.wal.is_none()).collect();
    let open: Vec<_> = moments.iter().filter(|moment| moment.commits > moment.moved).collect();
    for now in [closed[1], closed[2], open[4], open[5]] {
        for earlier in open.iter().filter(|earlier| earlier.moved < now.moved) {
            put(&lab, now, earlier.wal.as_deref(), Some(&now.lock));
            let error = lab.try_open::<Notebook>().await.map(drop).unwrap_err();
            assert!(matches!(error, LoadError::WrongFile { .. }), "{error}");
            lab.close().await;
            let file = lab.store_file("notebook");
            assert_eq!(fs::read(&file).unwrap(), now.database);
            assert_eq!(fs::read(with_ending(&file, "-wal")).ok(), earlier.wal);
        }
    }
}

#[tokio::test]
async fn a_deleted_store_is_gone_whole() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit(written(1)).unwrap();
    drop(store);
    lab.registry().evict::<Notebook>("book:1").await.unwrap();
    assert!(lab.registry().delete::<Notebook>("book:1").await.unwrap());
    lab.registry().shutdown(Duration::from_secs(10)).await;
    lab.close().await;
    assert_eq!(lab.open::<Notebook>().await.head(), EventNumber::ZERO);
}
