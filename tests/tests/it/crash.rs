//! A real process killed by SIGKILL at random moments: every acknowledged commit is there, and tables = fold of the log.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use larder::StoreRegistry;
use larder_tests::ledger::{Balance, Booking, LedgerStore, Mix};

const CYCLES: u64 = 100;

/// What the children were told: per store the highest counter whose commit returned.
type Acknowledged = BTreeMap<String, i64>;

#[test]
fn every_acknowledged_commit_survives_sigkill_and_tables_equal_the_fold_of_the_log() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    println!("LARDER_SEED={seed}");
    let mut mix = Mix::new(seed);
    let mut acknowledged = Acknowledged::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for cycle in 0..CYCLES {
        run_and_kill(directory.path(), mix.number(), &mut mix, &mut acknowledged);
        runtime.block_on(check(directory.path(), &acknowledged, cycle));
    }
    let commits: i64 = acknowledged.values().sum();
    assert!(
        commits > i64::try_from(CYCLES).unwrap_or(0),
        "only {commits} bookings were acknowledged: the kills came too early"
    );
}

fn run_and_kill(directory: &Path, seed: u64, mix: &mut Mix, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crash_child"))
        .arg(directory)
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let output = child.stdout.take().expect("a pipe");
    // The kill must come at any moment of the child's life, start and first commit included: real time is the point here.
    let lifetime = Duration::from_micros(mix.number() % 120_000);
    let killer = std::thread::spawn(move || {
        std::thread::sleep(lifetime);
        child.kill().expect("SIGKILL");
        child.wait().expect("the child is gone");
    });
    for line in BufReader::new(output).lines() {
        // A line cut off by the kill was never complete, so nobody was told of its commit.
        let Ok(line) = line else { break };
        let Some((store, counter)) = line.split_once(' ') else { continue };
        if let Ok(counter) = counter.parse::<i64>() {
            let known = acknowledged.entry(store.to_owned()).or_default();
            *known = counter.max(*known);
        }
    }
    killer.join().expect("the killer ends");
}

async fn check(directory: &Path, acknowledged: &Acknowledged, cycle: u64) {
    let registry = StoreRegistry::builder().data_dir(directory).build().expect("the data dir is usable after a kill");
    for (id, counter) in acknowledged {
        let store = registry.get::<LedgerStore>(id).await.unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        let (bookings, balances) = store.query((Booking::all(), Balance::all())).expect("the tables read");
        assert!(
            bookings.len() as i64 >= *counter,
            "cycle {cycle}: {id} acknowledged {counter}, holds {}",
            bookings.len()
        );
        let gaps = bookings.iter().zip(1..).find(|(booking, expected)| booking.counter != *expected);
        assert!(gaps.is_none(), "cycle {cycle}: {id} has a gap: {gaps:?}");
        let sums: BTreeMap<_, _> =
            balances.into_iter().map(|balance| (balance.account, (balance.amount, balance.bookings))).collect();
        let mut fold = BTreeMap::<_, (i64, i64)>::new();
        for booking in bookings {
            let entry = fold.entry(booking.account).or_default();
            *entry = (entry.0 + booking.amount, entry.1 + 1);
        }
        assert_eq!(sums, fold, "cycle {cycle}: {id}");
        let report = store.verify().unwrap_or_else(|error| panic!("cycle {cycle}: {id}: {error}"));
        assert!(report.is_sound(), "cycle {cycle}: {id}: {report:?}");
    }
    registry.shutdown(Duration::from_secs(10)).await;
}
