//! All clients and their server, and what happens to them.

use std::{collections::BTreeSet, sync::Arc};

use larder::{BackendSupport, Durability, EventId, LocalBackend, OnBackendChange, StoredEvent, SyncBackend, SyncPhase};

use super::{
    app::Act,
    dice::Dice,
    network::{Network, Ticks},
    peer::Peer,
};
use crate::sync::clients::STORE;

pub(super) struct World {
    server: Arc<LocalBackend>,
    rules: Rules,
    peers: Vec<Peer>,
    dice: Dice,
    ticks: Arc<Ticks>,
    pub(super) trace: Vec<String>,
    /// A client went back, by more than its durability promises: then what nobody has any more is lost. When the server goes back all clients
    /// send again what they have committed.
    went_back: bool,
    committed: usize,
    /// Events that the server had before it went back.
    had: BTreeSet<EventId>,
    has_another_log: bool,
}

/// What all of a world have in common.
#[derive(Clone, Copy)]
struct Rules {
    /// The wire keeps the ids of events. Without, nobody knows an own event again once its log is another one, or its client one of before: so
    /// nothing goes back.
    event_ids: bool,
    /// What clients do when the server's log is another one. Those in memory do not stop: nobody can say later that they are to go on.
    change: OnBackendChange,
}

impl Rules {
    fn new(dice: &Dice) -> Self {
        let change = match dice.roll(8) {
            0 | 1 => OnBackendChange::Stop,
            2 => OnBackendChange::Ignore,
            3 => OnBackendChange::Reset { resend_own: false },
            _ => OnBackendChange::Reset { resend_own: true },
        };
        Self { event_ids: !dice.one_in(4), change }
    }

    fn of_peer(self, in_files: bool) -> OnBackendChange {
        match self.change {
            OnBackendChange::Stop if !in_files => OnBackendChange::Reset { resend_own: true },
            change => change,
        }
    }
}

impl World {
    pub(super) async fn new(seed: u64) -> Self {
        let (dice, server, ticks) = (Dice::new(seed), LocalBackend::new("server"), Arc::<Ticks>::default());
        let (rules, mut peers) = (Rules::new(&dice), Vec::new());
        for _ in 0..2 + dice.roll(4) {
            let supports = BackendSupport::default().event_ids(rules.event_ids).live_pull(!dice.one_in(4));
            let network = Network::new(server.another(), dice.fork(), &ticks, supports);
            let durability = if dice.one_in(2) { Durability::Power } else { Durability::Process };
            let in_files = dice.one_in(2);
            let mut peer = Peer::new(network, in_files, durability, rules.of_peer(in_files));
            peer.start().await;
            peers.push(peer);
        }
        let (trace, went_back, committed, had, has_another_log) = Default::default();
        Self { server, rules, peers, dice, ticks, trace, went_back, committed, had, has_another_log }
    }

    pub(super) async fn run(&mut self) {
        for _ in 0..20 + self.dice.roll(40) {
            self.step().await;
        }
    }

    fn act(&self) -> Act {
        let number = 1 + i64::try_from(self.dice.roll(6)).unwrap();
        match self.dice.roll(14) {
            0..=2 => Act::Added(number),
            3 | 4 => Act::Remarked(number, format!("r{}", self.dice.roll(4))),
            5 => Act::Moved(number, !self.dice.one_in(3)),
            6 => Act::Removed(number),
            7..=9 => Act::Replaced(number),
            10 | 11 => Act::Weighed,
            12 => Act::Opened(number),
            _ => Act::Looked(i64::try_from(self.dice.roll(100)).unwrap()),
        }
    }

    async fn step(&mut self) {
        let at = self.dice.index(self.peers.len());
        let acts: Vec<_> = (0..=self.dice.roll(2)).map(|_| self.act()).collect();
        let what = match self.dice.roll(28) {
            0..=9 => self.commit(at, &acts),
            10..=13 => {
                let seconds = self.dice.roll(40);
                self.peers[at].pass(seconds).await;
                format!("{at} has {seconds} s")
            }
            14..=16 => {
                let network = &self.peers[at].network.inner;
                let connected = !network.connected();
                network.set_connected(connected);
                format!("{at} connected: {connected}")
            }
            17..=22 if self.peers[at].files.is_some() => match self.end_process(at).await {
                Some(what) => what,
                None => return,
            },
            23 if self.dice.one_in(3) => match self.another_log() {
                Some(what) => what,
                None => return,
            },
            24 => self.restart_server().await,
            25 => {
                self.peers[at].network.expire_token();
                format!("the token of {at} expires")
            }
            26 if self.peers[at].network.deliver_late().await => format!("a push of {at} arrives late"),
            27 if self.dice.one_in(3) => {
                let steps = 1 + self.dice.roll(6);
                self.peers[at].network.break_down(steps);
                format!("{at} gets errors for {steps} steps")
            }
            27 => {
                self.look(at);
                return;
            }
            _ => return,
        };
        self.trace.push(what);
        self.ticks.pass();
        self.settle().await;
    }

    fn commit(&mut self, at: usize, acts: &[Act]) -> String {
        let done = self.peers[at].commit(acts);
        let synced = acts.iter().filter(|act| !matches!(act, Act::Looked(_))).count();
        self.committed += if done { synced } else { 0 };
        format!("{at} commits {acts:?}: {done}, {}", self.peers[at].store().log())
    }

    fn look(&mut self, at: usize) {
        let now = self.server.events(STORE).into_iter().filter_map(|event| event.id);
        let agreed = self.had.iter().copied().chain(now).collect();
        self.peers[at].look(&agreed, self.has_another_log);
    }

    /// The process ends in one of many ways, and another one begins.
    async fn end_process(&mut self, at: usize) -> Option<String> {
        let peer = &mut self.peers[at];
        Some(match self.dice.roll(6) {
            0 | 1 => {
                let before = peer.store().status().confirmed;
                peer.kill().await;
                let now = peer.store().status().confirmed;
                assert!(now >= before || self.has_another_log, "{before} was confirmed before it was killed");
                format!("{at} is killed")
            }
            2 if self.rules.event_ids || peer.durability == Durability::Power => {
                peer.lose_power(&self.dice).await;
                self.went_back |= peer.durability != Durability::Power;
                format!("{at} loses power: {}", peer.store().log())
            }
            3 => {
                peer.files.as_mut()?.put_aside();
                format!("{at} is copied")
            }
            4 if self.rules.event_ids && peer.files.as_ref()?.has_copy() => {
                peer.restore().await;
                self.went_back = true;
                format!("{at} is restored")
            }
            5 if peer.release == 1 => {
                peer.upgrade().await;
                format!("{at} has the second release")
            }
            _ => return None,
        })
    }

    /// The server's log gets another id: the same log where clients take it for that, and otherwise one that went back.
    fn another_log(&mut self) -> Option<String> {
        let mut events = self.server.events(STORE);
        self.had.extend(events.iter().filter_map(|event| event.id));
        if self.rules.change == OnBackendChange::Ignore {
            self.server.replace(STORE, events);
            return Some("the log has another id".to_owned());
        }
        if !self.rules.event_ids {
            return None;
        }
        let kept = self.dice.index(events.len() + 1);
        events.truncate(kept);
        self.has_another_log = true;
        self.server.replace(STORE, events);
        // Nobody sends again what was confirmed.
        self.went_back |= self.rules.change == OnBackendChange::Reset { resend_own: false };
        Some(format!("the server goes back to e{kept}"))
    }

    /// All that is on its way is lost.
    async fn restart_server(&mut self) -> String {
        let all = self.peers.iter().map(|peer| Arc::clone(&peer.network.inner));
        let connected: Vec<_> = all.filter(|network| network.connected()).collect();
        connected.iter().for_each(|network| network.set_connected(false));
        self.settle().await;
        connected.iter().for_each(|network| network.set_connected(true));
        "the server restarts".to_owned()
    }

    async fn settle(&mut self) {
        for peer in &mut self.peers {
            peer.pass(0).await;
        }
    }

    /// All are connected and nothing fails any more; the end is to come in a bounded time.
    pub(super) async fn heal(&mut self) {
        self.ticks.heal();
        for peer in &self.peers {
            peer.network.inner.set_connected(true);
        }
        for _ in 0..12 {
            for peer in &mut self.peers {
                peer.pass(31).await;
                if peer.store().status().phase == SyncPhase::Stopped {
                    peer.mend().await;
                }
            }
            let head = self.server.events(STORE).len() as u64;
            let is_done = |peer: &Peer| {
                let status = peer.store().status();
                status.pending == 0 && status.confirmed.global() == head && status.phase == SyncPhase::Live
            };
            if self.peers.iter().all(is_done) {
                return;
            }
        }
        let statuses: Vec<_> = self.peers.iter().map(|peer| peer.store().status()).collect();
        panic!("still not in sync: {statuses:#?}");
    }

    /// All is as it must be; what it came to, without what is another in each run.
    pub(super) fn judge(&mut self) -> String {
        (0..self.peers.len()).for_each(|at| self.look(at));
        let agreed = self.server.events(STORE);
        let ids: BTreeSet<_> = agreed.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), agreed.len(), "an event is there twice");
        let as_told =
            |event: &StoredEvent| StoredEvent { id: event.id.filter(|_| self.rules.event_ids), ..event.clone() };
        let told: Vec<_> = agreed.iter().map(as_told).collect();
        let mut tables = [None, None];
        for peer in &mut self.peers {
            assert_eq!(peer.store().confirmed().iter().map(as_told).collect::<Vec<_>>(), told);
            peer.store().verify();
            assert!(peer.is_answered(), "a receipt waits, and nothing is pending");
            let own = peer.store().tables();
            let others = tables[peer.release as usize - 1].get_or_insert_with(|| own.clone());
            assert_eq!(own, *others, "two clients of one release");
        }
        if !self.went_back {
            let quarantined: usize = self.peers.iter().map(|peer| peer.store().quarantined().len()).sum();
            assert_eq!(agreed.len() + quarantined, self.committed, "an event was lost");
        }
        let texts: Vec<_> = agreed.iter().map(|event| format!("{} {:?}", event.name, event.args)).collect();
        format!("{texts:?} {tables:?}")
    }
}
