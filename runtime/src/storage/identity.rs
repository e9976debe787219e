//! Who this client is: one random id per data dir, made anew when the data dir turns out to be a copy.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    sync::OnceLock,
};

use super::layout::{Layout, LayoutError, refuse_symlink};
use crate::event::{ClientId, SessionId};

const HEADING: &str = "larder client 1";

/// This process's session, the same for all its registries.
pub(crate) fn session_id() -> SessionId {
    static SESSION: OnceLock<SessionId> = OnceLock::new();
    SESSION.get_or_init(SessionId::random).clone()
}

/// The client that a data dir is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// It commits as this one.
    pub(crate) id: ClientId,
    /// It committed as these before, in this data dir or in those that it is a copy of.
    former: Vec<ClientId>,
}

impl Client {
    /// One that was never another.
    pub(crate) fn new(id: ClientId) -> Self {
        Self { id, former: Vec::new() }
    }

    /// Commits as another one from now on.
    pub(crate) fn becomes(mut self, id: ClientId) -> Self {
        self.former.retain(|former| *former != id);
        if self.id != id {
            self.former.push(std::mem::replace(&mut self.id, id));
        }
        self
    }

    /// Whether it committed as this one, now or before.
    pub(crate) fn was(&self, id: &ClientId) -> bool {
        self.id == *id || self.former.contains(id)
    }
}

/// Who the data dir is. The file `client` says which directory it was made in: when that is not this one the data dir was
/// copied, and two clients with one id would take each other's events for their own.
pub(crate) fn client(layout: &Layout) -> Result<Client, LayoutError> {
    let path = layout.client();
    let failed = |error: std::io::Error| LayoutError::failed(&path, error);
    refuse_symlink(&path)?;
    let here = Directory::of(layout.root()).map_err(failed)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(failed)?;
    // Another process may be making the id at this moment; the lock ends with the file.
    file.lock().map_err(failed)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    let client = match parse(&text) {
        Some((client, made_in)) if made_in.is(&here) => return Ok(client),
        Some((client, _)) => {
            tracing::warn!(data_dir = %layout.root().display(), "the data dir is a copy, it gets a new client id");
            client.becomes(ClientId::random())
        }
        None => Client::new(ClientId::random()),
    };
    write(&mut file, &format(&client, &here)).map_err(failed)?;
    Ok(client)
}

fn write(file: &mut File, text: &str) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What makes a directory this one and not a copy of it.
#[derive(Debug, PartialEq, Eq)]
struct Directory {
    path: String,
    /// 0 where the platform has none.
    inode: u64,
    device: u64,
}

impl Directory {
    fn of(root: &Path) -> std::io::Result<Self> {
        let path = root.to_string_lossy().replace(['\n', '\r'], "?");
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let found = std::fs::metadata(root)?;
            Ok(Self { path, inode: found.ino(), device: found.dev() })
        }
        #[cfg(not(unix))]
        Ok(Self { path, inode: 0, device: 0 })
    }

    /// A directory that was moved keeps its inode, and its device unless that is numbered anew at each boot.
    fn is(&self, here: &Self) -> bool {
        if self.inode == 0 || here.inode == 0 {
            return self.path == here.path;
        }
        self.inode == here.inode && (self.device == here.device || self.path == here.path)
    }
}

fn format(client: &Client, made_in: &Directory) -> String {
    let (Client { id, former }, Directory { path, inode, device }) = (client, made_in);
    let former: String = former.iter().map(|former| format!("former {former}\n")).collect();
    format!("{HEADING}\nid {id}\ninode {inode}\ndevice {device}\npath {path}\n{former}")
}

/// A text that is not ours, or cut short, is as good as none.
fn parse(text: &str) -> Option<(Client, Directory)> {
    let mut lines = text.lines();
    lines.next().filter(|heading| *heading == HEADING)?;
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
    let client_id = |id: &str| {
        let is_one = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| ClientId::from(id))
    };
    let id = client_id(&field("id")?)?;
    let (inode, device) = (field("inode")?.parse().ok()?, field("device")?.parse().ok()?);
    let made_in = Directory { path: field("path")?, inode, device };
    let former = lines.filter_map(|line| client_id(line.strip_prefix("former ")?)).collect();
    Some((Client { id, former }, made_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(path: &str, inode: u64, device: u64) -> Directory {
        Directory { path: path.into(), inode, device }
    }

    #[test]
    fn moved_and_remounted_directories_are_the_same_a_copy_is_not() {
        let made_in = directory("/data", 7, 1);
        assert!(made_in.is(&directory("/moved", 7, 1)));
        assert!(made_in.is(&directory("/data", 7, 2)));
        assert!(!made_in.is(&directory("/copy", 8, 1)));
        assert!(!made_in.is(&directory("/data", 8, 1)));
        assert!(!made_in.is(&directory("/other-disk", 7, 2)));
    }

    #[test]
    fn the_file_reads_back_and_a_cut_one_is_none() {
        let (client, made_in) = (Client::new(ClientId::random()), directory("/a b/c", 1, 2));
        let text = format(&client, &made_in);
        assert_eq!(parse(&text), Some((client.clone(), made_in)));
        let copy = client.clone().becomes(ClientId::random()).becomes(ClientId::random());
        let (read, _) = parse(&format(&copy, &directory("/b", 2, 2))).unwrap();
        assert!(read == copy && read.was(&client.id) && read.was(&copy.id) && read.former.len() == 2);
        for end in 0..text.len() - 8 {
            assert_eq!(parse(&text[..end]), None, "cut at {end}");
        }
    }
}
