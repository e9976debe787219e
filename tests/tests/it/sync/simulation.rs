//! The whole of it, seeded: clients with stores in files and in memory, one backend, and a network and processes that fail at random. When all
//! heals, all have one log, and tables that this log makes. One seed is one history.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::stream::{self, StreamExt};
use larder::{
    BackendError, BoxFuture, BoxStream, EventNumber, LocalBackend, OnBackendChange, PullPage, PullRequest, PushAnswer,
    PushRequest, StoreOptions, StoredEvent, SyncBackend, SyncPhase, prelude::*, testing::TestRegistry,
};
use larder_tests::lab::{copy_dir, poll_once};

use super::clients::STORE;
use crate::board::{BoardEvent, BoardStore, Card};

/// Numbers at random, the same ones for a seed.
#[derive(Clone)]
struct Dice(Arc<Mutex<u64>>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// Below `sides`.
    fn roll(&self, sides: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % sides
    }

    fn one_in(&self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

/// A connection that loses requests and answers, says things twice, and breaks off.
struct Network {
    inner: Arc<LocalBackend>,
    dice: Dice,
    healed: Mutex<bool>,
}

impl Network {
    fn fails(&self, sides: u64) -> bool {
        !*self.healed.lock().unwrap() && self.dice.one_in(sides)
    }

    fn broken() -> BackendError {
        BackendError::Offline { reason: "the network broke".to_owned() }
    }
}

impl SyncBackend for Network {
    fn identity(&self) -> &str {
        self.inner.identity()
    }

    fn connected(&self) -> bool {
        self.inner.connected()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        self.inner.connection_changed()
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        if self.fails(8) {
            return Box::pin(stream::iter([Err(Self::broken())]));
        }
        let pages = self.inner.pull(request).flat_map(|page| {
            let again = page.as_ref().ok().filter(|_| self.fails(6)).cloned();
            let broken = self.fails(10).then(|| Err(Self::broken()));
            stream::iter([Some(page), again.map(Ok), broken].into_iter().flatten())
        });
        // After an error there is nothing.
        let mut over = false;
        Box::pin(pages.take_while(move |page| {
            let was_over = over;
            over |= page.is_err();
            std::future::ready(!was_over)
        }))
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            if self.fails(5) {
                return Err(Self::broken());
            }
            let answer = self.inner.push(request).await;
            if self.fails(8) {
                // It arrives twice; the answer to the second is the one that arrives.
                return self.inner.push(request).await;
            }
            if self.fails(5) { Err(Self::broken()) } else { answer }
        })
    }
}

/// A client, and the copy of its files that a loss of power gives back.
struct Peer {
    registry: Option<TestRegistry>,
    store: Option<StoreHandle<BoardStore>>,
    network: Arc<Network>,
    dir: tempfile::TempDir,
    generation: u32,
    /// Only files outlive a process.
    in_files: bool,
    copy: Option<std::path::PathBuf>,
}

impl Peer {
    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join(format!("data-{}", self.generation))
    }

    async fn start(&mut self) {
        let options = StoreOptions::new()
            .sync(Arc::clone(&self.network) as Arc<dyn SyncBackend>)
            .on_backend_change(OnBackendChange::Reset { resend_own: true });
        let builder = StoreRegistry::builder().defaults(options);
        let builder = if self.in_files { builder.data_dir(self.data()) } else { builder.in_memory() };
        let registry = TestRegistry::build(builder).unwrap();
        self.store = Some(registry.get::<BoardStore>(STORE).await.unwrap());
        self.registry = Some(registry);
    }

    /// The process ends without a word; the next one finds these files.
    async fn restart_with(&mut self, files: &std::path::Path) {
        let next = self.dir.path().join(format!("data-{}", self.generation + 1));
        copy_dir(files, &next);
        self.store = None;
        drop(self.registry.take());
        self.generation += 1;
        self.start().await;
    }

    fn store(&self) -> &StoreHandle<BoardStore> {
        self.store.as_ref().unwrap()
    }

    async fn pass(&self, seconds: u64) {
        self.registry.as_ref().unwrap().advance(Duration::from_secs(seconds)).await;
    }
}

struct World {
    server: Arc<LocalBackend>,
    peers: Vec<Peer>,
    dice: Dice,
    trace: Vec<String>,
    server_went_back: bool,
    power_was_lost: bool,
    committed: usize,
}

impl World {
    async fn new(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let server = LocalBackend::new("server");
        let mut peers = Vec::new();
        for _ in 0..2 + dice.roll(3) {
            // Its own, so that what others do meanwhile does not change what happens to it.
            let (inner, in_files) = (server.another(), dice.one_in(2));
            let dice = Dice::new(dice.roll(u64::MAX));
            let network = Arc::new(Network { inner, dice, healed: Mutex::new(false) });
            let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
            let mut peer = Peer { registry: None, store: None, network, dir, generation: 0, in_files, copy: None };
            peer.start().await;
            peers.push(peer);
        }
        let (trace, server_went_back, power_was_lost, committed) = Default::default();
        Self { server, peers, dice, trace, server_went_back, power_was_lost, committed }
    }

    fn event(&self) -> BoardEvent {
        let number = 1 + i64::try_from(self.dice.roll(6)).unwrap();
        match self.dice.roll(7) {
            0 | 1 => BoardEvent::Added { number, weight: Some(1.5) },
            2 => BoardEvent::Remarked { card: number, at: vec![format!("r{}", self.dice.roll(4))] },
            3 => BoardEvent::Moved { number, done: true },
            4 => BoardEvent::Removed(number),
            5 => BoardEvent::Replaced(number),
            _ => BoardEvent::SqlRun("UPDATE cards SET weight = coalesce(weight, 0) + 0.5".to_owned()),
        }
    }

    async fn step(&mut self) {
        let at = usize::try_from(self.dice.roll(self.peers.len() as u64)).unwrap();
        let events: Vec<_> = (0..=self.dice.roll(3)).map(|_| self.event()).collect();
        let dice = self.dice.clone();
        let peer = &mut self.peers[at];
        let what = match dice.roll(20) {
            0..=8 => {
                let count = events.len();
                let done = peer.store().commit(events).is_ok();
                self.committed += if done { count } else { 0 };
                format!("{at} commits {count}: {done}")
            }
            9..=12 => {
                let seconds = dice.roll(40);
                peer.pass(seconds).await;
                format!("{at} has {seconds} s")
            }
            13..=15 => {
                let connected = !peer.network.inner.connected();
                peer.network.inner.set_connected(connected);
                peer.pass(0).await;
                format!("{at} connected: {connected}")
            }
            16 if peer.in_files => {
                let data = peer.data();
                peer.restart_with(&data).await;
                format!("{at} is killed")
            }
            17 if peer.in_files => {
                let copy = peer.dir.path().join("copy");
                let _ = std::fs::remove_dir_all(&copy);
                copy_dir(&peer.data(), &copy);
                peer.copy = Some(copy);
                format!("{at} is copied")
            }
            18 if peer.copy.is_some() => {
                let copy = peer.copy.clone().unwrap();
                peer.restart_with(&copy).await;
                self.power_was_lost = true;
                format!("{at} loses power")
            }
            19 if dice.one_in(4) => {
                let mut events = self.server.events(STORE);
                let kept = dice.roll(events.len() as u64 + 1);
                events.truncate(usize::try_from(kept).unwrap());
                self.server.replace(STORE, events);
                self.server_went_back = true;
                format!("the server goes back to e{kept}")
            }
            _ => return,
        };
        self.trace.push(what);
        for peer in &self.peers {
            peer.pass(0).await;
        }
    }

    /// All are connected and nothing fails any more; the end is to come in a bounded time.
    async fn heal(&mut self) {
        for peer in &self.peers {
            *peer.network.healed.lock().unwrap() = true;
            peer.network.inner.set_connected(true);
        }
        for _ in 0..12 {
            for peer in &self.peers {
                peer.pass(31).await;
            }
            let head = self.server.events(STORE).len() as u64;
            let is_done = |peer: &Peer| {
                let status = peer.store().sync_status();
                status.pending == 0 && status.confirmed.global() == head && status.phase == SyncPhase::Live
            };
            if self.peers.iter().all(is_done) {
                return;
            }
        }
        let statuses: Vec<_> = self.peers.iter().map(|peer| peer.store().sync_status()).collect();
        panic!("still not in sync: {statuses:#?}");
    }

    async fn judge(&self) {
        let agreed = self.server.events(STORE);
        let ids: BTreeSet<_> = agreed.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), agreed.len(), "an event is there twice");
        let mut quarantined = 0;
        let first = self.peers[0].store();
        for peer in &self.peers {
            let store = peer.store();
            assert_eq!(confirmed(store).await, agreed);
            let report = store.verify().unwrap();
            assert!(report.is_sound(), "{report:?}");
            let cards = || Card::all().order_by(Card::NUMBER.asc());
            assert_eq!(store.query(cards()).unwrap(), first.query(cards()).unwrap());
            quarantined += store.quarantined_events().unwrap().len();
        }
        if !self.server_went_back && !self.power_was_lost {
            assert_eq!(agreed.len() + quarantined, self.committed, "an event was lost");
        }
    }
}

/// The confirmed events without the generations of their numbers, which are each client's own.
async fn confirmed(store: &StoreHandle<BoardStore>) -> Vec<StoredEvent> {
    let mut events = store.events(EventNumber::ZERO);
    let mut all = Vec::new();
    while let Some(event) = poll_once(&mut std::pin::pin!(events.next())).await {
        let event = event.unwrap().unwrap();
        all.push(StoredEvent { number: event.number.without_generation(), ..event });
    }
    all
}

async fn run(seed: u64) {
    let mut world = World::new(seed).await;
    for _ in 0..20 + world.dice.roll(40) {
        world.step().await;
    }
    // What goes wrong from here on is told with what happened before.
    let told = Told(seed, world.trace.clone());
    world.heal().await;
    world.judge().await;
    drop(told);
}

/// Says what happened, if the test panics.
struct Told(u64, Vec<String>);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} of the simulation:\n{}", self.0, self.1.join("\n"));
        }
    }
}

/// `LARDER_SIMULATIONS=20000 LARDER_SIMULATION_FROM=7` tries so many seeds from that one on.
#[test]
fn whatever_fails_all_clients_come_to_one_log_and_to_the_tables_that_it_makes() {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    let first = number("LARDER_SIMULATION_FROM").unwrap_or(1);
    for seed in first..first + number("LARDER_SIMULATIONS").unwrap_or(60) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(run(seed))));
        if let Err(panic) = ran {
            eprintln!("the simulation with seed {seed} fails");
            std::panic::resume_unwind(panic);
        }
    }
}
