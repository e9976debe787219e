//! What was recorded: every call that changed a file, in order, with what the workload was told in between.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::script::Note;

/// A file or folder, by a number that stays with it when it is renamed.
pub type Node = u32;

/// One call that changed something, or something that the workload was told.
#[derive(Clone, Debug)]
pub enum Op {
    /// A folder was made.
    MakeFolder {
        /// The folder.
        node: Node,
        /// Its path below the root.
        path: String,
    },
    /// A file was made, without bytes.
    Create {
        /// The file.
        node: Node,
        /// Its path below the root.
        path: String,
    },
    /// Bytes were written.
    Write {
        /// The file.
        node: Node,
        /// The first byte's place.
        at: u64,
        /// What was written.
        bytes: Vec<u8>,
    },
    /// A file was cut or made longer.
    Truncate {
        /// The file.
        node: Node,
        /// Its bytes from now on.
        length: u64,
    },
    /// A file or folder was synced.
    Sync {
        /// Which.
        node: Node,
    },
    /// A file got another name in the same folder.
    Rename {
        /// The old path.
        from: String,
        /// The new path, which may have been another file's.
        to: String,
    },
    /// A name was removed.
    Remove {
        /// The path.
        path: String,
    },
    /// The workload was told something, or tells what it is about to do.
    Note(Note),
}

/// What a folder holds: the paths below it, folders with `None`.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// A recording.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What was there at the beginning, with its numbers. All of it is safe.
    pub base: BTreeMap<String, (Node, Option<Vec<u8>>)>,
    /// What happened.
    pub ops: Vec<Op>,
}

/// SQLite's index of a `-wal`: shared memory of running processes, made anew by the first that comes after them. Its name is a file's as
/// any other; what is in it is written by no call, so that every image has an empty one.
pub(crate) fn is_shared_memory(path: &str) -> bool {
    path.ends_with("-shm")
}

/// Reads a folder, but for what is in shared memory.
///
/// # Errors
/// When the file system fails.
pub fn read_tree(root: &Path) -> io::Result<Tree> {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = relative(root, &path);
            if path.is_dir() {
                tree.insert(name, None);
                folders.push(path);
            } else {
                let bytes = if is_shared_memory(&name) { Vec::new() } else { fs::read(&path)? };
                tree.insert(name, Some(bytes));
            }
        }
    }
    Ok(tree)
}

/// A path below the root, as text.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// The folder of a path below the root; the root is the empty text.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
