//! One query against the tables: what is wrong with it, or what is known of it.

use proc_macro2::Span;
use rusqlite::Error as SqliteError;

use super::{
    Database, Storage,
    database::{Asked, Reads},
    observe::{Observed, Trial},
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
    /// Columns whose storage was told by a name that an app may give a type of its own.
    pub(crate) assumed: Vec<(String, String, Storage)>,
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
        let reads = asked.different_reads();
        let parameters = parameters::check(self, query, &sql, &words)?;
        if query.indexed
            && let Some(scanned) = self.scanned(&sql)
        {
            return Err(complaint(message::sql_scans(&query.ident, &scanned)));
        }
        let columns = self.result(&sql, &words, &parameters, &reads).map_err(|error| complaint(error.to_string()))?;
        if columns.is_empty() {
            return Err(complaint(message::sql_without_result(&query.ident)));
        }
        let assumed = self.assumed(&reads);
        Ok(Checked { reads, columns, parameters, assumed })
    }

    fn refused(&self, asked: &Asked) -> Option<String> {
        let foreign = || {
            let (table, _) = asked.reads.iter().find(|(table, _)| !self.is_table(table))?;
            Some(message::sql_reads_another(table, self.tables.iter().map(|table| table.name.as_str())))
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

    fn result(
        &self,
        sql: &str,
        words: &[Word],
        parameters: &[Parameter],
        reads: &Reads,
    ) -> rusqlite::Result<Vec<ResultColumn>> {
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
        let observed = self.observe(&Trial { sql, words, parameters, reads, columns: columns.len() });
        let column = |((name, origin), observed): ((String, Option<(usize, usize)>), Observed)| {
            let origin = origin.map(|(table, column)| {
                let table = &self.tables[table];
                (table.name.clone(), table.columns[column].name.clone())
            });
            let filtered = origin.as_ref().is_some_and(|(table, column)| self.is_filtered(words, table, column));
            let (null, storages) = match origin {
                Some(_) => (observed.null_once, Vec::new()),
                None => (observed.null, observed.storages),
            };
            ResultColumn { name, origin, filtered, null, storages }
        };
        Ok(columns.into_iter().zip(observed).map(column).collect())
    }

    /// The columns that are read and of which [`Storage::of`] knows no more than a name that is not the standard library's.
    fn assumed(&self, reads: &Reads) -> Vec<(String, String, Storage)> {
        let is_read = |table: &str, column: &str| {
            reads.iter().any(|read| read.0.eq_ignore_ascii_case(table) && read.1.eq_ignore_ascii_case(column))
        };
        let columns = self.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        let assumed = columns.filter(|(table, column)| {
            column.assumed && column.storage != Storage::Unknown && is_read(&table.name, &column.name)
        });
        assumed.map(|(table, column)| (table.name.clone(), column.name.clone(), column.storage)).collect()
    }

    /// Whether the text says `column IS NOT NULL` somewhere, and of no other table's column; it is not looked at where.
    fn is_filtered(&self, words: &[Word], table: &str, column: &str) -> bool {
        let is_not_null = |rest: &[Word]| match rest {
            [is, not, null, ..] if is.is("IS") && not.is("NOT") && null.is("NULL") => true,
            [first, ..] => first.is("NOTNULL"),
            [] => false,
        };
        let of_another = |at: usize| {
            let qualifier = at.checked_sub(2).filter(|_| words[at - 1].is(".")).map(|at| &words[at]);
            qualifier.and_then(|name| self.aliased(words, &name.text)).is_some_and(|found| found != table)
        };
        let places = words.iter().enumerate();
        let mut named = places.filter(|(_, word)| word.kind == Kind::Name && word.text.eq_ignore_ascii_case(column));
        named.any(|(at, _)| is_not_null(&words[at + 1..]) && !of_another(at))
    }

    /// The table that has this name in the text, if it is one of the schema's.
    fn aliased(&self, words: &[Word], name: &str) -> Option<&str> {
        let table = |word: &Word| {
            let found = self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(&word.text));
            found.filter(|_| word.kind == Kind::Name).map(|table| table.name.as_str())
        };
        let is_name = |word: &Word| word.kind == Kind::Name && word.text.eq_ignore_ascii_case(name);
        let alias = words.iter().enumerate().find_map(|(at, word)| match &words[at + 1..] {
            [second, third, ..] if second.is("AS") && is_name(third) => table(word),
            [second, ..] if is_name(second) => table(word),
            _ => None,
        });
        alias.or_else(|| words.iter().find(|word| is_name(word)).and_then(table))
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
