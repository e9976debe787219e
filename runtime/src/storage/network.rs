//! Which file system a folder is on: SQLite's WAL needs shared memory, which network file systems do not have.
//!
//! Only Linux says so without unsafe code (`/proc/self/mounts`); elsewhere nothing is checked, as the docs of
//! [`SqliteAdapter`](crate::SqliteAdapter) say.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::PoisonError,
};

use crate::primitives::Mutex;

/// What a folder's file system means for WAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// Local, or not known.
    Fine,
    /// Perhaps shared with other machines: a warning.
    Doubtful(String),
    /// A network file system: refused.
    Network(String),
}

/// Asks which file system a folder is on.
pub(crate) type Judge = fn(&Path) -> FileSystem;

/// Folders of stores, and which of them were looked at and may hold a WAL.
pub(crate) struct Folders {
    judge: Judge,
    fit: Mutex<HashSet<PathBuf>>,
}

impl Default for Folders {
    fn default() -> Self {
        Self::new(file_system)
    }
}

impl Folders {
    pub(crate) fn new(judge: Judge) -> Self {
        Self { judge, fit: Mutex::default() }
    }

    /// Whether an existing folder may hold a WAL; a doubtful one is warned of once, a network's is refused each time.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub(crate) fn check(&self, folder: &Path) -> Result<(), String> {
        if self.fit.lock().unwrap_or_else(PoisonError::into_inner).contains(folder) {
            return Ok(());
        }
        match (self.judge)(folder) {
            FileSystem::Fine => {}
            FileSystem::Doubtful(kind) => tracing::warn!(
                folder = %folder.display(), kind,
                "stores are on a file system that may be shared with other machines; SQLite's WAL needs a local one"
            ),
            FileSystem::Network(kind) => return Err(refusal(&kind)),
        }
        self.fit.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        Ok(())
    }
}

/// Refuses a folder on a network file system, before anything is made in it.
///
/// # Errors
/// Why, and what to do.
pub(crate) fn refuse_network(folder: &Path, judge: Judge) -> Result<(), String> {
    match judge(folder) {
        FileSystem::Network(kind) => Err(refusal(&kind)),
        FileSystem::Fine | FileSystem::Doubtful(_) => Ok(()),
    }
}

fn refusal(kind: &str) -> String {
    format!("it is on a network file system ({kind}), where SQLite's WAL does not work; choose a local folder")
}

/// Network file systems, by the name that the kernel gives them.
const NETWORK: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "smb2",
    "afs",
    "coda",
    "ncpfs",
    "ceph",
    "glusterfs",
    "lustre",
    "gfs2",
    "ocfs2",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.ceph-fuse",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.davfs2",
    "davfs",
    "beegfs",
];

/// File systems that may or may not be shared.
const DOUBTFUL: &[&str] = &["9p", "vboxsf", "prl_fs", "fuse.vmhgfs-fuse", "virtiofs"];

/// The file system of an existing folder.
pub(crate) fn file_system(folder: &Path) -> FileSystem {
    if !cfg!(target_os = "linux") {
        return FileSystem::Fine;
    }
    match (folder.canonicalize(), std::fs::read_to_string("/proc/self/mounts")) {
        (Ok(folder), Ok(mounts)) => judge(kind(&mounts, &folder)),
        _ => FileSystem::Fine,
    }
}

fn judge(kind: Option<&str>) -> FileSystem {
    match kind {
        Some(kind) if NETWORK.contains(&kind) => FileSystem::Network(kind.to_owned()),
        Some(kind) if DOUBTFUL.contains(&kind) => FileSystem::Doubtful(kind.to_owned()),
        _ => FileSystem::Fine,
    }
}

/// The kind of the mount that holds `folder`: the longest mount point that is a parent of it, the last one of equals.
fn kind<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((unescape(words.next()?), words.next()?))
    });
    let holding = mounted.filter(|(point, _)| folder.starts_with(point));
    holding.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind)
}

/// The kernel writes blanks, tabs, line ends and backslashes of a mount point as `\ooo`.
fn unescape(point: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(point.to_owned(), |text, (code, is)| text.replace(code, is))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str =
        "/dev/sda / ext4 rw 0 0\nserver:/a /home/net\\040work nfs4 rw 0 0\ntmpfs /home/net\\040work/tmp tmpfs rw 0 0\n";

    fn judged(folder: &Path) -> FileSystem {
        match folder.to_str() {
            Some("network") => FileSystem::Network("nfs4".to_owned()),
            Some("doubtful") => FileSystem::Doubtful("9p".to_owned()),
            _ => FileSystem::Fine,
        }
    }

    #[test]
    fn a_network_file_system_is_refused_each_time() {
        let folders = Folders::new(judged);
        for _ in 0..3 {
            let refused = folders.check(Path::new("network")).unwrap_err();
            assert!(refused.contains("network file system (nfs4)"), "{refused}");
            assert_eq!(folders.check(Path::new("doubtful")), Ok(()));
            assert_eq!(folders.check(Path::new("local")), Ok(()));
        }
        assert!(refuse_network(Path::new("network"), judged).is_err());
        assert!(refuse_network(Path::new("doubtful"), judged).is_ok());
    }

    #[test]
    fn the_longest_mount_point_counts() {
        assert_eq!(judge(kind(MOUNTS, Path::new("/var/data"))), FileSystem::Fine);
        assert_eq!(judge(kind(MOUNTS, Path::new("/home/net work/x"))), FileSystem::Network("nfs4".into()));
        assert_eq!(judge(kind(MOUNTS, Path::new("/home/net work/tmp"))), FileSystem::Fine);
        assert_eq!(judge(Some("9p")), FileSystem::Doubtful("9p".into()));
        assert_eq!(judge(kind("", Path::new("/"))), FileSystem::Fine);
    }
}
