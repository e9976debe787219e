//! Reading: binding parameters, stepping through rows, finding columns by name.

use super::{
    Connection, Guard, SqliteError, SqliteErrorKind,
    row::{Param, SqliteRow},
};
use crate::{
    error::QueryErrorKind,
    query::{EachRow, Origin, Params, Reads, RowRef, Statement},
    value::ValueRef,
};

impl Reads for Connection {
    fn rows(&mut self, statement: &Statement<'_>, each: &mut EachRow<'_>) -> Result<(), QueryErrorKind> {
        self.read(statement, Guard::ReadOnlySql, each)
    }
}

impl Connection {
    /// Runs a query's statement; SQL of the app runs under `guard`.
    pub(crate) fn read(
        &mut self,
        statement: &Statement<'_>,
        guard: Guard,
        each: &mut EachRow<'_>,
    ) -> Result<(), QueryErrorKind> {
        self.read_with(statement, guard, each).map_err(|error| error.into_query_error(statement.sql))
    }

    /// The same, and says whose error it is.
    pub(crate) fn read_with(
        &mut self,
        statement: &Statement<'_>,
        guard: Guard,
        each: &mut EachRow<'_>,
    ) -> Result<(), ReadError> {
        match (statement.origin, statement.params) {
            (Origin::Builder, Params::Ordered(params)) => rows(self, statement.sql, params, each),
            _ => self.guard(guard, |connection| app_rows(connection, statement, each)),
        }
    }
}

/// SQLite's error, or that of the code that looked at a row.
pub(crate) enum ReadError {
    /// SQLite's.
    Sqlite(SqliteError),
    /// That of the code that looked at a row.
    Query(QueryErrorKind),
}

impl From<SqliteError> for ReadError {
    fn from(error: SqliteError) -> Self {
        Self::Sqlite(error)
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

impl From<QueryErrorKind> for ReadError {
    fn from(error: QueryErrorKind) -> Self {
        Self::Query(error)
    }
}

impl ReadError {
    pub(crate) fn sqlite(&self) -> Option<&SqliteError> {
        match self {
            Self::Sqlite(error) => Some(error),
            Self::Query(_) => None,
        }
    }

    pub(crate) fn into_query_error(self, sql: &str) -> QueryErrorKind {
        match self {
            Self::Query(error) => error,
            Self::Sqlite(error) => error.into_query_error(sql),
        }
    }
}

impl SqliteError {
    /// The error of a query with this text.
    pub(crate) fn into_query_error(self, sql: &str) -> QueryErrorKind {
        match self.kind {
            // SQLite has no code for it.
            SqliteErrorKind::Other if self.message == "integer overflow" => {
                QueryErrorKind::Overflow { sql: shortened(sql) }
            }
            SqliteErrorKind::Other | SqliteErrorKind::TooBig | SqliteErrorKind::Constraint(_) => {
                QueryErrorKind::Sql { sql: shortened(sql), message: self.message }
            }
            _ => QueryErrorKind::Storage { message: self.message },
        }
    }
}

/// Messages show the start of a long statement.
fn shortened(sql: &str) -> String {
    const SHOWN: usize = 400;
    match sql.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &sql[..end]),
        None => sql.to_owned(),
    }
}

/// Runs a statement of larder's own, kept prepared; columns are taken by position.
pub(super) fn rows<E, R>(
    connection: &Connection,
    sql: &str,
    params: &[ValueRef<'_>],
    each: &mut dyn FnMut(&RowRef<'_>) -> Result<bool, R>,
) -> Result<(), E>
where
    E: From<SqliteError> + From<R>,
{
    with_prepared(connection, sql, |statement| {
        bind(statement, params.iter().copied())?;
        step(statement, &[], each)
    })
}

/// Prepares a statement, or takes it from those that are kept, and works with it.
pub(super) fn with_prepared<R, E: From<SqliteError>>(
    connection: &Connection,
    sql: &str,
    work: impl FnOnce(&mut rusqlite::Statement<'_>) -> Result<R, E>,
) -> Result<R, E> {
    let key = connection.guard.key(sql);
    if connection.passing || key.len() > LONGEST_KEPT {
        let prepared = connection.sqlite.prepare(&key).map_err(|error| connection.guard.explain(error));
        return work(&mut prepared?);
    }
    let prepared = connection.sqlite.prepare_cached(&key).map_err(|error| connection.guard.explain(error));
    work(&mut *prepared?)
}

/// The longest text of a statement that is kept prepared, in bytes: one longer is a list that hardly comes again.
const LONGEST_KEPT: usize = 16 * 1024;

fn app_rows(connection: &Connection, statement: &Statement<'_>, each: &mut EachRow<'_>) -> Result<(), ReadError> {
    with_prepared(connection, statement.sql, |prepared| {
        if !prepared.readonly() {
            let message = "a query reads, and this statement writes; write with `execute_sql` in a materializer";
            return Err(SqliteError::new(SqliteErrorKind::Other, message).into());
        }
        match statement.params {
            Params::Ordered(params) => bind(prepared, params.iter().copied())?,
            Params::Named(params) => bind_named(prepared, params)?,
        }
        let places = places(prepared, statement)?;
        step(prepared, &places, each)
    })
}

fn step<E, R>(
    statement: &mut rusqlite::Statement<'_>,
    places: &[usize],
    each: &mut dyn FnMut(&RowRef<'_>) -> Result<bool, R>,
) -> Result<(), E>
where
    E: From<SqliteError> + From<R>,
{
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(SqliteError::from)? {
        let source = SqliteRow { row, columns };
        if !each(&RowRef::new(&source, places))? {
            break;
        }
    }
    Ok(())
}

/// Binds parameters in order; as many as the statement has.
pub(super) fn bind<'v>(
    statement: &mut rusqlite::Statement<'_>,
    params: impl ExactSizeIterator<Item = ValueRef<'v>>,
) -> Result<(), SqliteError> {
    let wanted = statement.parameter_count();
    if wanted != params.len() {
        let message = format!("the statement has {wanted} parameters, {} values were given", params.len());
        return Err(SqliteError::new(SqliteErrorKind::Other, message));
    }
    for (index, value) in params.enumerate() {
        statement.raw_bind_parameter(index + 1, Param(value))?;
    }
    Ok(())
}

/// Binds parameters by name; each that the statement has, and no other.
pub(super) fn bind_named(
    statement: &mut rusqlite::Statement<'_>,
    params: &[(&'static str, ValueRef<'_>)],
) -> Result<(), SqliteError> {
    let failed = |message: String| Err(SqliteError::new(SqliteErrorKind::Other, message));
    let mut used = 0;
    for index in 1..=statement.parameter_count() {
        let Some(name) = statement.parameter_name(index) else {
            return failed("the statement has a parameter without a name, write `:name`".to_owned());
        };
        let value = name.strip_prefix(':').and_then(|name| params.iter().find(|(given, _)| *given == name));
        let Some((_, value)) = value else { return failed(format!("parameter `{name}` has no value")) };
        statement.raw_bind_parameter(index, Param(*value))?;
        used += 1;
    }
    if used == params.len() {
        return Ok(());
    }
    let unused = params.iter().find(|(name, _)| !matches!(statement.parameter_index(&format!(":{name}")), Ok(Some(_))));
    failed(format!("parameter `:{}` is not in the statement", unused.map_or("", |(name, _)| name)))
}

/// Where the columns that the row type asks for by name stand in the statement.
fn places(prepared: &rusqlite::Statement<'_>, statement: &Statement<'_>) -> Result<Vec<usize>, QueryErrorKind> {
    if statement.columns.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = prepared.column_names().collect();
    let place = |wanted: &&'static str| {
        let exact = names.iter().position(|name| name == wanted);
        exact.or_else(|| names.iter().position(|name| name.eq_ignore_ascii_case(wanted))).ok_or_else(|| {
            QueryErrorKind::MissingColumn {
                row: statement.row,
                column: (*wanted).to_owned(),
                sql: shortened(statement.sql),
                found: names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            }
        })
    };
    statement.columns.iter().map(place).collect()
}
