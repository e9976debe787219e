//! Registries that come and go over one data dir, and the files below them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use larder::{LoadError, StoreDefinition, StoreHandle, StoreId, StoreOptions, StoreRegistry};

/// A registry, and the data dir that outlives it. In memory nothing outlives it.
pub struct Lab {
    dir: tempfile::TempDir,
    in_memory: bool,
    defaults: StoreOptions,
    registry: Option<StoreRegistry>,
}

impl Lab {
    /// Stores in files.
    pub fn on_disk() -> Self {
        Self::new(false, StoreOptions::default())
    }

    /// Stores in files of a file system in memory, where there is one: for tests that open hundreds.
    pub fn on_memory_disk() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { dir: dir.expect("a folder for the test"), ..Self::on_disk() }
    }

    /// Stores in files, with options.
    pub fn on_disk_with(defaults: StoreOptions) -> Self {
        Self::new(false, defaults)
    }

    /// Stores in memory.
    pub fn in_memory() -> Self {
        Self::new(true, StoreOptions::default())
    }

    /// Both shapes of storage.
    pub fn both() -> [Self; 2] {
        [Self::on_disk(), Self::in_memory()]
    }

    /// Both shapes of storage, with options.
    pub fn both_with(defaults: &StoreOptions) -> [Self; 2] {
        [Self::new(false, defaults.clone()), Self::new(true, defaults.clone())]
    }

    fn new(in_memory: bool, defaults: StoreOptions) -> Self {
        let dir = tempfile::tempdir().expect("a folder for the test");
        Self { dir, in_memory, defaults, registry: None }
    }

    /// Options of registries made from now on.
    pub fn set_defaults(&mut self, defaults: StoreOptions) {
        self.defaults = defaults;
    }

    /// The registry, built at the first use.
    pub fn registry(&mut self) -> &StoreRegistry {
        let (dir, in_memory, defaults) = (self.data_dir(), self.in_memory, self.defaults.clone());
        self.registry.get_or_insert_with(|| {
            let builder = StoreRegistry::builder().defaults(defaults);
            let builder = if in_memory { builder.in_memory() } else { builder.data_dir(dir) };
            builder.build().expect("a registry")
        })
    }

    /// Opens the store that most tests use.
    pub async fn open<D: StoreDefinition<Id = StoreId>>(&mut self) -> StoreHandle<D> {
        self.try_open().await.expect("the store opens")
    }

    /// Opens it, or says why not.
    pub async fn try_open<D: StoreDefinition<Id = StoreId>>(&mut self) -> Result<StoreHandle<D>, LoadError> {
        self.registry().get::<D>("book:1").await
    }

    /// Closes all stores.
    pub async fn close(&mut self) {
        self.close_within(Duration::from_secs(30)).await;
    }

    /// Closes all stores, and gives up after so long on events that nobody takes.
    pub async fn close_within(&mut self, deadline: Duration) {
        if let Some(registry) = self.registry.take() {
            registry.shutdown(deadline).await;
        }
    }

    /// The folder of all data.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A path outside of the data dir.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The file of the one store of the definition that is stored.
    pub fn store_file(&self, definition: &str) -> PathBuf {
        let folder = self.data_dir().join("stores").join(definition);
        let files = fs::read_dir(&folder).expect("the folder of the stores");
        let mut paths = files.map(|file| file.expect("a file").path());
        paths.find(|path| path.extension().is_some_and(|ending| ending == "db")).expect("the store's file")
    }

    /// The store's file, by plain SQLite. The store must be closed.
    pub fn sqlite(&self, definition: &str) -> rusqlite::Connection {
        rusqlite::Connection::open(self.store_file(definition)).expect("an SQLite file")
    }
}

/// The file with an ending after a store file's name.
pub fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// How many transactions a `-wal` holds: frames of its newest round that say how large the file is after a commit.
pub fn transactions(wal: &Path) -> usize {
    let bytes = fs::read(wal).expect("a `-wal`");
    let page = u32::from_be_bytes(bytes[8..12].try_into().expect("4 bytes")) as usize;
    let frames = bytes[32..].chunks_exact(24 + page).take_while(|frame| frame[8..16] == bytes[16..24]);
    frames.filter(|frame| frame[4..8] != [0; 4]).count()
}

/// The text of a lock file, as larder writes it: `words` say how the store was left, as `closed sound 2`.
pub fn lock_text(pid: u32, words: &str) -> String {
    format!("{:<63}\n", format!("larder 1 pid {pid} {words}")).repeat(2)
}

/// Copies a folder and all below it: what a process that was killed at this moment would leave.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for the copy");
    for entry in fs::read_dir(from).expect("a folder to copy") {
        let entry = entry.expect("a file");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            match fs::copy(entry.path(), target) {
                // Gone since it was listed, like a `-shm` with the last connection.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.expect("it copies")),
            }
        }
    }
}

/// Polls a future once.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
