//! Clients that commit all the time, a server that is killed, connections that are cut or swallow one side: in the end one log.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{EventNumber, Receipt, StoreHandle, StoreOptions};
use tokio::time::timeout;

use crate::{
    apps::{Client, Page, Way, added, texts},
    cuts::{Lost, Network},
    process::Process,
};

/// How long the clients and the faults go on, if `LARDER_STRESS_SECONDS` says nothing else.
const SECONDS: u64 = 5;

/// How long all that is left may take, with pauses of up to 30 s between tries.
const PATIENCE: Duration = Duration::from_secs(150);

const WAYS: [Way; 5] = [Way::Ws, Way::Ws, Way::Http, Way::Ws, Way::HttpOfLiveStore];

/// What happens, from run to run another, printed so that it can be had again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Commits until it is over; the texts, with their receipts.
async fn commit(client: usize, page: StoreHandle<Page>, over: Arc<AtomicBool>) -> Vec<(String, Receipt)> {
    let mut committed = Vec::new();
    while !over.load(Ordering::Acquire) {
        let text = format!("{client}-{:05}", committed.len());
        let receipt = page.commit(added(&text)).expect("it commits, whatever the network does");
        committed.push((text, receipt));
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    committed
}

/// How often each thing happened.
#[derive(Debug, Default)]
struct Faults {
    kills: u64,
    cuts: u64,
    swallowed: u64,
}

/// Kills, cuts and swallows for a while. The last word has a server that runs and a network that is whole.
async fn harm(
    mut server: Process,
    network: &Network,
    chance: &mut Chance,
    time: Duration,
    data: &std::path::Path,
) -> (Process, Faults) {
    let (began, mut faults) = (Instant::now(), Faults::default());
    while began.elapsed() < time {
        tokio::time::sleep(Duration::from_millis(100 + chance.below(600))).await;
        match chance.below(6) {
            0 | 1 => {
                faults.kills += 1;
                server.kill();
                tokio::time::sleep(Duration::from_millis(chance.below(300))).await;
                server = tokio::task::block_in_place(|| Process::start(data, &[]));
                network.move_to(server.address);
            }
            2 | 3 => {
                faults.cuts += 1;
                network.cut();
            }
            way => {
                faults.swallowed += 1;
                network.lose(if way == 4 { Lost::ToServer } else { Lost::ToClient });
                tokio::time::sleep(Duration::from_millis(200 + chance.below(800))).await;
                network.lose(Lost::Nothing);
                // Half of the time the clients have to find out by themselves that nobody hears them.
                if chance.below(2) == 0 {
                    network.cut();
                }
            }
        }
    }
    (server, faults)
}

/// What is confirmed in a store's log: each event's number and arguments, in order.
async fn log(page: &StoreHandle<Page>) -> Vec<(u64, String)> {
    let mut events = page.events(EventNumber::ZERO);
    let mut log = Vec::new();
    let last = page.sync_status().confirmed.global();
    while (log.len() as u64) < last {
        let event = events.next().await.expect("an event").expect("it reads");
        log.push((event.number.global(), event.args.unwrap_or_default()));
    }
    log
}

/// The text of a line in its event's arguments.
fn text_of(args: &str) -> String {
    let args: serde_json::Value = serde_json::from_str(args).expect("JSON");
    args["text"].as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_on_the_way_every_commit_is_confirmed_once_and_all_have_one_log() {
    let seconds =
        std::env::var("LARDER_STRESS_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 0x9e37);
    println!("LARDER_SEED={seed}");
    let mut chance = Chance(seed | 1);
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("server");
    let server = Process::start(&data, &[]);
    let network = Network::to(server.address).await;
    let clients: Vec<_> = WAYS.iter().map(|way| Client::new(way.to(network.address), StoreOptions::new())).collect();
    let mut pages = Vec::new();
    for client in &clients {
        pages.push(client.page("page-1").await);
    }
    let over = Arc::new(AtomicBool::new(false));
    let writers =
        pages.iter().enumerate().map(|(client, page)| tokio::spawn(commit(client, page.clone(), over.clone())));
    let writers: Vec<_> = writers.collect();
    let (server, faults) = harm(server, &network, &mut chance, Duration::from_secs(seconds), &data).await;
    over.store(true, Ordering::Release);
    let each = [faults.kills, faults.cuts, faults.swallowed];
    assert!(seconds < 60 || each.iter().all(|count| *count > 0), "{each:?} kills, cuts and swallows");
    let (settles, mut committed) = (Instant::now(), BTreeSet::new());
    for (client, writer) in writers.into_iter().enumerate() {
        for (text, receipt) in writer.await.expect("no panic") {
            let confirmed = timeout(PATIENCE.saturating_sub(settles.elapsed()), receipt.confirmed()).await;
            let confirmed = confirmed.unwrap_or_else(|_| panic!("{text} is stuck: {:?}", pages[client].sync_status()));
            confirmed.unwrap_or_else(|error| panic!("{text}: {error}"));
            committed.insert(text);
        }
    }
    for page in &pages {
        while texts(page).len() < committed.len() || page.sync_status().pending > 0 {
            assert!(settles.elapsed() < PATIENCE, "stuck: {:?}", page.sync_status());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let took = settles.elapsed();
    assert!(network.connections() < 200 * (seconds + took.as_secs()), "{} connections", network.connections());
    let first = log(&pages[0]).await;
    let in_log: BTreeSet<_> = first.iter().map(|(_, args)| text_of(args)).collect();
    assert_eq!(first.len(), in_log.len(), "each commit is there once");
    assert_eq!(in_log, committed, "nothing is lost, and nothing else is there");
    for page in &pages {
        assert_eq!(log(page).await, first, "all have one log");
        assert_eq!(texts(page).into_iter().collect::<BTreeSet<_>>(), committed, "and its tables");
    }
    println!(
        "{seconds} s: {} commits of {} clients, {faults:?}, {} connections; 0 lost, 0 divergent, 0 stuck, {:.1} s to the end",
        committed.len(),
        WAYS.len(),
        network.connections(),
        took.as_secs_f64()
    );
    drop(server);
}
