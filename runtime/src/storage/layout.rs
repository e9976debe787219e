//! Where things lie in a data dir: `client`, `catalog.db`, `stores/<definition>/<slug>-<hash>.db`.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{folder, network};
use crate::id::StoreId;

/// Longest readable part of a file name, in bytes.
const SLUG_BYTES: usize = 40;

/// Names that Windows keeps for devices.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul"];

/// A data dir.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// A file or folder of a data dir that cannot be used, and why.
#[derive(Clone, Debug)]
pub(crate) struct LayoutError {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

impl LayoutError {
    pub(crate) fn new(path: &Path, reason: impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }

    /// The operating system or SQLite refused.
    pub(crate) fn failed(path: &Path, error: impl fmt::Display) -> Self {
        Self::new(path, format!("{error}; mend that, or choose another data dir"))
    }
}

impl Layout {
    /// The data dir at `path`, made if it is missing. The path to it may hold symlinks, what is inside may not.
    pub(crate) fn open(path: &Path) -> Result<Self, LayoutError> {
        Self::open_judged(path, network::file_system)
    }

    fn open_judged(path: &Path, judge: network::Judge) -> Result<Self, LayoutError> {
        make_folder(path)?;
        let root = path.canonicalize().map_err(|error| LayoutError::failed(path, error))?;
        // First of all: the catalog is an SQLite file, too.
        network::refuse_network(&root, judge).map_err(|reason| LayoutError::new(path, reason))?;
        let layout = Self { root };
        if !layout.stores().is_dir() {
            // Before anything is in it, so that what is found in it later was never in a folder that power loss could take away.
            sync_parents(layout.root()).map_err(|error| LayoutError::failed(path, error))?;
        }
        make_own_folder(&layout.stores())?;
        Ok(layout)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn client(&self) -> PathBuf {
        self.root.join("client")
    }

    pub(crate) fn catalog(&self) -> PathBuf {
        self.root.join("catalog.db")
    }

    pub(crate) fn stores(&self) -> PathBuf {
        self.root.join("stores")
    }

    /// A store's file, as the catalog has it: relative to [`stores`](Self::stores).
    pub(crate) fn relative(definition: &str, id: &StoreId) -> String {
        format!("{}/{}.db", folder_name(definition), file_stem(id))
    }

    pub(crate) fn store(&self, definition: &str, id: &StoreId) -> PathBuf {
        let mut path = self.stores().join(folder_name(definition)).join(format!("{}.db", file_stem(id)));
        // It is kept as long as the store is loaded.
        path.shrink_to_fit();
        path
    }

    /// Makes the folder of a definition's stores.
    pub(crate) fn make_definition_folder(&self, definition: &str) -> Result<(), LayoutError> {
        make_own_folder(&self.stores().join(folder_name(definition)))
    }
}

/// A definition's folder. Names that a file system may confuse with others, or not take, get a hash.
fn folder_name(definition: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let device =
        DEVICES.contains(&definition) || matches!(definition.as_bytes(), [b'c', b'o', b'm', _] | [b'l', b'p', b't', _]);
    if definition.bytes().all(plain) && !device && !looks_hashed(definition) {
        definition.to_owned()
    } else {
        format!("{}-{}", slug(definition), &hash(definition)[..16])
    }
}

/// A plain name that ends like a hashed one could meet it.
fn looks_hashed(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, tail)| tail.len() == 16 && tail.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The readable part is for people; the hash, of the whole id, makes the name.
fn file_stem(id: &StoreId) -> String {
    format!("{}-{}", slug(id.as_str()), &hash(id.as_str())[..32])
}

fn slug(text: &str) -> String {
    let readable =
        |byte: u8| if byte.is_ascii_alphanumeric() || byte == b'_' { byte.to_ascii_lowercase() } else { b'-' };
    text.bytes().take(SLUG_BYTES).map(|byte| char::from(readable(byte))).collect()
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn make_folder(path: &Path) -> Result<(), LayoutError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| LayoutError::failed(path, error))
}

/// Makes the names of the data dir and of the folders around it survive power loss.
fn sync_parents(root: &Path) -> io::Result<()> {
    for parent in root.ancestors().skip(1) {
        match folder::sync(parent) {
            // Who may not read a folder has made nothing in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            synced => synced?,
        }
    }
    Ok(())
}

/// Makes a folder inside the data dir; a symlink in its place is refused.
fn make_own_folder(path: &Path) -> Result<(), LayoutError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => Err(LayoutError::new(
            path,
            "it is a symlink; larder follows none inside its data dir, put the folder there itself",
        )),
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(LayoutError::new(path, "it is not a folder; move it away")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_folder(path),
        Err(error) => Err(LayoutError::failed(path, error)),
    }
}

/// Refuses a symlink where a file of the data dir is expected.
pub(crate) fn refuse_symlink(path: &Path) -> Result<(), LayoutError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => Err(LayoutError::new(
            path,
            "it is a symlink; larder follows none inside its data dir, put the file there itself",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_dir_on_a_network_file_system_is_refused_before_anything_is_made_in_it() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let judge = |_: &Path| network::FileSystem::Network("nfs4".to_owned());
            let refused = Layout::open_judged(dir.path(), judge).unwrap_err();
            assert!(refused.reason.contains("network file system (nfs4)"), "{}", refused.reason);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
        assert!(Layout::open_judged(dir.path(), |_| network::FileSystem::Doubtful("9p".to_owned())).is_ok());
    }

    #[test]
    fn a_file_name_is_readable_and_never_the_id() {
        let id: StoreId = "project:rusqlite~2Frusqlite:issue:7".parse().unwrap_or_else(|_| unreachable!());
        let stem = file_stem(&id);
        assert!(stem.starts_with("project-rusqlite-2frusqlite-issue-7-"), "{stem}");
        assert_eq!(stem.len(), "project-rusqlite-2frusqlite-issue-7-".len() + 32);
    }

    #[test]
    fn ids_and_names_that_differ_in_case_alone_have_different_files() {
        let stem = |id: &str| id.parse().map(|id| file_stem(&id)).unwrap_or_default();
        assert_ne!(stem("issue:A").to_lowercase(), stem("issue:a").to_lowercase());
        assert_eq!(folder_name("workspace"), "workspace");
        assert_ne!(folder_name("Workspace").to_lowercase(), folder_name("workspace"));
        assert_ne!(folder_name("con"), "con");
        assert_ne!(folder_name(&folder_name("Workspace")), folder_name("Workspace"));
    }
}
