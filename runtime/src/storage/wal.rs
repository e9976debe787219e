//! SQLite's write-ahead log as its file format documents it: which frames of a `-wal` SQLite will take, and what they hold. Pure: bytes
//! in, answers out.

use std::{
    collections::HashMap,
    io::{self, Read, Seek, SeekFrom},
};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The first four bytes, less the lowest bit: that says in which byte order checksums are computed.
const MAGIC: u32 = 0x377f_0682;

/// Page sizes that SQLite knows.
const PAGE_BYTES: std::ops::RangeInclusive<u32> = 512..=65_536;

/// What a `-wal` holds.
#[derive(Debug, Default)]
pub(crate) struct WalScan {
    /// The length of the file.
    pub(crate) bytes: u64,
    /// Frames that SQLite takes: all up to the last commit before the first frame whose checksum does not fit.
    pub(crate) committed: u64,
    page_bytes: u32,
    /// Pages of the database after the last commit.
    database_pages: u32,
    /// Where the last committed content of each page stands.
    pages: HashMap<u32, u64>,
}

/// Reads a `-wal` of so many bytes from its first one on.
pub(crate) fn scan(mut wal: impl Read, bytes: u64) -> io::Result<WalScan> {
    let mut scan = WalScan { bytes, ..WalScan::default() };
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut wal, &mut header)? {
        return Ok(scan);
    }
    let Some(header) = Header::parse(&header) else { return Ok(scan) };
    scan.page_bytes = header.page_bytes;
    let mut frame = vec![0; FRAME_HEADER_BYTES + header.page_bytes as usize];
    let (mut sum, mut pending, mut read) = (header.sum, Vec::new(), 0);
    while fill(&mut wal, &mut frame)? {
        let found = Frame::parse(&frame);
        sum = header.order.sum(sum, &frame[..8]);
        sum = header.order.sum(sum, &frame[FRAME_HEADER_BYTES..]);
        if found.salt != header.salt || found.sum != sum || found.page == 0 {
            break;
        }
        pending.push((found.page, HEADER_BYTES as u64 + read * frame.len() as u64 + FRAME_HEADER_BYTES as u64));
        read += 1;
        if found.database_pages > 0 {
            scan.pages.extend(pending.drain(..));
            (scan.committed, scan.database_pages) = (read, found.database_pages);
        }
    }
    Ok(scan)
}

impl WalScan {
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
    salt: (u32, u32),
    sum: Sum,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let magic = word(bytes, 0);
        let order = if magic & 1 == 0 { Order::Little } else { Order::Big };
        let page_bytes = word(bytes, 8);
        let sum = (word(bytes, 24), word(bytes, 28));
        let is_one = magic & !1 == MAGIC
            && PAGE_BYTES.contains(&page_bytes)
            && page_bytes.is_power_of_two()
            && order.sum((0, 0), &bytes[..24]) == sum;
        is_one.then(|| Self { order, page_bytes, salt: (word(bytes, 16), word(bytes, 20)), sum })
    }
}

struct Frame {
    page: u32,
    /// 0 in all but the last frame of a commit.
    database_pages: u32,
    salt: (u32, u32),
    sum: Sum,
}

impl Frame {
    fn parse(bytes: &[u8]) -> Self {
        Self {
            page: word(bytes, 0),
            database_pages: word(bytes, 4),
            salt: (word(bytes, 8), word(bytes, 12)),
            sum: (word(bytes, 16), word(bytes, 20)),
        }
    }
}

#[cfg(test)]
mod tests;
