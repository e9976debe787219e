//! The checksum chain of the eventlog: pure, and fixed for ever by a golden test.

use crate::{
    event::{ClientId, EventId, EventNumber, SessionId},
    id::StoreId,
    seeded,
};

/// Bytes of a checksum.
pub(crate) const CHECKSUM_BYTES: usize = 16;

/// The checksum of one row, which goes into that of the next.
pub(crate) type Checksum = [u8; CHECKSUM_BYTES];

/// What the first row is chained to.
pub(crate) const ORIGIN: Checksum = [0; CHECKSUM_BYTES];

/// Binds rows to one store in one file: a row copied from another file does not check.
#[derive(Clone)]
pub(crate) struct ChainKey([u8; 32]);

/// What stands in the checksum for client and session.
pub(crate) type AuthorDigest = [u8; 16];

/// One row, all that its checksum covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) number: EventNumber,
    pub(crate) ordinal: u64,
    pub(crate) name: &'a str,
    pub(crate) args: Option<&'a str>,
    pub(crate) author: &'a AuthorDigest,
    pub(crate) id: Option<EventId>,
}

impl ChainKey {
    /// The key of a store's file.
    pub(crate) fn new(file_id: &[u8; 16], definition: &str, store: &StoreId) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("larder eventlog chain 1");
        hasher.update(file_id);
        for text in [definition, store.as_str()] {
            hasher.update(&length(text));
            hasher.update(text.as_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The checksum of something else in the file, which begins with a name of its own.
    pub(crate) fn keyed(&self, parts: &[&[u8]]) -> Checksum {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        parts.iter().for_each(|part| {
            hasher.update(part);
        });
        first_bytes(hasher.finalize().as_bytes())
    }

    /// The checksum of a row after the row with checksum `before`. `scratch` is working space, kept by the caller.
    pub(crate) fn checksum(&self, before: &Checksum, link: &Link<'_>, scratch: &mut Vec<u8>) -> Checksum {
        scratch.clear();
        scratch.extend_from_slice(if seeded::bug("checksum-unchained") { &ORIGIN } else { before });
        scratch.extend_from_slice(&link.number.global().to_le_bytes());
        scratch.extend_from_slice(&link.number.client().to_le_bytes());
        scratch.extend_from_slice(&link.number.generation().to_le_bytes());
        scratch.extend_from_slice(&link.ordinal.to_le_bytes());
        scratch.extend_from_slice(link.author);
        scratch.push(u8::from(link.id.is_some()));
        scratch.extend_from_slice(&link.id.map_or(0, |id| id.0).to_le_bytes());
        scratch.extend_from_slice(&length(link.name));
        scratch.extend_from_slice(link.name.as_bytes());
        scratch.push(u8::from(link.args.is_some()));
        scratch.extend_from_slice(link.args.unwrap_or_default().as_bytes());
        first_bytes(blake3::keyed_hash(&self.0, scratch).as_bytes())
    }
}

/// What stands for client and session in every row of theirs.
pub(crate) fn author_digest(client: &ClientId, session: &SessionId) -> AuthorDigest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&length(client.as_str()));
    hasher.update(client.as_str().as_bytes());
    hasher.update(session.as_str().as_bytes());
    first_bytes(hasher.finalize().as_bytes())
}

fn first_bytes(hash: &[u8; 32]) -> [u8; 16] {
    hash.first_chunk().copied().unwrap_or_default()
}

fn length(text: &str) -> [u8; 8] {
    (text.len() as u64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(file: u8, store: &str) -> ChainKey {
        ChainKey::new(&[file; 16], "workspace", &store.parse().unwrap())
    }

    fn sum(key: &ChainKey, before: &Checksum, change: impl FnOnce(&mut Link<'_>)) -> String {
        let author = author_digest(&"client".into(), &"session".into());
        let mut link = Link {
            number: EventNumber::client_only(5, 1).with_generation(2),
            ordinal: 7,
            name: "v1.IssueOpened",
            args: Some("{\"number\":1}"),
            author: &author,
            id: Some(EventId(9)),
        };
        change(&mut link);
        key.checksum(before, &link, &mut Vec::new()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn checksums_never_change() {
        assert_eq!(sum(&key(1, "ws:1"), &ORIGIN, |_| {}), "3d34cc862aff2aaf7e0d256e89ef6617");
    }

    #[test]
    fn every_field_the_row_before_the_file_and_the_store_count() {
        let all = [
            sum(&key(1, "ws:1"), &ORIGIN, |_| {}),
            sum(&key(2, "ws:1"), &ORIGIN, |_| {}),
            sum(&key(1, "ws:2"), &ORIGIN, |_| {}),
            sum(&key(1, "ws:1"), &[1; 16], |_| {}),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.number = EventNumber::client_only(6, 1).with_generation(2)),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.number = EventNumber::client_only(5, 2).with_generation(2)),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.number = EventNumber::client_only(5, 1)),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.ordinal = 8),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.name = "v1.IssueClosed"),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.args = Some("{}")),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.args = Some("")),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.args = None),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.author = &[7; 16]),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.id = Some(EventId(0))),
            sum(&key(1, "ws:1"), &ORIGIN, |link| link.id = None),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
