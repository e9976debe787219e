//! The fingerprint of a schema.

/// 128 bits that differ when tables must be rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);
