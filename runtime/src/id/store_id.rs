//! The text of a store id and what it may hold.

use std::{fmt, str::FromStr, sync::Arc};

/// Longest store id, in bytes.
const MAX_BYTES: usize = 120;

/// Which data: 1 to 120 bytes of `[A-Za-z0-9._:~-]`, the first one alphanumeric, without `..`.
///
/// ```
/// use larder::StoreId;
/// let id: StoreId = "issue:123".parse()?;
/// let safe = StoreId::from_parts(["user", "a:b@example.org"])?;
/// assert_eq!(safe.as_str(), "user:a~3Ab~40example.org");
/// assert!("../etc/passwd".parse::<StoreId>().is_err());
/// # Ok::<(), larder::StoreIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(Arc<str>);

impl StoreId {
    /// Joins parts with `:`. Inside a part `[A-Za-z0-9_-]` and a `.` not after `.` stand, all else is escaped: different parts never make the same id.
    ///
    /// # Errors
    /// No parts, an empty part, or a result over 120 bytes.
    pub fn from_parts<P: AsRef<str>>(parts: impl IntoIterator<Item = P>) -> Result<Self, StoreIdError> {
        let mut text = String::new();
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                text.push(':');
            }
            super::escape::escape_into(&mut text, part.as_ref())?;
        }
        text.parse()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StoreId {
    type Err = StoreIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text)?;
        Ok(Self(text.into()))
    }
}

fn check(text: &str) -> Result<(), StoreIdError> {
    let shown = || text.chars().take(MAX_BYTES).collect::<String>();
    let Some(first) = text.chars().next() else { return Err(StoreIdError::Empty) };
    if text.len() > MAX_BYTES {
        return Err(StoreIdError::TooLong { id: shown(), bytes: text.len() });
    }
    let allowed = |found: char| found.is_ascii_alphanumeric() || matches!(found, '.' | '_' | ':' | '~' | '-');
    if let Some(found) = text.chars().find(|found| !allowed(*found)) {
        return Err(StoreIdError::Character { id: shown(), found });
    }
    if !first.is_ascii_alphanumeric() {
        return Err(StoreIdError::Start { id: shown(), found: first });
    }
    if text.contains("..") {
        return Err(StoreIdError::Dots { id: shown() });
    }
    Ok(())
}

/// Whether a text is an id on the wire: a store id, or one of TypeScript's, whose `[A-Za-z0-9_-]+` begin with any of these.
///
/// # Errors
/// What is wrong with it as a store id.
pub(crate) fn check_sync_id(text: &str) -> Result<(), StoreIdError> {
    match check(text) {
        Err(StoreIdError::Start { .. }) if !text.contains(['.', ':', '~']) => Ok(()),
        checked => checked,
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoreId({})", self.0)
    }
}

impl AsRef<str> for StoreId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A text that is not a store id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreIdError {
    /// No text.
    #[error("a store id is empty; write something like `issue:123`")]
    Empty,
    /// Over 120 bytes.
    #[error("store id `{}…` has {bytes} bytes, at most 120 are allowed; use a shorter key or a hash of it", id.escape_debug())]
    TooLong {
        /// The start of the id.
        id: String,
        /// Its length.
        bytes: usize,
    },
    /// A character that is not allowed.
    #[error("store id `{}` holds {found:?}; allowed are letters, digits and `._:~-`, and `StoreId::from_parts` escapes the rest", id.escape_debug())]
    Character {
        /// The id.
        id: String,
        /// The character.
        found: char,
    },
    /// The first character is not a letter or digit.
    #[error(
        "store id `{id}` begins with {found:?}; begin with a letter or digit, best a word for the kind, as in `issue:123`"
    )]
    Start {
        /// The id.
        id: String,
        /// The character.
        found: char,
    },
    /// Two dots in a row.
    #[error("store id `{id}` holds `..`; write one dot, or let `StoreId::from_parts` escape it")]
    Dots {
        /// The id.
        id: String,
    },
    /// A part is empty.
    #[error("a part of store id `{before}…` is empty; every part needs at least one character")]
    EmptyPart {
        /// The id up to that part.
        before: String,
    },
    /// The id does not fit the key's pattern.
    #[error("store id `{id}` does not fit the pattern `{pattern}`; make ids of this kind from their key")]
    Pattern {
        /// The id.
        id: String,
        /// The pattern of `#[derive(StoreKey)]`.
        pattern: &'static str,
    },
    /// A singleton definition has no key.
    #[error("store id `{id}` is that of a singleton store; use `get_singleton`")]
    Singleton {
        /// The id.
        id: String,
    },
}
