//! A client's files, and what is left of them when its process is killed, its machine loses power, or is restored from a copy.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use larder_crash::{disk::write_tree, power, watch::Watch};
use larder_tests::lab::copy_dir;

pub(super) struct Files {
    dir: tempfile::TempDir,
    /// Each process has a folder of its own: what the one before still writes is of no account.
    processes: u32,
    /// Records what the process does to its folder.
    watch: Arc<Watch>,
    /// A copy, as a backup of the client's machine has it.
    copy: Option<PathBuf>,
}

impl Files {
    pub(super) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let data = dir.path().join("data-0");
        fs::create_dir(&data).unwrap();
        Self { watch: recorded(&data), dir, processes: 0, copy: None }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.path().join(format!("data-{}", self.processes))
    }

    fn next(&mut self) -> PathBuf {
        self.processes += 1;
        self.data()
    }

    /// A killed process leaves all that it wrote; what it did not sync is still not synced.
    pub(super) fn survive(&mut self) {
        let (data, next) = (self.data(), self.next());
        copy_dir(&data, &next);
        self.watch = self.watch.go_on_over(&next).unwrap();
        fs::remove_dir_all(data).unwrap();
    }

    /// Power is lost: what was synced is there, and of the rest what the crash machine leaves.
    pub(super) fn lose_power(&mut self, seed: u64) {
        let (data, next) = (self.data(), self.next());
        let left = power::after_loss(&self.watch.end(), seed);
        fs::create_dir(&next).unwrap();
        write_tree(&left, &next).unwrap();
        self.watch = recorded(&next);
        fs::remove_dir_all(data).unwrap();
    }

    pub(super) fn put_aside(&mut self) {
        let copy = self.dir.path().join("copy");
        let _ = fs::remove_dir_all(&copy);
        copy_dir(&self.data(), &copy);
        self.copy = Some(copy);
    }

    pub(super) fn has_copy(&self) -> bool {
        self.copy.is_some()
    }

    pub(super) fn restore(&mut self) {
        let (data, next) = (self.data(), self.next());
        self.watch.end();
        copy_dir(self.copy.as_ref().unwrap(), &next);
        self.watch = recorded(&next);
        fs::remove_dir_all(data).unwrap();
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.watch.end();
    }
}

fn recorded(data: &Path) -> Arc<Watch> {
    let watch = Watch::begin(data).unwrap();
    watch.record();
    watch
}
