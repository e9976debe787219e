//! What generated code names. Not part of the public API.

pub use crate::{
    adapter::{Adapter, SqliteAdapter},
    definition::{
        BoxFuture, DefinedOn, Projected, ProjectionDefinition, Singleton, SingletonDefinition, StoreDefinition,
        assert_projected, hook_done,
    },
    document::{Document, HasDocument},
    error::{BoxError, QueryErrorKind},
    event::{
        Event, EventDecodeError, EventEncodeError, EventField, EventInfo, Fields, decode_fields, decode_newtype,
        decode_struct, decode_unit, encode_payload, upcast,
    },
    id::{KeyPart, KeyPattern, KeySegment, StoreId, StoreIdError, StoreKey, key_field, same_id},
    materialize::{TableOf, Which},
    options::StoreOptions,
    projection::begin_projection,
    query::{
        ByKey, Description, EachRow, ExactlyOne, Fits, FitsSchema, Itself, Origin, Params, Predicate, Query, Reads,
        ResultColumn, Row, RowRef, RowShape, RowStruct, Select, SqlQuery, SqlShape, Statement, TableReads,
        assert_count, assert_parameter, assert_result, assert_row,
    },
    registry::LoadContext,
    schema::{HasTable, Materializer, StoreSchema},
    store::Store,
    table::{
        Column, ColumnSchema, DefaultKind, IndexSchema, IntoKey, ReferenceAction, ReferenceSchema, Table, TableIn,
        TableSchema, TableStatements, assert_default, assert_key_column, assert_new_table, assert_nullable,
        assert_reference,
    },
    value::{
        ColumnType, ColumnValue, Encoded, IntoValue, NotNull, Storage, Value, ValueError, ValueRef, assert_newtype,
        bind, not_a_variant, text,
    },
};
pub use larder_macros::{collect_tables, define_queries};
pub use serde;
