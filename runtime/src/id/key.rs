//! Typed ids: what `#[derive(StoreKey)]` implements, and what `get` takes.

use super::{StoreId, StoreIdError};
use crate::definition::{Projected, Singleton, SingletonDefinition};

/// A typed id of a store.
///
/// `StoreId` itself, or a type with `#[derive(StoreKey)]` and a pattern such as `"project:{project}:issue:{issue}"`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an id of stores",
    label = "expected `StoreId` or a type with `#[derive(StoreKey)]`"
)]
pub trait StoreKey: Sized + Send + Sync + 'static {
    /// The store id this key stands for.
    ///
    /// # Errors
    /// When a part is empty or the result is too long.
    fn store_id(&self) -> Result<StoreId, StoreIdError>;

    /// The key that makes this store id.
    ///
    /// # Errors
    /// When the id does not fit the pattern.
    fn from_store_id(id: &StoreId) -> Result<Self, StoreIdError>;
}

impl StoreKey for StoreId {
    fn store_id(&self) -> Result<StoreId, StoreIdError> {
        Ok(self.clone())
    }

    fn from_store_id(id: &StoreId) -> Result<Self, StoreIdError> {
        Ok(id.clone())
    }
}

impl StoreKey for Singleton {
    fn store_id(&self) -> Result<StoreId, StoreIdError> {
        match *self {}
    }

    fn from_store_id(id: &StoreId) -> Result<Self, StoreIdError> {
        Err(StoreIdError::Singleton { id: id.to_string() })
    }
}

impl StoreKey for Projected {
    fn store_id(&self) -> Result<StoreId, StoreIdError> {
        match *self {}
    }

    fn from_store_id(id: &StoreId) -> Result<Self, StoreIdError> {
        Err(StoreIdError::Singleton { id: id.to_string() })
    }
}

/// What opens a store of definition `D` with ids of type `K`: `&K`; for plain `StoreId`s also `&str`, `String`, `&String` and `StoreId`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an id of `{D}`",
    label = "`{D}` is opened with a `{K}`, or a reference to one",
    note = "a definition marked `singleton` has no ids to say: `get_singleton::<{D}>()`; nor has a projection: `projection::<{D}>()`"
)]
pub trait IntoStoreId<D, K> {
    /// The id.
    ///
    /// # Errors
    /// When the text is not a store id.
    fn into_store_id(self) -> Result<StoreId, StoreIdError>;
}

#[diagnostic::do_not_recommend]
impl<D, K: StoreKey> IntoStoreId<D, K> for &K {
    fn into_store_id(self) -> Result<StoreId, StoreIdError> {
        self.store_id()
    }
}

#[diagnostic::do_not_recommend]
impl<D> IntoStoreId<D, StoreId> for &str {
    fn into_store_id(self) -> Result<StoreId, StoreIdError> {
        self.parse()
    }
}

#[diagnostic::do_not_recommend]
impl<D> IntoStoreId<D, StoreId> for String {
    fn into_store_id(self) -> Result<StoreId, StoreIdError> {
        self.parse()
    }
}

#[diagnostic::do_not_recommend]
impl<D> IntoStoreId<D, StoreId> for &String {
    fn into_store_id(self) -> Result<StoreId, StoreIdError> {
        self.parse()
    }
}

#[diagnostic::do_not_recommend]
impl<D> IntoStoreId<D, StoreId> for StoreId {
    fn into_store_id(self) -> Result<StoreId, StoreIdError> {
        Ok(self)
    }
}

/// The id of the one store of a singleton definition, where a call takes an id: `registry.evict::<AppStore>(Only)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Only;

#[diagnostic::do_not_recommend]
impl<D: SingletonDefinition> IntoStoreId<D, Singleton> for Only {
    fn into_store_id(self) -> Result<StoreId, StoreIdError> {
        D::STORE_ID.parse()
    }
}

/// One piece of a key pattern; for generated code.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum KeySegment {
    /// Text that stands as it is.
    Literal(&'static str),
    /// A field, escaped.
    Field,
}

/// A parsed pattern; for generated code.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct KeyPattern {
    /// The pattern as the user wrote it, for messages.
    pub text: &'static str,
    /// Its pieces: literals and fields in turn.
    pub segments: &'static [KeySegment],
}

impl KeyPattern {
    /// Fills the fields with these texts, escaped.
    ///
    /// # Errors
    /// When a part is empty or the result is not a valid id.
    pub fn format(&self, parts: &[String]) -> Result<StoreId, StoreIdError> {
        let mut text = String::with_capacity(self.text.len() + 32);
        let mut parts = parts.iter();
        for segment in self.segments {
            match segment {
                KeySegment::Literal(literal) => text.push_str(literal),
                KeySegment::Field => super::escape::escape_into(&mut text, parts.next().map_or("", String::as_str))?,
            }
        }
        text.parse()
    }

    /// Takes an id apart and gives the fields' texts, unescaped.
    ///
    /// # Errors
    /// When the id does not fit.
    pub fn parse(&self, id: &StoreId) -> Result<Vec<String>, StoreIdError> {
        let mismatch = || self.mismatch(id);
        let mut rest = id.as_str();
        let mut parts = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            match segment {
                KeySegment::Literal(literal) => rest = rest.strip_prefix(literal).ok_or_else(mismatch)?,
                KeySegment::Field => {
                    let end = match self.segments.get(at + 1) {
                        Some(KeySegment::Literal(next)) => rest.find(next).ok_or_else(mismatch)?,
                        _ => rest.len(),
                    };
                    parts.push(super::escape::unescape(&rest[..end]).ok_or_else(mismatch)?);
                    rest = &rest[end..];
                }
            }
        }
        if rest.is_empty() { Ok(parts) } else { Err(mismatch()) }
    }

    #[cold]
    fn mismatch(&self, id: &StoreId) -> StoreIdError {
        StoreIdError::Pattern { id: id.to_string(), pattern: self.text }
    }

    /// Whether the id that a key makes is this one.
    fn same(&self, id: &StoreId, of_key: Result<StoreId, StoreIdError>) -> Result<(), StoreIdError> {
        if of_key? == *id { Ok(()) } else { Err(self.mismatch(id)) }
    }
}

/// The next field of a key, from the parts of its id; for generated code.
///
/// # Errors
/// When the part does not parse.
#[doc(hidden)]
pub fn key_field<T>(
    pattern: &KeyPattern,
    id: &StoreId,
    parts: &mut std::vec::IntoIter<String>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, StoreIdError> {
    let part = parts.next().unwrap_or_default();
    parse(&part).ok_or_else(|| pattern.mismatch(id))
}

/// The key, if it makes this very id: `issue:007` parses as 7, and 7 is `issue:7`. For generated code.
///
/// # Errors
/// When the key makes another id.
#[doc(hidden)]
pub fn same_id<K: StoreKey>(pattern: &KeyPattern, id: &StoreId, key: K) -> Result<K, StoreIdError> {
    pattern.same(id, key.store_id()).map(|()| key)
}

/// A field of a key: anything that prints and parses, such as `String`, integers, `Uuid`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a store key",
    label = "not a field type",
    note = "a field of a `StoreKey` implements `Display` and `FromStr`, such as `String`, `i64` or `Uuid`"
)]
pub trait KeyPart: Sized {
    /// The field's text.
    fn to_part(&self) -> String;
    /// The field from its text.
    fn from_part(text: &str) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: std::fmt::Display + std::str::FromStr> KeyPart for T {
    fn to_part(&self) -> String {
        self.to_string()
    }

    fn from_part(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
