//! One query against the tables: what is wrong with it, or what is known of it.

use proc_macro2::Span;
use rusqlite::Error as SqliteError;

use super::{
    Database, Storage,
    database::{Asked, Reads},
    observe::Observed,
    parameters::{self, Parameter},
    place::Place,
    words::{Kind, Word, words},
};
use crate::{message, model::QueryFn, suggest::closest};

/// What is wrong, and which tokens it is about.
pub(crate) struct Complaint {
    pub(crate) span: Span,
    pub(crate) message: String,
}

/// What is known of a query that SQLite accepts.
pub(crate) struct Checked {
    pub(crate) reads: Reads,
    pub(crate) columns: Vec<ResultColumn>,
    pub(crate) parameters: Vec<Parameter>,
}

/// One column of the result.
pub(crate) struct ResultColumn {
    pub(crate) name: String,
    /// The table and column it is, if it is no expression.
    pub(crate) origin: Option<(String, String)>,
    /// The query leaves out rows where it is `NULL`.
    pub(crate) filtered: bool,
    /// It was `NULL` for some content of the tables.
    pub(crate) null: bool,
    /// What an expression was for some content of the tables.
    pub(crate) storages: Vec<Storage>,
}

impl Database {
    /// Checks one query.
    pub(crate) fn check(&mut self, query: &QueryFn) -> Result<Checked, Vec<Complaint>> {
        let sql = query.sql.value();
        let words = words(&sql);
        let complaint = |message: String| vec![Complaint { span: query.sql.span(), message }];
        let (asked, prepared) = self.prepare(&sql);
        if let Err(error) = prepared {
            return Err(complaint(self.explain(query, &sql, &words, &error)));
        }
        if let Some(refused) = self.refused(&asked) {
            return Err(complaint(message::sql_is_no_read(&query.ident, &refused)));
        }
        let parameters = parameters::check(&self.sqlite, query, &sql, &words, &asked.reads)?;
        if query.indexed
            && let Some(scanned) = self.scanned(&sql)
        {
            return Err(complaint(message::sql_scans(&query.ident, &scanned)));
        }
        let columns = self.result(&sql, &words, &parameters).map_err(|error| complaint(error.to_string()))?;
        if columns.is_empty() {
            return Err(complaint(message::sql_without_result(&query.ident)));
        }
        Ok(Checked { reads: asked.reads, columns, parameters })
    }

    fn refused(&self, asked: &Asked) -> Option<String> {
        let foreign = || {
            let known = |table: &str| self.tables.iter().any(|known| known.name.eq_ignore_ascii_case(table));
            let (table, _) = asked.reads.iter().find(|(table, _)| !known(table))?;
            Some(format!("it reads `{table}`, which is no table of the schema"))
        };
        asked.refused.clone().or_else(foreign)
    }

    /// SQLite's words, the place, and the name that was meant.
    fn explain(&self, query: &QueryFn, sql: &str, words: &[Word], error: &SqliteError) -> String {
        let (text, offset) = match error {
            SqliteError::SqlInputError { msg, offset, .. } => (msg.clone(), usize::try_from(*offset).ok()),
            SqliteError::SqliteFailure(_, Some(text)) => (text.clone(), None),
            SqliteError::MultipleStatement => return message::sql_is_several(&query.ident),
            other => (other.to_string(), None),
        };
        let (kind, name) = text.split_once(": ").unwrap_or((&text, ""));
        let meant = match kind {
            "no such column" => closest(last(name), self.columns_near(words)),
            "no such table" => closest(name, self.tables.iter().map(|table| table.name.as_str())),
            _ => None,
        };
        let known = || match kind {
            "no such table" => Some(self.tables.iter().map(|table| format!("`{}`", table.name)).collect::<Vec<_>>()),
            "no such column" => {
                Some(self.columns_near(words).into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>())
            }
            _ => None,
        };
        let named = (!name.is_empty()).then(|| last(name));
        let offset = offset.or_else(|| words.iter().find(|word| Some(word.text.as_str()) == named).map(|word| word.at));
        // Without a place, what is wrong is that the text ends.
        let place = Place::at(sql, offset.unwrap_or(sql.len()));
        message::sql_is_wrong(&query.ident, &text, meant, known(), &place)
    }

    /// The columns of the tables that the text names, of all tables if it names none.
    fn columns_near(&self, words: &[Word]) -> Vec<&str> {
        let named =
            |name: &str| words.iter().any(|word| word.kind == Kind::Name && word.text.eq_ignore_ascii_case(name));
        let mut tables: Vec<_> = self.tables.iter().filter(|table| named(&table.name)).collect();
        if tables.is_empty() {
            tables = self.tables.iter().collect();
        }
        tables.into_iter().flat_map(super::TableShape::column_names).collect()
    }

    /// A table that SQLite reads from its first row to its last.
    fn scanned(&self, sql: &str) -> Option<String> {
        let mut statement = self.sqlite.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).ok()?;
        // The plan is the same whatever the parameters are.
        let mut rows = statement.raw_query();
        let mut steps: Vec<String> = Vec::new();
        while let Ok(Some(row)) = rows.next() {
            steps.extend(row.get("detail"));
        }
        let made_here = |name: &str| {
            steps.iter().any(|step| step == &format!("CO-ROUTINE {name}") || step == &format!("MATERIALIZE {name}"))
        };
        steps.iter().find_map(|step| {
            let name = step.strip_prefix("SCAN ")?.split(' ').next()?;
            let is_table = name != "CONSTANT" && !name.starts_with('(') && !made_here(name);
            is_table.then(|| name.to_owned())
        })
    }

    fn result(&self, sql: &str, words: &[Word], parameters: &[Parameter]) -> rusqlite::Result<Vec<ResultColumn>> {
        let statement = self.sqlite.prepare(sql)?;
        let compound = words.iter().any(|word| ["UNION", "EXCEPT", "INTERSECT"].iter().any(|found| word.is(found)));
        let columns: Vec<_> = statement
            .columns()
            .map(|column| {
                // Of several SELECTs SQLite tells the first one's column.
                let declared = column.decl_type().filter(|_| !compound);
                (column.name().to_owned(), declared.and_then(|declared| self.marked(declared)))
            })
            .collect();
        let observed = self.observe(sql, words, parameters, columns.len());
        let column = |((name, origin), observed): ((String, Option<(usize, usize)>), Observed)| {
            let origin = origin.map(|(table, column)| {
                let table = &self.tables[table];
                (table.name.clone(), table.columns[column].name.clone())
            });
            let filtered = origin.as_ref().is_some_and(|(_, column)| is_filtered(words, column));
            let storages = if origin.is_some() { Vec::new() } else { observed.storages };
            ResultColumn { name, origin, filtered, null: observed.null, storages }
        };
        Ok(columns.into_iter().zip(observed).map(column).collect())
    }
}

/// Whether the text says `column IS NOT NULL` somewhere; it is not looked at where.
fn is_filtered(words: &[Word], column: &str) -> bool {
    let is_column = |word: &Word| word.kind == Kind::Name && word.text.eq_ignore_ascii_case(column);
    let long = words
        .windows(4)
        .any(|found| is_column(&found[0]) && found[1].is("IS") && found[2].is("NOT") && found[3].is("NULL"));
    long || words.windows(2).any(|found| is_column(&found[0]) && found[1].is("NOTNULL"))
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
