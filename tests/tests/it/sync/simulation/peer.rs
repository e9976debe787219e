//! A client: its process, and how that begins and ends.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use larder::{Durability, EventId, OnBackendChange, StoreOptions, SyncBackend, prelude::*, testing::ManualClock};

use super::{
    app::{self, Act, App},
    dice::Dice,
    files::Files,
    network::Network,
    witness::Witness,
};
use crate::sync::clients::STORE;

pub(super) struct Peer {
    pub(super) network: Arc<Network>,
    /// Only files outlive a process; without, all is in memory.
    pub(super) files: Option<Files>,
    pub(super) durability: Durability,
    /// Of the app: 1 or 2.
    pub(super) release: u32,
    /// What it does when the backend's log is another one.
    change: OnBackendChange,
    process: Option<Process>,
}

/// What goes with the process.
struct Process {
    witness: Witness,
    store: Box<dyn App>,
    _registry: StoreRegistry,
    clock: ManualClock,
}

impl Peer {
    pub(super) fn new(network: Arc<Network>, in_files: bool, durability: Durability, change: OnBackendChange) -> Self {
        Self { network, files: in_files.then(Files::new), durability, release: 1, change, process: None }
    }

    pub(super) async fn start(&mut self) {
        let clock = ManualClock::on_one_thread();
        let options = StoreOptions::new()
            .sync(Arc::clone(&self.network) as Arc<dyn SyncBackend>)
            .sync_payload(self.network.payload())
            .durability(self.durability)
            .on_backend_change(self.change);
        let builder = StoreRegistry::builder().clock(&clock).defaults(options);
        let builder = match &self.files {
            Some(files) => builder.data_dir(files.data()),
            None => builder.in_memory(),
        };
        let registry = builder.build().unwrap();
        let store: Box<dyn App> = match self.release {
            1 => Box::new(registry.get::<app::first::Board>(STORE).await.unwrap()),
            _ => Box::new(registry.get::<app::second::Board>(STORE).await.unwrap()),
        };
        let witness = Witness::of(&*store);
        self.process = Some(Process { witness, store, _registry: registry, clock });
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    pub(super) fn store(&self) -> &dyn App {
        &*self.process().store
    }

    /// Whether it was committed.
    pub(super) fn commit(&mut self, acts: &[Act]) -> bool {
        let process = self.process.as_mut().unwrap();
        let receipt = process.store.commit(acts);
        let done = receipt.is_some();
        receipt.into_iter().for_each(|receipt| process.witness.committed(&*process.store, receipt));
        done
    }

    pub(super) async fn pass(&self, seconds: u64) {
        self.network.let_ask(seconds);
        self.process().clock.advance(Duration::from_secs(seconds)).await;
        self.network.check_asked();
    }

    /// All that the process shows is as it must be.
    pub(super) fn look(&mut self, agreed: &BTreeSet<EventId>, begins_anew: bool) {
        let process = self.process.as_mut().unwrap();
        process.witness.look(&*process.store, agreed, begins_anew);
    }

    /// Whether all that was committed is confirmed or quarantined, as those have heard who committed it.
    pub(super) fn is_answered(&self) -> bool {
        self.process().witness.is_answered()
    }

    /// The process ends without a word, and another one begins with what is left of its files.
    async fn end(&mut self, leave: impl FnOnce(&mut Files)) {
        let files = self.files.as_mut().unwrap();
        leave(files);
        drop(self.process.take());
        files.begin();
        self.start().await;
    }

    pub(super) async fn kill(&mut self) {
        self.end(Files::survive).await;
    }

    /// The second release of the app makes all tables anew, before it hears of anything. What it refuses is listed if it is confirmed, and is
    /// not in the log any more otherwise.
    pub(super) async fn upgrade(&mut self) {
        let before = self.store().unmaterialized().quarantined;
        let connected = self.network.inner.connected();
        self.network.inner.set_connected(false);
        self.release = 2;
        self.kill().await;
        let now = self.store().unmaterialized();
        assert_eq!(now.found, now.listed + now.quarantined - before, "what the second release refuses");
        self.store().verify();
        self.network.inner.set_connected(connected);
    }

    /// Whoever uses the app is told that sync has stopped, and says that the new log is to be taken.
    pub(super) async fn mend(&mut self) {
        self.change = OnBackendChange::Reset { resend_own: true };
        self.kill().await;
    }

    pub(super) async fn lose_power(&mut self, dice: &Dice) {
        let seed = dice.roll(u64::MAX);
        self.end(|files| files.lose_power(seed)).await;
    }

    /// The client is what it was when it was copied.
    pub(super) async fn restore(&mut self) {
        self.end(Files::restore).await;
    }
}
