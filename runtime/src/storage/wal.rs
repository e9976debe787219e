//! SQLite's write-ahead log as its file format documents it: which frames of a `-wal` SQLite will take, and what they hold. Pure: bytes
//! in, answers out.

use std::{
    collections::HashMap,
    io::{self, Read, Seek, SeekFrom},
};

use crate::seeded;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The first four bytes, less the lowest bit: that says in which byte order checksums are computed.
const MAGIC: u32 = 0x377f_0682;

/// What larder's files have.
const USUAL_PAGE_BYTES: u32 = 4_096;

/// Page sizes that SQLite knows.
const PAGE_BYTES: std::ops::RangeInclusive<u32> = 512..=65_536;

/// Rounds that one opening can be thought to have: more, and two salts are not of the same one.
const MOST_ROUNDS: u32 = 1 << 16;

/// What a `-wal` holds.
#[derive(Debug, Default)]
pub(crate) struct WalScan {
    /// The length of the file.
    pub(crate) bytes: u64,
    /// Frames that SQLite takes: all up to the last commit before the first frame whose checksum does not fit.
    pub(crate) committed: u64,
    /// Commits of the same round that SQLite does not take, because they end in that frame or behind it.
    pub(crate) commits_behind: u64,
    /// What the `-shm` said.
    pub(crate) index: Index,
    /// Whether the database is the same without it. To be looked at before SQLite opens the file, and set by whoever does.
    pub(crate) is_in_file: bool,
    page_bytes: u32,
    /// The header's, or the first frame's where the header does not check; `None` without either.
    salt: Option<Salt>,
    /// Pages of the database after the last commit.
    database_pages: u32,
    /// Where the last committed content of each page stands.
    pages: HashMap<u32, u64>,
}

/// Changes with every round: when a `-wal` is begun anew from its first frame.
type Salt = [u8; 8];

/// How long a `-wal` of so many frames is.
pub(crate) fn length(frames: u32, page_bytes: u32) -> u64 {
    HEADER_BYTES as u64 + u64::from(frames) * (FRAME_HEADER_BYTES as u64 + u64::from(page_bytes))
}

/// Reads a `-wal` of so many bytes from its first one on.
pub(crate) fn scan(mut wal: impl Read, bytes: u64) -> io::Result<WalScan> {
    let mut scan = WalScan { bytes, ..WalScan::default() };
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut wal, &mut header)? {
        return Ok(scan);
    }
    let Header { order, page_bytes, salt, sum: mut before, mut sound } = Header::parse(&header);
    (scan.page_bytes, scan.salt) = (page_bytes, sound.then_some(salt));
    let mut bytes = vec![0; FRAME_HEADER_BYTES + page_bytes as usize];
    let (mut pending, mut place) = (Vec::new(), HEADER_BYTES as u64);
    while fill(&mut wal, &mut bytes)? {
        let frame = Frame::parse(&bytes);
        let same_round = frame.salt == *scan.salt.get_or_insert(frame.salt);
        let fits = same_round
            && frame.page != 0
            && frame.sum == order.sum(order.sum(before, &bytes[..8]), &bytes[FRAME_HEADER_BYTES..]);
        if sound && fits {
            pending.push((frame.page, place + FRAME_HEADER_BYTES as u64));
            if frame.ends_commit() {
                scan.committed += pending.len() as u64;
                scan.pages.extend(pending.drain(..));
                scan.database_pages = frame.database_pages;
            }
        } else if frame.ends_commit() && (fits || (sound && same_round)) {
            // Behind the first frame that does not fit, one fits when it does with what the one before says of itself.
            scan.commits_behind += 1;
        }
        sound &= fits;
        before = frame.sum;
        place += bytes.len() as u64;
    }
    Ok(scan)
}

impl WalScan {
    /// Frames that are to be taken: all that SQLite would, or none where the file has more of the `-wal` than that. What SQLite takes lies
    /// on top of the file, and would undo the later half of what a checkpoint has moved.
    pub(crate) fn taken(&self) -> u64 {
        if self.is_behind_file() { 0 } else { self.committed }
    }

    /// Whether SQLite would take some of it, and the file has more.
    pub(crate) fn is_behind_file(&self) -> bool {
        if seeded::bug("wal-behind-file-taken") {
            return false;
        }
        self.committed > 0 && self.index_of_round().is_some_and(|index| u64::from(index.moved) > self.committed)
    }

    /// Whether there is something in it that is not taken.
    pub(crate) fn has_more(&self) -> bool {
        let frame = FRAME_HEADER_BYTES as u64 + u64::from(self.page_bytes);
        self.bytes > HEADER_BYTES as u64 + self.taken() * frame
    }

    /// What the `-shm` says, if that is of this round.
    pub(crate) fn index_of_round(&self) -> Option<WalIndex> {
        let Index::Says(index) = self.index else { return None };
        (self.salt == Some(index.salt)).then_some(index)
    }

    /// What the `-shm` says, if that is of a later round of the same opening, in which something was committed.
    pub(crate) fn index_of_later_round(&self) -> Option<WalIndex> {
        let (Index::Says(index), Some(salt)) = (self.index, self.salt) else { return None };
        // SQLite begins at random and counts up from there.
        let later = word(&index.salt, 0).wrapping_sub(word(&salt, 0));
        (index.frames > 0 && (1..=MOST_ROUNDS).contains(&later)).then_some(index)
    }

    /// Whether it is one of before it was begun anew, and the file is not as it was then. One that changes nothing was left by a loss of
    /// power: the new round had not reached the disk, nor had a checkpoint moved anything of it.
    pub(crate) fn is_of_earlier_round(&self) -> bool {
        self.index_of_later_round().is_some() && self.taken() > 0 && !self.is_in_file
    }

    /// Whether the database is the same with this `-wal` and without it.
    pub(crate) fn changes_nothing(
        &self,
        mut wal: impl Read + Seek,
        mut database: impl Read + Seek,
    ) -> io::Result<bool> {
        if self.committed == 0 {
            return Ok(true);
        }
        let page_bytes = u64::from(self.page_bytes);
        if database.seek(SeekFrom::End(0))? != u64::from(self.database_pages) * page_bytes {
            return Ok(false);
        }
        let (mut logged, mut stored) = (vec![0; self.page_bytes as usize], vec![0; self.page_bytes as usize]);
        for (page, place) in self.pages.iter().filter(|(page, _)| **page <= self.database_pages) {
            wal.seek(SeekFrom::Start(*place))?;
            database.seek(SeekFrom::Start(u64::from(page - 1) * page_bytes))?;
            if !fill(&mut wal, &mut logged)? || !fill(&mut database, &mut stored)? || logged != stored {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether there were as many bytes as wanted.
fn fill(source: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match source.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn eight(bytes: &[u8], at: usize) -> Salt {
    bytes[at..].first_chunk().copied().unwrap_or_default()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word))
}

type Sum = (u32, u32);

/// The byte order of the machine that made the `-wal`, in which it computes checksums.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn sum(self, (mut first, mut second): Sum, bytes: &[u8]) -> Sum {
        for pair in bytes.chunks_exact(8) {
            let [a, b, c, d, e, f, g, h] = *pair else { break };
            let (left, right) = match self {
                Self::Little => (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])),
                Self::Big => (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])),
            };
            first = first.wrapping_add(left).wrapping_add(second);
            second = second.wrapping_add(right).wrapping_add(first);
        }
        (first, second)
    }
}

struct Header {
    order: Order,
    page_bytes: u32,
    salt: Salt,
    sum: Sum,
    sound: bool,
}

impl Header {
    /// Of a header that is not sound the parts that can be true are taken, to look at what is behind it.
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Self {
        let magic = word(bytes, 0);
        let order = if magic & 1 == 0 { Order::Little } else { Order::Big };
        let page_bytes = word(bytes, 8);
        let sum = (word(bytes, 24), word(bytes, 28));
        let possible = PAGE_BYTES.contains(&page_bytes) && page_bytes.is_power_of_two();
        let sound = magic & !1 == MAGIC && possible && order.sum((0, 0), &bytes[..24]) == sum;
        Self {
            order,
            page_bytes: if possible { page_bytes } else { USUAL_PAGE_BYTES },
            salt: eight(bytes, 16),
            sum,
            sound,
        }
    }
}

struct Frame {
    page: u32,
    /// 0 in all but the last frame of a commit.
    database_pages: u32,
    salt: Salt,
    sum: Sum,
}

impl Frame {
    fn parse(bytes: &[u8]) -> Self {
        Self {
            page: word(bytes, 0),
            database_pages: word(bytes, 4),
            salt: eight(bytes, 8),
            sum: (word(bytes, 16), word(bytes, 20)),
        }
    }

    fn ends_commit(&self) -> bool {
        self.database_pages > 0
    }
}

/// What there is of a `-shm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Index {
    /// No file.
    #[default]
    Missing,
    /// A file that says nothing: torn by a loss of power, left by an opening that was killed, or damaged.
    Unreadable,
    Says(WalIndex),
}

impl Index {
    /// Of the beginning of a `-shm`, if there is one.
    pub(crate) fn parse(bytes: Option<&[u8]>) -> Self {
        match bytes.map(WalIndex::parse) {
            None => Self::Missing,
            Some(None) => Self::Unreadable,
            Some(Some(index)) => Self::Says(index),
        }
    }
}

/// What a `-shm` says of the `-wal` beside it: SQLite writes it after each commit, and does not read it after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WalIndex {
    salt: Salt,
    /// Frames up to the last commit.
    pub(crate) frames: u32,
    /// How many of them a checkpoint has moved into the database.
    pub(crate) moved: u32,
    /// How many of them the last checkpoint was to move.
    attempted: u32,
}

/// Bytes of a `-shm` that [`WalIndex::parse`] looks at.
pub(crate) const INDEX_BYTES: usize = 132;

impl WalIndex {
    /// Reads the beginning of a `-shm`, in the byte order of this machine; `None` when it is not sound.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, copy) = (bytes.get(..48)?, bytes.get(48..96)?);
        let number = |at: usize| bytes.get(at..)?.first_chunk().map(|word| u32::from_ne_bytes(*word));
        let native = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
        let is_one =
            header == copy && native.sum((0, 0), &header[..40]) == (number(40)?, number(44)?) && header[12] != 0;
        let (frames, moved, attempted) = (number(16)?, number(96)?, number(128)?);
        // No checkpoint moves what was not committed.
        let is_one = is_one && moved <= frames && attempted <= frames;
        is_one.then(|| Self { salt: eight(bytes, 32), frames, moved, attempted })
    }

    /// Whether the database has pages of commits behind the first `committed` frames, and not those of all that it has some of.
    pub(crate) fn is_between_commits(&self, committed: u64) -> bool {
        u64::from(self.attempted) > committed.max(u64::from(self.moved))
    }

    /// Whether there were commits that neither the database has nor the first `committed` frames.
    pub(crate) fn has_more_than(&self, committed: u64) -> bool {
        u64::from(self.frames) > committed.max(u64::from(self.moved))
    }
}

#[cfg(test)]
mod tests;
