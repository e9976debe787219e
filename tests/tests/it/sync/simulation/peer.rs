//! A client: its process, its files, and what is left of them when that is killed or power is lost.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use larder::{OnBackendChange, StoreOptions, SyncBackend, prelude::*, testing::ManualClock};
use larder_tests::lab::copy_dir;

use super::{
    app::{self, App, Lively},
    dice::Dice,
    network::Network,
};
use crate::sync::clients::STORE;

/// Bytes that a disk writes wholly or not at all.
const SECTOR: u64 = 512;

pub(super) struct Peer {
    pub(super) network: Arc<Network>,
    /// Only files outlive a process.
    pub(super) in_files: bool,
    /// Of the app: 1 or 2.
    pub(super) release: u32,
    /// A copy of the files, as a backup of the client's machine has it.
    pub(super) copy: Option<PathBuf>,
    process: Option<Process>,
    dir: tempfile::TempDir,
    processes: u32,
    /// What of the `-wal` is on disk for sure: the salt of its round, and how long it was.
    synced: Option<([u8; 8], u64)>,
}

/// What goes with the process.
struct Process {
    live: Vec<(Lively, String)>,
    store: Box<dyn App>,
    _registry: StoreRegistry,
    clock: ManualClock,
}

impl Peer {
    pub(super) fn new(network: Arc<Network>, in_files: bool) -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let (copy, process, synced) = Default::default();
        Self { network, in_files, release: 1, copy, process, dir: dir.unwrap(), processes: 0, synced }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join(format!("data-{}", self.processes))
    }

    pub(super) async fn start(&mut self) {
        let clock = ManualClock::on_one_thread();
        let options = StoreOptions::new()
            .sync(Arc::clone(&self.network) as Arc<dyn SyncBackend>)
            .sync_payload(self.network.payload())
            .on_backend_change(OnBackendChange::Reset { resend_own: true });
        let builder = StoreRegistry::builder().clock(&clock).defaults(options);
        let builder = if self.in_files { builder.data_dir(self.data()) } else { builder.in_memory() };
        let registry = builder.build().unwrap();
        let store: Box<dyn App> = match self.release {
            1 => Box::new(registry.get::<app::first::Board>(STORE).await.unwrap()),
            _ => Box::new(registry.get::<app::second::Board>(STORE).await.unwrap()),
        };
        let live = store.live().into_iter().map(|live| (live, String::new())).collect();
        self.process = Some(Process { live, store, _registry: registry, clock });
        self.note_synced();
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    pub(super) fn store(&self) -> &dyn App {
        &*self.process().store
    }

    pub(super) async fn pass(&mut self, seconds: u64) {
        self.process().clock.advance(Duration::from_secs(seconds)).await;
        if seconds > 2 {
            // Whoever is idle has moved the `-wal` into the file, and both are synced.
            self.note_synced();
        }
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

    /// Begins with these files; the process of before is gone without a word.
    async fn begin_with(&mut self, files: &Path) {
        let next = self.dir.path().join(format!("data-{}", self.processes + 1));
        copy_dir(files, &next);
        drop(self.process.take());
        let _ = fs::remove_dir_all(self.data());
        self.processes += 1;
    }

    pub(super) async fn kill(&mut self) {
        let data = self.data();
        self.begin_with(&data).await;
        self.start().await;
    }

    /// Of what was not synced the last bytes are not there, nor are some sectors before them: a disk writes these in any order.
    pub(super) async fn lose_power(&mut self, dice: &Dice) {
        let synced = self.synced;
        let data = self.data();
        self.begin_with(&data).await;
        if let Some(wal) = wal(&self.data())
            && let Some((salt, length)) = round(&wal)
        {
            let kept = synced.filter(|synced| synced.0 == salt).map_or(0, |synced| synced.1.min(length));
            let left = kept + dice.roll(length - kept + 1);
            let mut file = fs::File::options().write(true).open(&wal).unwrap();
            file.set_len(left).unwrap();
            for sector in kept.div_ceil(SECTOR)..left / SECTOR {
                if dice.one_in(64) {
                    file.seek(SeekFrom::Start(sector * SECTOR)).unwrap();
                    file.write_all(&[0; SECTOR as usize]).unwrap();
                }
            }
        }
        self.start().await;
    }

    /// The client is what it was when it was copied.
    pub(super) async fn restore(&mut self) {
        let copy = self.copy.clone().unwrap();
        self.begin_with(&copy).await;
        self.start().await;
    }

    pub(super) fn put_aside(&mut self) {
        let copy = self.dir.path().join("copy");
        let _ = fs::remove_dir_all(&copy);
        copy_dir(&self.data(), &copy);
        self.copy = Some(copy);
    }

    fn note_synced(&mut self) {
        self.synced = if self.in_files { wal(&self.data()).and_then(|wal| round(&wal)) } else { None };
    }
}

/// The `-wal` of the one store, if there is one.
fn wal(data: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(data.join("stores/board")).ok()?;
    files.map(|file| file.unwrap().path()).find(|path| path.to_str().is_some_and(|path| path.ends_with("-wal")))
}

/// The salt of a `-wal`, which is another one each time it begins anew, and its length.
fn round(wal: &Path) -> Option<([u8; 8], u64)> {
    let mut header = [0; 32];
    let mut file = fs::File::open(wal).ok()?;
    file.read_exact(&mut header).ok()?;
    Some((header[16..24].try_into().unwrap(), file.metadata().ok()?.len()))
}
