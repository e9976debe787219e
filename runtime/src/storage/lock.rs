//! The lock file beside a store's file: one opener at a time, and whether the last one closed cleanly.
//!
//! The lock is the operating system's ([`File::try_lock`]): it ends with its process, and it also conflicts inside one
//! process. The text in the file is for messages and for the next opener: who holds it, and, from the first write to a clean
//! close, `open`. The marker is written, not synced: what it must be able to say after a loss of power stands in `store/seal.rs`.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::same_file::{FileId, Standing};
use crate::seeded;

/// Every line has this many bytes, so that one write replaces all of the last.
const LINE_BYTES: usize = 64;

/// The line stands twice: a text that was damaged says nothing rather than something wrong.
const TEXT_BYTES: usize = 2 * LINE_BYTES;

/// What the last opener left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// How it ended.
    pub(crate) state: MarkerState,
    /// It saw damage in the tables, which the next opener rebuilds.
    pub(crate) suspect: bool,
    /// The file's epoch when this was written; see [`Meta`](super::meta::Meta).
    pub(crate) epoch: u64,
}

impl Marker {
    /// Nothing is known.
    pub(crate) const FRESH: Self = Self { state: MarkerState::Fresh, suspect: false, epoch: 0 };
}

/// How the last opener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkerState {
    /// There was none.
    Fresh,
    /// It closed the store: everything is in the store's file, nothing in its `-wal`.
    Closed,
    /// It had begun to write and did not close: the `-wal` belongs to the file.
    Open,
    /// It had built the store's file anew and was about to put it in its place.
    Replacing,
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Somebody has it: `this process`, `process 123`, or `another process`.
    Held(String),
    /// The lock file is a symlink.
    Symlink,
    /// The file system failed.
    Io(io::Error),
}

/// A held lock; dropping it releases.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    marker: Marker,
}

/// The lock file of a store's file.
pub(crate) fn lock_path(store: &Path) -> PathBuf {
    beside(store, ".lock")
}

/// What the last opener left, read without the lock: of a store that somebody has open it may be anything.
pub(crate) fn peek(store: &Path) -> Option<Marker> {
    let mut file = File::open(lock_path(store)).ok()?;
    Some(parse_marker(&read_text(&mut file).ok()?))
}

/// The file with `ending` after the name of a store's file.
pub(crate) fn beside(store: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(store);
    name.push(ending);
    name.into()
}

impl Lock {
    /// Takes the lock of a store's file.
    pub(crate) fn acquire(store: &Path) -> Result<Self, LockError> {
        let path = lock_path(store);
        loop {
            if let Some(lock) = Self::take(open(&path)?, &path)? {
                return Ok(lock);
            }
        }
    }

    /// Locks an open file; `None` when it is not the one at `path` any more. Whoever deletes a store removes the file while it has the
    /// lock, and a lock on a file without a name keeps nobody out.
    fn take(mut file: File, path: &Path) -> Result<Option<Self>, LockError> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if seeded::bug("lock-ignored") => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        let id = FileId::of_open(&file).map_err(LockError::Io)?;
        if id.look(path) != Standing::Same {
            return Ok(None);
        }
        let marker = parse_marker(&read_text(&mut file).map_err(LockError::Io)?);
        Ok(Some(Self { file, marker }))
    }

    /// What the last opener left, or what was written since.
    pub(crate) fn marker(&self) -> Marker {
        self.marker
    }

    /// Writes how this opener stands.
    pub(crate) fn mark(&mut self, marker: Marker) -> io::Result<()> {
        let text = format_marker(marker, std::process::id());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        self.marker = marker;
        Ok(())
    }

    /// Writes that the tables are damaged.
    pub(crate) fn mark_suspect(&mut self) -> io::Result<()> {
        self.mark(Marker { suspect: true, ..self.marker })
    }

    /// Makes the marker survive power loss.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that this one is just starting has the same open file until it becomes its program.
        let _ = self.file.unlock();
    }
}

fn open(path: &Path) -> Result<File, LockError> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink()) {
        return Err(LockError::Symlink);
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(LockError::Io)
}

fn holder(file: &mut File) -> String {
    let pid = read_text(file).ok().and_then(|text| parse_pid(&text));
    match pid {
        Some(pid) if pid == std::process::id() => "this process".to_owned(),
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

fn read_text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(TEXT_BYTES);
    file.seek(SeekFrom::Start(0))?;
    file.take(TEXT_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn format_marker(marker: Marker, pid: u32) -> String {
    let state = match marker.state {
        MarkerState::Fresh => "fresh",
        MarkerState::Closed => "closed",
        MarkerState::Open => "open",
        MarkerState::Replacing => "replacing",
    };
    let tables = if marker.suspect { "suspect" } else { "sound" };
    let line = format!("larder 1 pid {pid} {state} {tables} {}", marker.epoch);
    format!("{line:<width$}\n", width = LINE_BYTES - 1).repeat(2)
}

fn parse_pid(text: &str) -> Option<u32> {
    text.split_whitespace().skip_while(|word| *word != "pid").nth(1)?.parse().ok()
}

/// A text that is not ours, or damaged, says nothing: the file counts as fresh.
fn parse_marker(text: &str) -> Marker {
    let (first, second) = text.split_at_checked(LINE_BYTES).unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    let [_, _, _, _, state, tables, epoch] = words[..] else { return Marker::FRESH };
    let state = match state {
        "closed" => MarkerState::Closed,
        "open" => MarkerState::Open,
        "replacing" => MarkerState::Replacing,
        _ => MarkerState::Fresh,
    };
    let marker = epoch.parse().map(|epoch| Marker { state, suspect: tables == "suspect", epoch });
    marker.ok().filter(|_| first == second).unwrap_or(Marker::FRESH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_read_back_and_have_one_length() {
        for state in [MarkerState::Fresh, MarkerState::Closed, MarkerState::Open, MarkerState::Replacing] {
            for suspect in [false, true] {
                let marker = Marker { state, suspect, epoch: u64::MAX };
                let text = format_marker(marker, u32::MAX);
                assert_eq!((text.len(), parse_marker(&text), parse_pid(&text)), (TEXT_BYTES, marker, Some(u32::MAX)));
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_was_removed_meanwhile_locks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("n.db");
        let path = lock_path(&store);
        // Opened, and not locked yet, when somebody else deletes the store.
        let late = open(&path).unwrap();
        let deleting = Lock::acquire(&store).unwrap();
        fs::remove_file(&path).unwrap();
        drop(deleting);
        assert!(Lock::take(late, &path).unwrap().is_none());
        let held = Lock::acquire(&store).unwrap();
        let late = open(&path).unwrap();
        assert!(matches!(Lock::take(late, &path), Err(LockError::Held(_))));
        // Another file in its place is not the one that is locked either.
        let late = open(&path).unwrap();
        drop(held);
        fs::rename(&path, folder.path().join("moved")).unwrap();
        fs::write(&path, "").unwrap();
        assert!(Lock::take(late, &path).unwrap().is_none());
    }

    #[test]
    fn a_lock_that_is_released_is_free_also_while_another_process_starts() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("n.db");
        let held = Lock::acquire(&store).unwrap();
        // What the beginning of another process has.
        let inherited = held.file.try_clone().unwrap();
        assert!(matches!(Lock::acquire(&store), Err(LockError::Held(_))));
        drop(held);
        drop(Lock::acquire(&store).unwrap());
        drop(inherited);
    }

    #[test]
    fn a_foreign_text_and_a_damaged_one_are_fresh() {
        assert_eq!((parse_marker(""), parse_pid("")), (Marker::FRESH, None));
        assert_eq!(parse_marker("some other text"), Marker::FRESH);
        let text = format_marker(Marker { state: MarkerState::Open, suspect: false, epoch: 7 }, 1);
        for at in 0..text.len() {
            let damaged = format!("{}9{}", &text[..at], &text[at + 1..]);
            assert_eq!(parse_marker(&damaged), Marker::FRESH, "{at}");
            assert_eq!(parse_marker(&text[..at]), Marker::FRESH, "{at}");
        }
    }
}
