//! A client's files, and what is left of them when its process is killed, its machine loses power, or is restored from a copy.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use larder_crash::{
    disk::{in_memory, write_tree},
    power,
    watch::Watch,
};
use larder_tests::lab::copy_dir;

pub(super) struct Files {
    dir: tempfile::TempDir,
    /// Machines that it was restored to: each has a folder of its own, and so is a client of its own.
    machines: u32,
    /// Records what the process does to its folder.
    watch: Arc<Watch>,
    /// A copy, as a backup of the client's machine has it.
    copy: Option<PathBuf>,
}

impl Files {
    pub(super) fn new() -> Self {
        let dir = in_memory().unwrap();
        let data = dir.path().join("data-0");
        fs::create_dir(&data).unwrap();
        Self { watch: recorded(&data), dir, machines: 0, copy: None }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.path().join(format!("data-{}", self.machines))
    }

    /// What is left is here while the process of before still goes: what that does now is of no account.
    fn left(&self) -> PathBuf {
        self.dir.path().join("left")
    }

    /// A killed process leaves all that it wrote; what it did not sync is still not synced.
    pub(super) fn survive(&mut self) {
        copy_dir(&self.data(), &self.left());
        self.watch = self.watch.go_on_over(&self.left()).unwrap();
    }

    /// Power is lost: what was synced is there, and of the rest what the crash machine leaves.
    pub(super) fn lose_power(&mut self, seed: u64) {
        let image = power::after_loss(&self.watch.end(), seed);
        fs::create_dir(self.left()).unwrap();
        write_tree(&image, &self.left()).unwrap();
        self.watch = recorded(&self.left());
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

    /// The copy goes to another machine.
    pub(super) fn restore(&mut self) {
        self.watch.end();
        copy_dir(self.copy.as_ref().unwrap(), &self.left());
        self.watch = recorded(&self.left());
        fs::remove_dir_all(self.data()).unwrap();
        self.machines += 1;
        fs::create_dir(self.data()).unwrap();
    }

    /// The process of before is gone, and the next one finds what is left. The folder stays the same one: a client knows itself by it.
    pub(super) fn begin(&mut self) {
        let (left, data) = (self.left(), self.data());
        for entry in fs::read_dir(&data).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        copy_dir(&left, &data);
        self.watch = self.watch.go_on_over(&data).unwrap();
        fs::remove_dir_all(left).unwrap();
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
