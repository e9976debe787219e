//! What the macros know after parsing: plain data that `check` looks at and `expand` prints.

mod definition;
mod document;
mod event;
mod key;
mod schema;
mod table;
mod value;

pub(crate) use definition::{Definition, Identity, QueryFn, Shape};
pub(crate) use document::Document;
pub(crate) use event::{EventEnum, EventVariant, Payload, PayloadField, Upcaster};
pub(crate) use key::{KeyField, Segment, StoreKey};
pub(crate) use schema::Schema;
pub(crate) use table::{Column, DefaultLiteral, DefaultValue, FieldList, OnDelete, Reference, RowStruct, Table};
pub(crate) use value::{ColumnValue, ValueKind, ValueVariant};
