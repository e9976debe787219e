//! The ids that stores have on the wire.

use std::{fmt, sync::Arc};

/// A store's id on the wire: 1 to 120 bytes of `[A-Za-z0-9._:~-]` without `..`, the first one alphanumeric; or, as TypeScript clients have them,
/// 1 to 120 bytes of `[a-zA-Z0-9_-]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(Arc<str>);

impl StoreId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 120;

    /// The id that a text is.
    ///
    /// # Errors
    /// [`StoreIdError`], which says what is wrong and what is allowed.
    pub fn new(text: &str) -> Result<Self, StoreIdError> {
        if text.is_empty() {
            return Err(StoreIdError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(StoreIdError::TooLong { bytes: text.len() });
        }
        if let Some(at) = text.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte))) {
            return Err(StoreIdError::Byte { at });
        }
        let of_typescript = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !of_typescript && !text.as_bytes()[0].is_ascii_alphanumeric() {
            return Err(StoreIdError::First);
        }
        if text.contains("..") {
            return Err(StoreIdError::TwoDots);
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({})", self.0)
    }
}

/// Why a text is no store id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreIdError {
    /// It is empty.
    #[error("the store id is empty; give 1 to 120 bytes of `[A-Za-z0-9._:~-]`")]
    Empty,
    /// It is too long.
    #[error("the store id has {bytes} bytes, at most 120 are allowed; use a shorter one")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has a byte that no id has.
    #[error(
        "the store id has a byte at {at} that is not of `[A-Za-z0-9._:~-]`; escape it, as `StoreId::from_parts` does"
    )]
    Byte {
        /// Where it stands.
        at: usize,
    },
    /// It does not begin with a letter or digit, and is none of TypeScript's either.
    #[error("the store id does not begin with a letter or digit; put one in front")]
    First,
    /// It has two dots in a row.
    #[error("the store id has `..` in it; leave one dot out")]
    TwoDots,
}
