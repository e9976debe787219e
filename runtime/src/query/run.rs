//! Running a statement and making rows of what it yields.

use super::{
    EachRow, Origin, Params, Reads, Row, RowRef, Statement, names::Names, predicate::Condition, render::Rendered,
    spec::Expr,
};
use crate::{
    error::QueryErrorKind,
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

    pub(super) fn condition(&mut self, condition: &Condition, names: Names<'_>, place: usize) {
        self.0.condition(condition, names, place);
    }

    pub(super) fn from(&mut self, names: Names<'_>) {
        names.push_from(&mut self.0.sql);
    }

    pub(super) fn expr(&mut self, names: Names<'_>, expr: Expr) {
        self.0.expr(names, expr);
    }

    pub(crate) fn sql(&self) -> &str {
        &self.0.sql
    }

    pub(crate) fn params(&self) -> Vec<ValueRef<'_>> {
        self.0.params.iter().map(Value::as_ref).collect()
    }

    pub(super) fn run(
        &self,
        on: &mut dyn Reads,
        row: &'static str,
        each: &mut EachRow<'_>,
    ) -> Result<(), QueryErrorKind> {
        let params = self.params();
        on.rows(&built(&self.0.sql, &params, row), each)
    }
}

/// A statement of the builder: it lists the columns of `row` in order.
pub(super) fn built<'a>(sql: &'a str, params: &'a [ValueRef<'a>], row: &'static str) -> Statement<'a> {
    Statement { sql, params: Params::Ordered(params), origin: Origin::Builder, row, columns: &[] }
}

/// Makes something of a row.
pub(super) type Decode<R> = fn(&RowRef<'_>) -> Result<R, QueryErrorKind>;

/// How the rows of a result are read, and what they are called in messages.
pub(super) struct Rows<R> {
    pub(super) name: &'static str,
    pub(super) decode: Decode<R>,
}

impl<R: Row> Rows<R> {
    pub(super) const OF: Self = Self { name: R::NAME, decode: R::decode };
}

/// Every row.
pub(super) fn all<R>(on: &mut dyn Reads, text: &Text, rows: Rows<R>) -> Result<Vec<R>, QueryErrorKind> {
    collect_all(|each| text.run(on, rows.name, each), rows.decode)
}

/// The first row, if there is one.
pub(super) fn first<R>(on: &mut dyn Reads, text: &Text, rows: Rows<R>) -> Result<Option<R>, QueryErrorKind> {
    collect_first(|each| text.run(on, rows.name, each), rows.decode)
}

/// The only row.
pub(super) fn one<R>(on: &mut dyn Reads, text: &Text, rows: Rows<R>) -> Result<R, QueryErrorKind> {
    let name = rows.name;
    collect_one(|each| text.run(on, name, each), rows)
}

pub(super) fn collect_all<R>(
    run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>,
    decode: Decode<R>,
) -> Result<Vec<R>, QueryErrorKind> {
    let mut rows = Vec::new();
    run(&mut |row: &RowRef<'_>| {
        rows.push(decode(row)?);
        Ok(true)
    })?;
    Ok(rows)
}

pub(super) fn collect_first<R>(
    run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>,
    decode: Decode<R>,
) -> Result<Option<R>, QueryErrorKind> {
    let mut first = None;
    run(&mut |row: &RowRef<'_>| {
        first = Some(decode(row)?);
        Ok(false)
    })?;
    Ok(first)
}

pub(super) fn collect_one<R>(
    run: impl FnOnce(&mut EachRow<'_>) -> Result<(), QueryErrorKind>,
    Rows { name, decode }: Rows<R>,
) -> Result<R, QueryErrorKind> {
    let (mut first, mut more) = (None, false);
    run(&mut |row: &RowRef<'_>| {
        more = first.is_some();
        if !more {
            first = Some(decode(row)?);
        }
        Ok(!more)
    })?;
    match first {
        Some(row) if !more => Ok(row),
        Some(_) => Err(QueryErrorKind::NotOne { row: name, found: "more than one row" }),
        None => Err(QueryErrorKind::NotOne { row: name, found: "no row" }),
    }
}
