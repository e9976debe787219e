//! SQL of an app, asked of the union of many stores.

use super::{Part, Text};
use crate::{
    error::QueryErrorKind,
    query::TableReads,
    schema::StoreSchema,
    table::{TableSchema, quote},
};

/// What the SQL reads of one store. It may read one table: where there are two, rows of different stores would meet.
pub(super) fn part<S: StoreSchema>(sql: &'static str, reads: &'static [TableReads]) -> Result<Part, QueryErrorKind> {
    let tables = S::tables();
    let find = |reads: &TableReads| tables.iter().find(|table| table.name.eq_ignore_ascii_case(reads.table)).copied();
    let mut read: Vec<(&'static TableSchema, Vec<&str>)> = Vec::new();
    for (table, reads) in reads.iter().filter_map(|reads| Some((find(reads)?, reads))) {
        match read.iter_mut().find(|(other, _)| other.name == table.name) {
            Some((_, columns)) => columns.extend(reads.columns),
            None => read.push((table, reads.columns.to_vec())),
        }
    }
    match read.as_slice() {
        [] => Ok(Part { ddl: String::new(), insert: String::new(), delete: String::new(), text: None }),
        [(table, columns)] => Ok(of_table(table, columns)),
        _ => Err(QueryErrorKind::SeveralTables { sql: sql.to_owned() }),
    }
}

/// A table of the same name and columns, without keys: stores may have the same ones. What the SQL does not read stays `NULL`.
fn of_table(table: &TableSchema, columns: &[&str]) -> Part {
    let is_read = |name: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    let name = quote(table.name);
    let typed: Vec<String> =
        table.columns.iter().map(|column| format!("{} {}", quote(column.name), column.ty.storage.sql())).collect();
    let read: Vec<String> =
        table.columns.iter().filter(|column| is_read(column.name)).map(|column| quote(column.name)).collect();
    let mut text = Text::default();
    let listed = if read.is_empty() { "1".to_owned() } else { read.join(", ") };
    text.push(&format!("SELECT {listed} FROM {name}"));
    // Where only the rows count, a `1` is what a row is: it goes nowhere.
    let (into, places) = match read.len() {
        0 => ("larder_store, larder_row".to_owned(), 2),
        columns => (format!("larder_store, {}", read.join(", ")), columns + 1),
    };
    Part {
        ddl: format!(
            "CREATE TABLE {name} ({}, larder_store INTEGER, larder_row INTEGER) STRICT; CREATE INDEX larder_index ON {name} (larder_store)",
            typed.join(", ")
        ),
        insert: format!("INSERT INTO {name} ({into}) VALUES ({})", vec!["?"; places].join(", ")),
        delete: format!("DELETE FROM {name} WHERE larder_store = ?"),
        text: Some(text),
    }
}
