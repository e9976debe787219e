//! Clients that commit, push and pull against one backend, over a network that loses, holds up and repeats: what each history comes to.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use super::*;

/// Clients of a history.
const CLIENTS: usize = 3;
const NAMES: [&str; CLIENTS] = ["a", "b", "c"];

/// One thing that happens to one client.
#[derive(Clone, Debug)]
enum Step {
    Commit {
        client_only: bool,
    },
    /// It pushes so many events; the network does this to the request and to the answer.
    Push {
        events: usize,
        request: Fate,
        answer: Fate,
    },
    /// It pulls so many events behind its confirmed head.
    Pull {
        events: usize,
        answer: Fate,
    },
    /// It goes without a network, or has one again: what is on its way is lost.
    Partition,
    /// Its process ends and begins again: what is on its way to it is lost.
    Restart,
    /// Its file is put aside.
    Copy,
    /// Power is lost: the file is what was put aside.
    LosePower,
    /// What is held up for it arrives.
    Deliver,
}

/// What the network does to a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Arrives,
    IsLost,
    IsHeldUp,
    ArrivesTwice,
}

enum Message {
    Push { expected_head: u64, batch: Vec<StoredEvent> },
    Page(Vec<StoredEvent>),
}

struct Peer {
    client: Client,
    copy: Client,
    offline: bool,
    held_up: Vec<Message>,
}

struct World {
    backend: Backend,
    peers: Vec<Peer>,
    committed: u32,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let fate = prop_oneof![6 => Just(Fate::Arrives), 1 => Just(Fate::IsLost), 1 => Just(Fate::IsHeldUp), 1 => Just(Fate::ArrivesTwice)];
    let step = prop_oneof![
        6 => Just(Step::Commit { client_only: false }),
        3 => Just(Step::Commit { client_only: true }),
        5 => (1..5_usize, fate.clone(), fate.clone()).prop_map(|(events, request, answer)| Step::Push { events, request, answer }),
        5 => (1..5_usize, fate).prop_map(|(events, answer)| Step::Pull { events, answer }),
        1 => Just(Step::Partition),
        1 => Just(Step::Restart),
        1 => Just(Step::Copy),
        1 => Just(Step::LosePower),
        2 => Just(Step::Deliver),
    ];
    prop::collection::vec((0..CLIENTS, step), 1..60)
}

impl World {
    fn new(without_ids: bool) -> Self {
        let peer =
            |name| Peer { client: Client::new(name), copy: Client::new(name), offline: false, held_up: Vec::new() };
        let backend = Backend { without_ids, ..Backend::default() };
        Self { backend, peers: NAMES.map(peer).into(), committed: 0 }
    }

    fn step(&mut self, at: usize, step: &Step) {
        let peer = &mut self.peers[at];
        match *step {
            Step::Commit { client_only } => {
                self.committed += 1;
                peer.client.commit(&self.committed.to_string(), client_only);
            }
            Step::Push { events, request, answer } if !peer.offline => self.push(at, events, request, answer),
            Step::Pull { events, answer } if !peer.offline => {
                let page = self.backend.page(peer.client.confirmed, events);
                self.send(at, answer, || Message::Page(page.clone()));
            }
            Step::Push { .. } | Step::Pull { .. } => {}
            Step::Partition => {
                peer.offline = !peer.offline;
                peer.held_up.clear();
            }
            Step::Restart => {
                peer.client.session += 1;
                peer.held_up.retain(|message| matches!(message, Message::Push { .. }));
            }
            Step::Copy => peer.copy = peer.client.clone(),
            // Without ids nobody can tell what was pushed under another number.
            Step::LosePower if self.backend.without_ids => {}
            Step::LosePower => {
                let session = peer.client.session + 1;
                peer.client = Client { session, ..peer.copy.clone() };
                peer.held_up.retain(|message| matches!(message, Message::Push { .. }));
            }
            Step::Deliver => {
                for message in std::mem::take(&mut self.peers[at].held_up) {
                    self.arrive(at, message, Fate::Arrives);
                }
            }
        }
    }

    fn push(&mut self, at: usize, events: usize, request: Fate, answer: Fate) {
        let client = &self.peers[at].client;
        let (expected_head, batch) = (client.confirmed, client.batch(events));
        let message = || Message::Push { expected_head, batch: batch.clone() };
        match request {
            Fate::IsLost => {}
            Fate::IsHeldUp => self.peers[at].held_up.push(message()),
            Fate::Arrives => self.arrive(at, message(), answer),
            Fate::ArrivesTwice => (0..2).for_each(|_| self.arrive(at, message(), answer)),
        }
    }

    /// To a client.
    fn send(&mut self, at: usize, fate: Fate, message: impl Fn() -> Message) {
        match fate {
            Fate::IsLost => {}
            Fate::IsHeldUp => self.peers[at].held_up.push(message()),
            Fate::Arrives => self.arrive(at, message(), fate),
            Fate::ArrivesTwice => (0..2).for_each(|_| self.arrive(at, message(), fate)),
        }
    }

    fn arrive(&mut self, at: usize, message: Message, answer: Fate) {
        match message {
            // An answer that says no has no news: the client pulls.
            Message::Push { expected_head, batch } => {
                if self.backend.push(expected_head, &batch) {
                    self.send(at, answer, || Message::Page(batch.clone()));
                }
            }
            Message::Page(page) => {
                let before = self.peers[at].client.log.clone();
                let confirmed = self.peers[at].client.confirmed;
                if self.peers[at].client.take(&page).is_err() {
                    assert_eq!(self.peers[at].client.log, before, "a refused page changes nothing");
                }
                let kept = |log: &[StoredEvent]| {
                    log.iter().take_while(|event| event.number.global() <= confirmed).cloned().collect::<Vec<_>>()
                };
                assert_eq!(kept(&self.peers[at].client.log), kept(&before), "what is confirmed is never rewritten");
            }
        }
        self.peers[at].client.check();
    }

    /// A network for everybody, until nobody has anything to say.
    fn heal(&mut self) {
        for round in 0.. {
            assert!(
                round < 20,
                "still pending: {:?}",
                self.peers.iter().map(|peer| peer.client.shown()).collect::<Vec<_>>()
            );
            for at in 0..CLIENTS {
                self.peers[at].offline = false;
                self.peers[at].held_up.clear();
                while self.peers[at].client.confirmed < self.backend.head() {
                    let page = self.backend.page(self.peers[at].client.confirmed, 3);
                    self.arrive(at, Message::Page(page), Fate::Arrives);
                }
                self.push(at, 100, Fate::Arrives, Fate::Arrives);
            }
            let head = self.backend.head();
            if self.peers.iter().all(|peer| peer.client.confirmed == head && peer.client.batch(1).is_empty()) {
                return;
            }
        }
    }

    fn judge(&self, lost_power: bool) {
        let counter = |event: &StoredEvent| event.args.as_ref().unwrap().parse::<u32>().unwrap();
        let agreed: Vec<_> = self.backend.log.iter().map(|event| (counter(event), event.client_id.clone())).collect();
        let mut once: Vec<_> = agreed.iter().map(|(counter, _)| *counter).collect();
        once.sort_unstable();
        assert!(once.windows(2).all(|two| two[0] < two[1]), "an event is there twice: {once:?}");
        for Peer { client, .. } in &self.peers {
            let synced = client.log.iter().filter(|event| !event.number.is_client_only());
            let synced: Vec<_> = synced.map(|event| (counter(event), event.client_id.clone())).collect();
            assert_eq!(synced, agreed, "{} has another log: {}", client.name, client.shown());
            let own = client.log.iter().filter(|event| event.client_id.as_str() == client.name);
            // Which client-only events a process that was lost had already followed its own ones nobody knows.
            let own: Vec<_> = own.filter(|event| !lost_power || !event.number.is_client_only()).map(counter).collect();
            assert!(own.windows(2).all(|two| two[0] < two[1]), "{} out of order: {own:?}", client.name);
        }
        if !lost_power {
            let logs = self.peers.iter().flat_map(|peer| &peer.client.log);
            let mut all: Vec<_> = logs.map(counter).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), self.committed as usize, "an event was lost");
        }
    }
}

impl Client {
    /// Numbers are in order, and leave no synced one out.
    fn check(&self) {
        assert!(self.log.windows(2).all(|two| two[0].number < two[1].number), "{}", self.shown());
        let synced = self.log.iter().filter(|event| !event.number.is_client_only());
        assert!(synced.zip(1..).all(|(event, global)| event.number.global() == global), "{}", self.shown());
        self.shown().parse::<LogNumbers>().unwrap();
    }
}

/// Histories that one thread tries before it takes others.
const CHUNK: u32 = 500;

/// What the environment says.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// The histories of one seed; a failure is the shortest history that fails.
fn try_some(seed: u64, cases: u32) -> Result<(), String> {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let tried = runner.run(&(any::<bool>(), steps()), |(without_ids, steps)| {
        let mut world = World::new(without_ids);
        for (at, step) in &steps {
            world.step(*at, step);
        }
        world.heal();
        let lost_power = !without_ids && steps.iter().any(|(_, step)| matches!(step, Step::LosePower));
        world.judge(lost_power);
        Ok(())
    });
    tried.map_err(|error| format!("LARDER_HISTORIES_FROM={seed} LARDER_HISTORIES=1 fails: {error}"))
}

/// `LARDER_HISTORIES=500000 cargo test --release -p larder --lib sync::state` tries more, many at a time; `LARDER_HISTORIES_FROM` the ones of
/// before once more.
#[test]
fn every_history_converges_to_one_log_with_nothing_lost_nothing_twice_and_each_clients_order_kept() {
    let count = number("LARDER_HISTORIES").unwrap_or(5_000);
    let first = number("LARDER_HISTORIES_FROM").unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
    let (chunks, next) = (count.div_ceil(u64::from(CHUNK)), AtomicU64::new(0));
    let work = || loop {
        let chunk = next.fetch_add(1, Ordering::Relaxed);
        if chunk >= chunks {
            return Ok::<_, String>(());
        }
        try_some(first.wrapping_add(chunk), CHUNK).inspect_err(|_| next.store(chunks, Ordering::Relaxed))?;
    };
    let ended = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<Vec<()>, _>>()
    });
    if let Err(failure) = ended {
        panic!("{failure}");
    }
}
