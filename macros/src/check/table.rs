//! Tables and rows.

use std::collections::HashMap;

use proc_macro2::Span;

use crate::{
    errors::Errors,
    message,
    model::{Column, FieldList, RowStruct, Table},
    sql::TableShape,
};

/// Checks a table.
pub(crate) fn table(table: &Table, errors: &mut Errors) {
    check_table_name(&table.name, table.name_span, errors);
    columns(&table.columns, errors);
    constants(&table.columns, errors);
    primary_key(table, errors);
    field_lists(table, "unique", &table.unique, errors);
    field_lists(table, "index", &table.indexes, errors);
    index_names(table, errors);
}

/// Checks the name of what is stored as a table.
pub(super) fn check_table_name(name: &str, span: Span, errors: &mut Errors) {
    sql_name("table", name, span, errors);
    reserved_name("table", name, span, errors);
}

/// Checks a row.
pub(crate) fn row(row: &RowStruct, errors: &mut Errors) {
    let mut seen: HashMap<String, &Column> = HashMap::new();
    for column in &row.columns {
        if let Some(first) = seen.insert(column.name.to_ascii_lowercase(), column) {
            errors.span(column.name_span, message::same_column(&column.name, &first.ident));
        }
    }
}

fn columns(columns: &[Column], errors: &mut Errors) {
    let mut seen: HashMap<String, &Column> = HashMap::new();
    for column in columns {
        sql_name("column", &column.name, column.name_span, errors);
        reserved_name("column", &column.name, column.name_span, errors);
        if let Some(first) = seen.insert(column.name.to_ascii_lowercase(), column) {
            errors.span(column.name_span, message::same_column(&column.name, &first.ident));
        }
    }
}

fn constants(columns: &[Column], errors: &mut Errors) {
    let mut seen: HashMap<String, &Column> = HashMap::new();
    for column in columns {
        if let Some(first) = seen.insert(column.constant.to_string(), column) {
            errors.at(&column.ident, message::same_constant(&column.constant, &first.ident));
        }
    }
}

fn primary_key(table: &Table, errors: &mut Errors) {
    match table.primary_key().count() {
        0 if !table.understood => {}
        0 => errors.at(&table.ident, message::no_primary_key(&table.ident)),
        1..=4 => {}
        columns => errors.at(&table.ident, message::long_primary_key(&table.ident, columns)),
    }
}

fn field_lists(table: &Table, kind: &str, lists: &[FieldList], errors: &mut Errors) {
    let key: Vec<usize> = table.primary_key().map(|(at, _)| at).collect();
    let mut seen: Vec<Vec<usize>> = Vec::new();
    for fields in lists {
        for (at, field) in fields.iter().enumerate() {
            if !table.columns.iter().any(|column| column.ident == *field) {
                let known: Vec<String> = table.columns.iter().map(|column| column.ident.to_string()).collect();
                errors.at(
                    field,
                    message::unknown_field(&field.to_string(), &table.ident, known.iter().map(String::as_str)),
                );
            } else if fields[..at].contains(field) {
                errors.at(field, message::repeated_field(field));
            }
        }
        let positions = table.positions(fields);
        if positions.len() != fields.len() {
            continue;
        }
        if seen.contains(&positions) {
            errors.at(&fields[0], message::same_index(kind));
        } else if kind == "unique" && positions == key {
            errors.at(&fields[0], message::unique_is_key());
        }
        seen.push(positions);
    }
}

/// Each index has a name of its own: those of columns, joined by `_`, may read like others.
fn index_names(table: &Table, errors: &mut Errors) {
    let mut seen: Vec<(String, Vec<usize>)> = Vec::new();
    for (fields, name) in table.indexes.iter().zip(TableShape::of(table).index_names()) {
        let positions = table.positions(fields);
        if positions.len() != fields.len() {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        let another = seen.iter().any(|(seen, columns)| *seen == lower && *columns != positions);
        if another {
            errors.at(&fields[0], message::same_index_name(&name));
        }
        seen.push((lower, positions));
    }
}

fn sql_name(kind: &str, name: &str, span: Span, errors: &mut Errors) {
    let mut characters = name.chars();
    let starts = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let goes_on = characters.all(|found| found.is_ascii_alphanumeric() || found == '_');
    if !starts || !goes_on || name.len() > 64 {
        errors.span(span, message::bad_sql_name(kind, name));
    }
}

fn reserved_name(kind: &str, name: &str, span: Span, errors: &mut Errors) {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("larder_") || lower.starts_with("sqlite_") {
        errors.span(span, message::reserved_name(kind, name));
    }
}
