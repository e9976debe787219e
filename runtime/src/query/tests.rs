//! Whatever the builder builds is valid SQL and means the same as in Rust.

use proptest::prelude::*;

use super::{Query, Reads};
use crate::{
    Durability, Predicate, Table,
    storage::sqlite::{Access, Connection, Place},
    value::{Encoded, Value},
};

mod agree;
mod limits;
mod literals;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "select", index(name, score), crate = crate)]
pub(super) struct Item {
    #[table(primary_key)]
    id: i64,
    #[table(name = "order")]
    name: String,
    score: Option<f64>,
    parent: Option<i64>,
    data: Vec<u8>,
    nick: Option<String>,
}

/// An empty database with the table, and these rows in it.
pub(super) fn database(rows: &[Item]) -> Connection {
    let access = Access::Writer { create: true, durability: Durability::Process };
    let mut connection = Connection::open(&Place::Memory, access).expect("opens");
    connection.batch(&Item::schema().ddl()).expect("makes the table");
    connection.batch("BEGIN").expect("begins");
    for row in rows {
        insert(&mut connection, row);
    }
    connection.batch("COMMIT").expect("commits");
    connection
}

fn insert<T: Table>(connection: &mut Connection, row: &T) {
    let mut values: Vec<Encoded<'_>> = Vec::new();
    row.encode(&mut values).expect("encodes");
    let schema = T::schema();
    connection.write_row(schema, &schema.statements().insert, values.iter().map(Encoded::as_ref)).expect("inserts");
}

pub(super) fn ask<Q: Query>(connection: &mut Connection, query: &Q) -> Q::Output {
    query.__run(connection as &mut dyn Reads).expect("it is valid SQL")
}

pub(super) fn item(id: i64) -> Item {
    Item { id, name: format!("n{id}"), score: None, parent: None, data: Vec::new(), nick: None }
}

fn ids(rows: &[Item]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

pub(super) fn found(connection: &mut Connection, predicate: Predicate<Item>) -> Vec<i64> {
    ids(&ask(connection, &Item::filter(predicate)))
}
