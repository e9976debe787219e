//! A client: its process, and how that begins and ends.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use larder::{Durability, OnBackendChange, StoreOptions, SyncBackend, prelude::*, testing::ManualClock};

use super::{
    app::{self, App, Lively},
    dice::Dice,
    files::Files,
    network::Network,
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
    live: Vec<(Lively, String)>,
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
        let live = store.live().into_iter().map(|live| (live, String::new())).collect();
        self.process = Some(Process { live, store, _registry: registry, clock });
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    pub(super) fn store(&self) -> &dyn App {
        &*self.process().store
    }

    pub(super) async fn pass(&self, seconds: u64) {
        self.process().clock.advance(Duration::from_secs(seconds)).await;
    }

    /// Live queries show what fresh ones do.
    pub(super) fn look(&mut self) {
        let process = self.process.as_mut().unwrap();
        for ((live, shown), fresh) in process.live.iter_mut().zip(process.store.fresh()) {
            while let Some(next) = live.next().now_or_never() {
                *shown = next.unwrap();
            }
            assert_eq!(*shown, fresh, "a live query");
        }
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
