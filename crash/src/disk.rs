//! A disk while a recording goes on: what the process sees, what is safe, and what is in between.

use std::{collections::BTreeMap, fs, io, ops::Range, path::Path};

use crate::trace::{Node, Op, Trace, Tree, folder_of};

/// The state after some calls of a recording.
pub struct Disk<'t> {
    trace: &'t Trace,
    pub(crate) files: Vec<File>,
    /// What the process sees.
    pub(crate) names: BTreeMap<&'t str, Node>,
    /// What a loss of power leaves at least.
    pub(crate) safe_names: BTreeMap<&'t str, Node>,
    /// Per folder, the calls since it was synced that changed its names.
    pub(crate) unsafe_names: BTreeMap<&'t str, Vec<usize>>,
}

/// One file or folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub(crate) is_folder: bool,
    /// What a loss of power leaves at least.
    pub(crate) safe: Vec<u8>,
    /// The call that made it so.
    pub(crate) synced_at: usize,
    /// The calls since then that changed it.
    pub(crate) unsynced: Vec<usize>,
}

/// What of a call survives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    /// The call.
    pub(crate) op: usize,
    /// Which of its bytes; `None` for all, and for a change of length.
    pub(crate) bytes: Option<Range<usize>>,
}

/// What a stop leaves: for each path its file and what of the unsynced calls survives. Equal recipes make equal images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe<'t> {
    pub(crate) entries: BTreeMap<&'t str, (Node, Vec<Part>)>,
}

impl<'t> Disk<'t> {
    /// The disk at the beginning of a recording.
    pub fn new(trace: &'t Trace) -> Self {
        let mut disk = Self {
            trace,
            files: Vec::new(),
            names: BTreeMap::from([("", 0)]),
            safe_names: BTreeMap::from([("", 0)]),
            unsafe_names: BTreeMap::new(),
        };
        *disk.file(0) = File { is_folder: true, ..File::default() };
        for (path, (node, bytes)) in &trace.base {
            let safe = bytes.clone().unwrap_or_default();
            *disk.file(*node) = File { is_folder: bytes.is_none(), safe, ..File::default() };
            disk.names.insert(path, *node);
            disk.safe_names.insert(path, *node);
        }
        disk
    }

    fn file(&mut self, node: Node) -> &mut File {
        let at = node as usize;
        if self.files.len() <= at {
            self.files.resize_with(at + 1, File::default);
        }
        &mut self.files[at]
    }

    /// The call at `at` happens.
    pub fn apply(&mut self, at: usize) {
        let trace = self.trace;
        match &trace.ops[at] {
            Op::MakeFolder { node, path } => {
                self.file(*node).is_folder = true;
                self.rename(at, folder_of(path));
            }
            Op::Create { node, path } => {
                self.file(*node);
                self.rename(at, folder_of(path));
            }
            Op::Rename { to: path, .. } | Op::Remove { path } => self.rename(at, folder_of(path)),
            Op::Write { node, .. } | Op::Truncate { node, .. } => self.file(*node).unsynced.push(at),
            Op::Sync { node } if self.file(*node).is_folder => self.sync_folder(*node),
            Op::Sync { node } => self.sync_file(*node, at),
            Op::Note(_) => {}
        }
    }

    fn rename(&mut self, at: usize, folder: &'t str) {
        change_names(&mut self.names, &self.trace.ops[at]);
        self.unsafe_names.entry(folder).or_default().push(at);
    }

    fn sync_folder(&mut self, node: Node) {
        let Some(path) = self.names.iter().find(|(_, found)| **found == node).map(|(path, _)| *path) else { return };
        for at in self.unsafe_names.remove(path).unwrap_or_default() {
            change_names(&mut self.safe_names, &self.trace.ops[at]);
        }
    }

    fn sync_file(&mut self, node: Node, at: usize) {
        let trace = self.trace;
        let file = self.file(node);
        for op in std::mem::take(&mut file.unsynced) {
            change_bytes(&mut file.safe, &trace.ops[op], None);
        }
        file.synced_at = at;
    }

    /// What is left when the process is killed: all that it wrote.
    pub fn killed(&self) -> Recipe<'t> {
        let all = |node: &Node| {
            self.files[*node as usize].unsynced.iter().map(|op| Part { op: *op, bytes: None }).collect::<Vec<_>>()
        };
        Recipe { entries: self.names.iter().map(|(path, node)| (*path, (*node, all(node)))).collect() }
    }

    /// A number for what a recipe makes.
    pub fn fingerprint(&self, recipe: &Recipe<'_>) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        let mut number = |number: usize| {
            hasher.update(&(number as u64).to_le_bytes());
        };
        for (path, (node, parts)) in &recipe.entries {
            path.bytes().for_each(|byte| number(usize::from(byte)));
            [*node as usize, self.files[*node as usize].synced_at, parts.len()].into_iter().for_each(&mut number);
            for Part { op, bytes } in parts {
                number(*op);
                bytes.iter().flat_map(|bytes| [bytes.start, bytes.end]).for_each(&mut number);
            }
        }
        hasher
    }

    /// What a recipe makes.
    pub fn image(&self, recipe: &Recipe<'_>) -> Tree {
        let bytes = |(node, parts): &(Node, Vec<Part>)| {
            let file = &self.files[*node as usize];
            let mut bytes = file.safe.clone();
            for Part { op, bytes: range } in parts {
                change_bytes(&mut bytes, &self.trace.ops[*op], range.as_ref());
            }
            (!file.is_folder).then_some(bytes)
        };
        let inside = recipe.entries.iter().filter(|(path, _)| !path.is_empty());
        inside.map(|(path, entry)| ((*path).to_owned(), bytes(entry))).collect()
    }
}

/// Changes names as a call does.
pub(crate) fn change_names<'t>(names: &mut BTreeMap<&'t str, Node>, op: &'t Op) {
    match op {
        Op::MakeFolder { node, path } | Op::Create { node, path } => {
            names.insert(path, *node);
        }
        Op::Rename { from, to } => {
            if let Some(node) = names.remove(from.as_str()) {
                names.insert(to, node);
            }
        }
        Op::Remove { path } => {
            names.remove(path.as_str());
        }
        _ => {}
    }
}

/// Changes bytes as a call does, or only a part of them.
fn change_bytes(bytes: &mut Vec<u8>, op: &Op, range: Option<&Range<usize>>) {
    match op {
        Op::Write { at, bytes: written, .. } => {
            let range = range.cloned().unwrap_or(0..written.len());
            let start = usize::try_from(*at).unwrap_or(usize::MAX) + range.start;
            let end = start + range.len();
            if bytes.len() < end {
                // A file that became longer by a later write has zeros where the earlier one is missing.
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(&written[range]);
        }
        Op::Truncate { length, .. } => bytes.resize(usize::try_from(*length).unwrap_or(usize::MAX), 0),
        _ => {}
    }
}

/// Writes an image into an empty folder.
///
/// # Errors
/// When the file system fails.
pub fn write_tree(tree: &Tree, root: &Path) -> io::Result<()> {
    for (path, bytes) in tree {
        match bytes {
            None => fs::create_dir(root.join(path))?,
            Some(bytes) => fs::write(root.join(path), bytes)?,
        }
    }
    Ok(())
}

/// A folder in memory, where the system has such a file system: images are written by the thousand.
///
/// # Errors
/// When the file system fails.
pub fn in_memory() -> io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}
