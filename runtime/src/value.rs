//! Column values: what a Rust type is inside SQLite, and back.

use std::borrow::Cow;

use crate::error::{one_line, shown};

mod derived;
mod impls;
mod into;
mod json;
mod source;

#[doc(hidden)]
pub use derived::{assert_newtype, bind, not_a_variant, text};
pub use into::IntoValue;
pub use json::Json;
pub use source::SourceId;

/// An owned SQLite value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// A signed 64-bit integer.
    Integer(i64),
    /// A 64-bit float; never NaN.
    Real(f64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// The same value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value),
            Self::Blob(value) => ValueRef::Blob(value),
        }
    }
}

/// A borrowed SQLite value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// SQL `NULL`.
    Null,
    /// A signed 64-bit integer.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl ValueRef<'_> {
    /// The same value, owned.
    pub fn to_owned(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(value) => Value::Integer(value),
            Self::Real(value) => Value::Real(value),
            Self::Text(value) => Value::Text(value.to_owned()),
            Self::Blob(value) => Value::Blob(value.to_owned()),
        }
    }

    /// Writes a byte for the kind (0 to 4: null, integer, float, text, bytes), the length in 8 bytes, and the value: numbers in 8 bytes, all
    /// of them little-endian. What hashes of tables and change records are made of; pinned by golden tests.
    pub(crate) fn write_canonical(self, write: &mut impl FnMut(&[u8])) {
        let mut tagged = |kind: u8, bytes: &[u8]| {
            write(&[kind]);
            write(&(bytes.len() as u64).to_le_bytes());
            write(bytes);
        };
        match self {
            ValueRef::Null => tagged(0, &[]),
            ValueRef::Integer(number) => tagged(1, &number.to_le_bytes()),
            ValueRef::Real(number) => tagged(2, &number.to_bits().to_le_bytes()),
            ValueRef::Text(text) => tagged(3, text.as_bytes()),
            ValueRef::Blob(bytes) => tagged(4, bytes),
        }
    }

    /// Reads what [`write_canonical`](Self::write_canonical) has written, and goes on behind it; `None` when that is something else.
    pub(crate) fn read_canonical<'a>(bytes: &mut &'a [u8]) -> Option<ValueRef<'a>> {
        let (kind, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        *bytes = rest;
        Some(match kind {
            0 if value.is_empty() => ValueRef::Null,
            1 => ValueRef::Integer(i64::from_le_bytes(value.try_into().ok()?)),
            2 => ValueRef::Real(f64::from_bits(u64::from_le_bytes(value.try_into().ok()?))),
            3 => ValueRef::Text(std::str::from_utf8(value).ok()?),
            4 => ValueRef::Blob(value),
            _ => return None,
        })
    }

    /// The name of the storage class, for messages.
    pub fn storage_name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Integer(_) => "INTEGER",
            Self::Real(_) => "REAL",
            Self::Text(_) => "TEXT",
            Self::Blob(_) => "BLOB",
        }
    }
}

/// An encoded value: borrowed from the row where that is possible, so that an insert copies nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoded<'a> {
    /// `NULL`.
    Null,
    /// An integer.
    Integer(i64),
    /// A float.
    Real(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(Cow<'a, [u8]>),
}

impl Encoded<'_> {
    /// The value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value),
            Self::Blob(value) => ValueRef::Blob(value),
        }
    }

    /// The value, owned.
    pub fn into_owned(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(value) => Value::Integer(value),
            Self::Real(value) => Value::Real(value),
            Self::Text(value) => Value::Text(value.into_owned()),
            Self::Blob(value) => Value::Blob(value.into_owned()),
        }
    }
}

/// How SQLite stores a column: the type in its `STRICT` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// `INTEGER`
    Integer,
    /// `REAL`
    Real,
    /// `TEXT`
    Text,
    /// `BLOB`
    Blob,
}

impl Storage {
    /// The SQL type name.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
            Self::Blob => "BLOB",
        }
    }
}

/// The whole description of a column's type: what the table's DDL and the schema fingerprint are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnType {
    /// Storage class.
    pub storage: Storage,
    /// Whether `NULL` is allowed: true for `Option<_>` only.
    pub nullable: bool,
    /// The encoding's name in the fingerprint, such as `i64`, `bool`, `timestamp`, `uuid`, `json`, `enum`.
    pub encoding: &'static str,
    /// The stored names of a unit enum's variants; empty for every other type.
    pub variants: &'static [&'static str],
}

impl ColumnType {
    /// A type that is not nullable and no enum.
    pub const fn new(storage: Storage, encoding: &'static str) -> Self {
        Self { storage, nullable: false, encoding, variants: &[] }
    }

    /// A unit enum, stored as the names of its variants.
    pub const fn unit_enum(variants: &'static [&'static str]) -> Self {
        Self { storage: Storage::Text, nullable: false, encoding: "enum", variants }
    }

    /// The same type, nullable.
    pub const fn optional(self) -> Self {
        Self { nullable: true, ..self }
    }
}

/// A type that can stand in a table's column.
///
/// Implemented for the integers up to 64 bits but `u64`, floats, `bool`, `String`, `Vec<u8>`, [`Timestamp`](crate::Timestamp),
/// [`Uuid`](crate::Uuid), [`Json<T>`], and `Option` of each. Derive it for a unit enum (stored as the variant's name) or for a newtype.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a column of a table",
    label = "not a column type",
    note = "columns are integers up to `i64`, `f32`, `f64`, `bool`, `String`, `Vec<u8>`, `Timestamp`, `Uuid`, `Json<_>`, `Option` of these, and types with `#[derive(ColumnValue)]`",
    note = "instead of `u64` or `usize` use `i64`; instead of a struct use `Json<_>`"
)]
pub trait ColumnValue: Sized + Send + Sync + 'static {
    /// What the column is in SQLite.
    const TYPE: ColumnType;

    /// The value to store.
    ///
    /// # Errors
    /// When the value has no stored form: NaN, a [`Timestamp`](crate::Timestamp) finer than a microsecond, JSON that does not serialize.
    fn encode(&self) -> Result<Encoded<'_>, ValueError>;

    /// The value that was stored.
    ///
    /// # Errors
    /// When `value` is not what [`encode`](Self::encode) makes.
    fn decode(value: ValueRef<'_>) -> Result<Self, ValueError>;
}

/// A [`ColumnValue`] that is never `NULL`: what may stand inside `Option<_>`.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` cannot be a column of a table",
    note = "one `Option` around a column type is enough"
)]
pub trait NotNull: ColumnValue {}

/// Why a value could not be stored or read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// A float that is not a number has no place in SQLite.
    #[error("a float is NaN, which SQLite cannot store; use `Option<f64>` for a missing number")]
    NotANumber,
    /// A timestamp has digits below a microsecond.
    #[error(
        "timestamp {0} is finer than a microsecond; take it from `store.now()`, or round it before it goes into a column"
    )]
    TooFine(String),
    /// The stored value is of another storage class.
    #[error("expected {expected}, found {found}")]
    Type {
        /// The encoding that was expected.
        expected: &'static str,
        /// The storage class that was found.
        found: &'static str,
    },
    /// The stored number does not fit the Rust type.
    #[error("number {value} does not fit `{expected}`")]
    OutOfRange {
        /// The Rust type.
        expected: &'static str,
        /// The number.
        value: String,
    },
    /// The stored text or bytes are not a value of the type.
    #[error("`{}` is not a value of `{expected}`: {}", shown(text), one_line(reason))]
    Invalid {
        /// The Rust type or encoding.
        expected: &'static str,
        /// The start of the stored text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A row has fewer columns than its type.
    #[error("the row has no column {0}")]
    MissingColumn(String),
}
