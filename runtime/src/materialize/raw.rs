//! The tables without their types: what every store's materializer comes down to.

use super::conflict;
use crate::{
    error::{MaterializeError, QueryErrorKind},
    query::{EachRow, Origin, Reads, Statement, Text},
    storage::sqlite::{Connection, Guard, SqliteError, SqliteErrorKind},
    table::TableSchema,
    value::{Encoded, Value, ValueError, ValueRef},
};

/// The tables of any schema, inside one transaction.
pub(crate) struct RawTables<'a> {
    connection: &'a mut Connection,
    // Once storage fails SQLite may have rolled back: what a materializer wrote after that would stand alone.
    failure: Option<SqliteError>,
    /// Of a projection: whose rows it sees and writes.
    source: Option<String>,
}

impl<'a> RawTables<'a> {
    /// The tables of a connection that has begun a transaction.
    pub(crate) fn new(connection: &'a mut Connection) -> Self {
        Self { connection, failure: None, source: None }
    }

    /// The rows of one source in the tables of a projection.
    pub(crate) fn of_source(connection: &'a mut Connection, source: &str) -> Self {
        Self { source: Some(source.to_owned()), ..Self::new(connection) }
    }

    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// What failed below the materializer, whether or not it returned that: the commit has failed, too.
    pub(crate) fn into_failure(self) -> Option<SqliteError> {
        self.failure
    }

    pub(super) fn insert(
        &mut self,
        table: &'static TableSchema,
        mut values: Vec<Encoded<'_>>,
        encoded: Result<(), ValueError>,
        upsert: bool,
    ) -> Result<(), MaterializeError> {
        if let Err(source) = encoded {
            let column = table.columns.get(values.len()).map_or("?", |column| column.name);
            return Err(MaterializeError::Value { table: table.name, column, source });
        }
        self.alive()?;
        if let (Some(source), Some(first)) = (&self.source, values.first_mut()) {
            *first = Encoded::Text(source.clone().into());
        }
        let statements = table.statements();
        let sql = if upsert { &statements.upsert } else { &statements.insert };
        let result = self.connection.write_row(table, sql, values.iter().map(Encoded::as_ref));
        self.noted(result, Some(table.name)).map(drop)
    }

    pub(super) fn write_sql(
        &mut self,
        table: &'static TableSchema,
        sql: &str,
        params: &[ValueRef<'_>],
    ) -> Result<u64, MaterializeError> {
        self.alive()?;
        let result = self.connection.execute(sql, params);
        self.noted(result, Some(table.name))
    }

    pub(super) fn count(&mut self, text: &Text) -> Result<u64, MaterializeError> {
        self.alive()?;
        let result = self.connection.integer(text.sql(), &text.params());
        Ok(self.noted(result, None)?.map_or(0, i64::unsigned_abs))
    }

    pub(super) fn execute_sql(
        &mut self,
        sql: &str,
        params: Result<Vec<Value>, ValueError>,
    ) -> Result<u64, MaterializeError> {
        let values = params.map_err(QueryErrorKind::Value)?;
        if self.source.is_some() {
            let message = "SQL cannot be kept to the rows of one source; use `insert`, `upsert`, `update` and `delete` in a projection";
            return Err(MaterializeError::Sql { message: message.to_owned() });
        }
        self.alive()?;
        if conflict::rolls_back(sql) {
            let message = "`OR ROLLBACK` is not allowed, it undoes other events too; write `OR ABORT`".to_owned();
            return Err(MaterializeError::Sql { message });
        }
        let params: Vec<ValueRef<'_>> = values.iter().map(Value::as_ref).collect();
        let heard = self.connection.hear_inserts();
        self.noted(heard, None)?;
        let mark = self.connection.changes_mark();
        let opened = self.connection.execute("SAVEPOINT larder_sql", &[]);
        self.noted(opened, None)?;
        let result = self.connection.guard(Guard::Materializer, |connection| connection.execute(sql, &params));
        if result.is_err() && self.connection.in_transaction() {
            // `INSERT OR FAIL` keeps the rows before the failing one, and a statement with RETURNING has run.
            let undone = self.connection.execute("ROLLBACK TO larder_sql", &[]);
            self.connection.changes_truncate(mark);
            self.noted(undone, None)?;
        }
        let result = self.noted(result, None);
        if self.connection.in_transaction() {
            let released = self.connection.execute("RELEASE larder_sql", &[]);
            self.noted(released, None)?;
        }
        result
    }

    fn alive(&self) -> Result<(), MaterializeError> {
        self.failure.clone().map_or(Ok(()), |failure| Err(failure.into_materialize_error(None)))
    }

    fn noted<R>(&mut self, result: Result<R, SqliteError>, table: Option<&'static str>) -> Result<R, MaterializeError> {
        result.map_err(|error| {
            self.note(&error);
            error.into_materialize_error(table)
        })
    }

    fn note(&mut self, error: &SqliteError) {
        if !self.connection.in_transaction() {
            // SQLite by itself: the disk is full, say.
            let message = format!("the transaction was rolled back: {}", error.message);
            let kind = if error.is_of_the_statement() { SqliteErrorKind::Io } else { error.kind };
            self.failure.get_or_insert(SqliteError { kind, message, code: error.code });
        } else if !error.is_of_the_statement() {
            self.failure.get_or_insert_with(|| error.clone());
        }
    }
}

impl Reads for RawTables<'_> {
    fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    fn rows(&mut self, statement: &Statement<'_>, each: &mut EachRow<'_>) -> Result<(), QueryErrorKind> {
        if self.source.is_some() && statement.origin == Origin::App {
            let (sql, message) = (
                statement.sql.to_owned(),
                "SQL cannot be kept to the rows of one source; ask with the query builder".to_owned(),
            );
            return Err(QueryErrorKind::Sql { sql, message });
        }
        if let Some(failure) = &self.failure {
            return Err(QueryErrorKind::Storage { message: failure.message.clone() });
        }
        self.connection.read_with(statement, Guard::Materializer, each).map_err(|error| {
            if let Some(error) = error.sqlite() {
                self.note(error);
            }
            error.into_query_error(statement.sql)
        })
    }
}
