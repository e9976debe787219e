//! Updates and deletes of named rows.

use std::marker::PhantomData;

use super::{
    MaterializeResult, RawTables, Target,
    target::{Rows, Which},
};
use crate::{
    error::MaterializeError,
    query::{MAX_KEY, Text, key_params},
    table::{Assignment, Column, ColumnSchema, Formula, NewValue, Operand, SetTo, Table, TableSchema},
    value::{ColumnValue, Storage, ValueError, ValueRef},
};

/// Rows to change, and what to. Nothing happens before [`run`](Self::run) or [`run_one`](Self::run_one).
#[must_use = "an update does nothing until `.run()` or `.run_one()`"]
pub struct Update<'t, 'a, T> {
    change: Change<'t, 'a>,
    assignments: Vec<Assignment>,
    table: PhantomData<fn() -> T>,
}

/// Rows to delete. Nothing happens before [`run`](Self::run) or [`run_one`](Self::run_one).
#[must_use = "a delete does nothing until `.run()` or `.run_one()`"]
pub struct Delete<'t, 'a, T> {
    change: Change<'t, 'a>,
    table: PhantomData<fn() -> T>,
}

struct Change<'t, 'a> {
    raw: &'t mut RawTables<'a>,
    table: &'static TableSchema,
    rows: Rows,
}

impl<'t, 'a, T: Table> Update<'t, 'a, T> {
    pub(super) fn new(raw: &'t mut RawTables<'a>, which: impl Target<Table = T>) -> Self {
        Self { change: Change::new::<T>(raw, which.__which()), assignments: Vec::new(), table: PhantomData }
    }

    /// This column becomes `value`: a value of its type, or a number that is computed of each row as it was. For a column set twice, the
    /// last value counts.
    ///
    /// ```
    /// # use larder::prelude::*;
    /// # #[derive(Table)]
    /// # struct Issue {
    /// #     #[table(primary_key)]
    /// #     number: i64,
    /// #     title: String,
    /// #     comments: i64,
    /// # }
    /// # fn commented<S: HasTable<Issue>>(tables: &mut Tables<'_, S>) -> MaterializeResult {
    /// tables.update(Issue::by_key(7)).set(Issue::TITLE, "Once more").set(Issue::COMMENTS, Issue::COMMENTS + 1).run_one()
    /// # }
    /// ```
    pub fn set<V: ColumnValue, To, How>(mut self, column: Column<T, V, To>, value: impl SetTo<T, V, How>) -> Self {
        let assignment = column.assign(value);
        self.assignments.retain(|other| other.column != assignment.column);
        self.assignments.push(assignment);
        self
    }

    /// Changes the rows, however many there are.
    ///
    /// # Errors
    /// [`MaterializeError::Exists`] when a row would get the key or unique columns of another, [`MaterializeError::Reference`] when
    /// a reference would lead nowhere, [`MaterializeError::Value`] when a value has no stored form, or a computed number does not fit its
    /// column.
    pub fn run(self) -> MaterializeResult {
        self.run_count().map(drop)
    }

    /// The same, and answers how many rows there were.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn run_count(self) -> Result<u64, MaterializeError> {
        update(self.change, &self.assignments, false)
    }

    /// Changes the one row that there is.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and [`MaterializeError::NotOne`] when there are none or several; then nothing changes.
    pub fn run_one(self) -> MaterializeResult {
        update(self.change, &self.assignments, true).map(drop)
    }
}

impl<'t, 'a, T: Table> Delete<'t, 'a, T> {
    pub(super) fn new(raw: &'t mut RawTables<'a>, which: impl Target<Table = T>) -> Self {
        Self { change: Change::new::<T>(raw, which.__which()), table: PhantomData }
    }

    /// Deletes the rows, however many there are.
    ///
    /// # Errors
    /// [`MaterializeError::Reference`] when a row is referenced and may not go.
    pub fn run(self) -> MaterializeResult {
        self.run_count().map(drop)
    }

    /// The same, and answers how many rows there were.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn run_count(self) -> Result<u64, MaterializeError> {
        delete(self.change, false)
    }

    /// Deletes the one row that there is.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and [`MaterializeError::NotOne`] when there are none or several; then nothing changes.
    pub fn run_one(self) -> MaterializeResult {
        delete(self.change, true).map(drop)
    }
}

fn update(mut change: Change<'_, '_>, assignments: &[Assignment], one: bool) -> Result<u64, MaterializeError> {
    change.keep_to_source()?;
    // A row stays its source's.
    let is_kept = change.raw.source().is_some();
    let assignments = || assignments.iter().filter(move |set| !is_kept || set.column != 0);
    let table = change.table;
    let statements = table.statements();
    let mut text = Text::default();
    text.push("UPDATE ");
    text.push(&statements.name);
    text.push(" SET ");
    if assignments().next().is_none() {
        // Nothing is set, and yet the rows are counted.
        text.push(&format!("{0} = {0}", table.names(&table.primary_key[..1])));
    }
    for (index, Assignment { column, value }) in assignments().enumerate() {
        let value = value.as_ref().map_err(|source| MaterializeError::Value {
            table: table.name,
            column: table.columns[*column].name,
            source: source.clone(),
        })?;
        text.push(if index == 0 { "" } else { ", " });
        text.push(&statements.columns[*column]);
        text.push(" = ");
        match value {
            NewValue::Plain(value) => text.value(value),
            NewValue::Computed(formula) => push_computed(&mut text, table, formula),
        }
    }
    change.run(text, one).map_err(|error| misfit(table, assignments(), error))
}

/// A number out of the type's range becomes a text, which a `STRICT` table refuses.
fn push_computed(text: &mut Text, table: &TableSchema, formula: &Formula) {
    let Some((low, high)) = formula.range else { return push_formula(text, table, formula) };
    text.push("CASE WHEN ");
    push_formula(text, table, formula);
    text.push(&format!(" BETWEEN {low} AND {high} THEN "));
    push_formula(text, table, formula);
    text.push(" ELSE 'out of range' END");
}

fn push_formula(text: &mut Text, table: &TableSchema, Formula { left, operator, right, .. }: &Formula) {
    let columns = &table.statements().columns;
    text.push(&format!("({} {operator} ", columns[*left]));
    match right {
        Operand::Value(value) => text.value(value),
        Operand::Column(column) => text.push(&columns[*column]),
    }
    text.push(")");
}

/// The error as that of a computed number, if it is: all else that is set has the column's type.
fn misfit<'s>(
    table: &'static TableSchema,
    mut assignments: impl Iterator<Item = &'s Assignment>,
    error: MaterializeError,
) -> MaterializeError {
    let MaterializeError::Sql { message } = &error else { return error };
    let computed = assignments.find(|Assignment { column, value }| {
        let place = format!("{}.{}", table.name, table.columns[*column].name);
        matches!(value, Ok(NewValue::Computed(_))) && message.ends_with(&place)
    });
    let Some(Assignment { column, .. }) = computed else { return error };
    let ColumnSchema { name: column, ty, .. } = &table.columns[*column];
    let source = match ty.storage {
        Storage::Real => ValueError::NotANumber,
        _ => ValueError::OutOfRange { expected: ty.encoding, value: "computed of a row".to_owned() },
    };
    MaterializeError::Value { table: table.name, column, source }
}

fn delete(mut change: Change<'_, '_>, one: bool) -> Result<u64, MaterializeError> {
    change.keep_to_source()?;
    if let Rows::Key(Ok(key)) = &change.rows {
        let mut params = [ValueRef::Null; MAX_KEY];
        let sql = &change.table.statements().delete_by_key;
        let deleted = change.raw.write_sql(change.table, sql, key_params(key, &mut params))?;
        return change.counted(deleted, one);
    }
    let mut text = Text::default();
    text.push("DELETE FROM ");
    text.push(&change.table.statements().name);
    change.run(text, one)
}

impl<'t, 'a> Change<'t, 'a> {
    fn new<T: Table>(raw: &'t mut RawTables<'a>, which: Which) -> Self {
        Self { raw, table: T::schema(), rows: which.0 }
    }

    /// In a projection: rows of the source whose event it is.
    fn keep_to_source(&mut self) -> Result<(), MaterializeError> {
        if let Some(source) = self.raw.source().map(str::to_owned) {
            self.rows.keep_to(&source)?;
        }
        Ok(())
    }

    fn run(self, mut text: Text, one: bool) -> Result<u64, MaterializeError> {
        if let (true, Rows::Select(spec)) = (one, &self.rows) {
            // Several rows must not have changed when this fails.
            let matched = self.raw.count(&spec.count(self.table)?)?;
            self.counted(matched, one)?;
        }
        self.rows.push_where(&mut text, self.table)?;
        let changed = self.raw.write_sql(self.table, text.sql(), &text.params())?;
        self.counted(changed, one)
    }

    fn counted(&self, matched: u64, one: bool) -> Result<u64, MaterializeError> {
        if one && matched != 1 {
            return Err(MaterializeError::NotOne { table: self.table.name, matched });
        }
        Ok(matched)
    }
}
