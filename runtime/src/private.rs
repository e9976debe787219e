//! What generated code names. Not part of the public API.

pub use crate::{
    definition::{BoxFuture, SingletonDefinition, StoreDefinition},
    error::{BoxError, QueryError},
    event::{
        Event, EventDecodeError, EventEncodeError, EventInfo, decode_newtype, decode_struct, decode_unit,
        encode_payload, upcast,
    },
    id::{KeyPart, KeyPattern, KeySegment, StoreId, StoreIdError, StoreKey},
    query::{EachRow, Fits, Origin, Params, Query, Reads, Row, RowRef, SqlQuery, SqlShape, Statement},
    schema::{HasTable, Materializer, StoreSchema},
    table::{Column, ColumnSchema, IndexSchema, ReferenceAction, ReferenceSchema, Table, TableSchema},
    value::{ColumnType, ColumnValue, Encoded, IntoValue, NotNull, Value, ValueError, ValueRef},
};
pub use serde;
