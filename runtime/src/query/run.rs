//! Running a statement and making rows of what it yields.

use super::{EachRow, Origin, Params, Reads, Row, RowRef, Statement, predicate::Condition, render::Rendered};
use crate::{
    error::QueryErrorKind,
    table::TableSchema,
    value::{Value, ValueRef},
};

/// A statement of the builder and its parameters.
#[derive(Debug)]
pub(crate) struct Text(Rendered);

/// Most statements are no longer than this, in bytes.
const USUAL_LENGTH: usize = 256;

impl Default for Text {
    fn default() -> Self {
        Self(Rendered { sql: String::with_capacity(USUAL_LENGTH), params: Vec::new() })
    }
}

impl Text {
    pub(crate) fn push(&mut self, sql: &str) {
        self.0.sql.push_str(sql);
    }

    pub(crate) fn value(&mut self, value: &Value) {
        self.0.value(value);
    }

    /// A parameter whose `?` is in the text already.
    pub(crate) fn param(&mut self, value: &Value) {
        self.0.params.push(value.clone());
    }

    pub(crate) fn condition(&mut self, condition: &Condition, table: &TableSchema) {
        self.0.condition(condition, table);
    }

    pub(crate) fn sql(&self) -> &str {
        &self.0.sql
    }

    pub(crate) fn params(&self) -> Vec<ValueRef<'_>> {
        self.0.params.iter().map(Value::as_ref).collect()
    }

    fn run<R: Row>(&self, on: &mut dyn Reads, each: &mut EachRow<'_>) -> Result<(), QueryErrorKind> {
        let params = self.params();
        on.rows(&built::<R>(&self.0.sql, &params), each)
    }
}

/// A statement of the builder: it lists the row's columns in order.
pub(super) fn built<'a, R: Row>(sql: &'a str, params: &'a [ValueRef<'a>]) -> Statement<'a> {
    Statement { sql, params: Params::Ordered(params), origin: Origin::Builder, row: R::NAME, columns: R::COLUMNS }
}

/// Every row.
pub(super) fn all<R: Row>(on: &mut dyn Reads, text: &Text) -> Result<Vec<R>, QueryErrorKind> {
    collect_all(|each| text.run::<R>(on, each))
}

/// The first row, if there is one.
pub(super) fn first<R: Row>(on: &mut dyn Reads, text: &Text) -> Result<Option<R>, QueryErrorKind> {
    collect_first(|each| text.run::<R>(on, each))
}

/// The only row.
pub(super) fn one<R: Row>(on: &mut dyn Reads, text: &Text) -> Result<R, QueryErrorKind> {
    collect_one(|each| text.run::<R>(on, each))
}

pub(super) fn collect_all<R: Row>(
    run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>,
) -> Result<Vec<R>, QueryErrorKind> {
    let mut rows = Vec::new();
    run(&mut |row: &RowRef<'_>| {
        rows.push(R::decode(row)?);
        Ok(true)
    })?;
    Ok(rows)
}

pub(super) fn collect_first<R: Row>(
    run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>,
) -> Result<Option<R>, QueryErrorKind> {
    let mut first = None;
    run(&mut |row: &RowRef<'_>| {
        first = Some(R::decode(row)?);
        Ok(false)
    })?;
    Ok(first)
}

pub(super) fn collect_one<R: Row>(
    run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>,
) -> Result<R, QueryErrorKind> {
    let (mut first, mut more) = (None, false);
    run(&mut |row: &RowRef<'_>| {
        more = first.is_some();
        if !more {
            first = Some(R::decode(row)?);
        }
        Ok(!more)
    })?;
    match first {
        Some(row) if !more => Ok(row),
        Some(_) => Err(QueryErrorKind::NotOne { row: R::NAME, found: "more than one row" }),
        None => Err(QueryErrorKind::NotOne { row: R::NAME, found: "no row" }),
    }
}
