//! What is said of the SQL of queries.

use std::fmt::Display;

pub(crate) fn sql_is_wrong(
    query: &impl Display,
    text: &str,
    meant: Option<&str>,
    known: Option<Vec<String>>,
    place: &impl Display,
) -> String {
    let help = match (meant, known) {
        (Some(meant), _) => format!("; did you mean `{meant}`?"),
        (None, Some(known)) if !known.is_empty() => format!("; there are {}", known.join(", ")),
        _ => String::new(),
    };
    format!("in the SQL of `{query}`: {text}{help}\nat {place}")
}

pub(crate) fn sql_is_no_read(query: &impl Display, refused: &str) -> String {
    format!("query `{query}` must only read the schema's tables, and {refused}")
}

pub(crate) fn sql_reads_another<'a>(table: &str, tables: impl Iterator<Item = &'a str>) -> String {
    let tables = tables.map(|table| format!("`{table}`")).collect::<Vec<_>>().join(", ");
    format!("it reads `{table}`, which is none of them; they are {tables}")
}

pub(crate) fn sql_writes(how: &str, table: &str) -> String {
    format!("it {how} `{table}`; to change tables, commit an event")
}

pub(crate) fn sql_changes_tables() -> String {
    "it changes what tables and indexes there are; declare them with `#[derive(Table)]`".to_owned()
}

pub(crate) fn sql_runs_pragma(pragma: &str) -> String {
    format!("it runs `PRAGMA {pragma}`; write `SELECT ..`")
}

pub(crate) fn sql_attaches() -> String {
    "it attaches or detaches a database; open the other store, and ask it by a query of its own".to_owned()
}

pub(crate) fn sql_begins_or_ends() -> String {
    "it begins or ends a transaction; larder does that, for several queries on one state ask for them together, as a tuple".to_owned()
}

pub(crate) fn sql_is_several(query: &impl Display) -> String {
    format!("query `{query}` is several statements; write one, and a query for each other")
}

pub(crate) fn sql_without_result(query: &impl Display) -> String {
    format!("the SQL of `{query}` is no query; write `SELECT ..`")
}

pub(crate) fn sql_scans(query: &impl Display, table: &str) -> String {
    format!(
        "query `{query}` is `#[indexed]`, and SQLite reads all rows of `{table}` for it; add an index that begins with what \
         it filters by or takes the `min` or `max` of, with `#[table(index(..))]`, filter by a key, or remove `#[indexed]`"
    )
}

pub(crate) fn sql_parameter_without_name(query: &impl Display, place: &impl Display) -> String {
    format!("in the SQL of `{query}`: a parameter is written `:name`, as one of the function's is called\nat {place}")
}

pub(crate) fn sql_parameter_undeclared(
    query: &impl Display,
    name: &str,
    meant: Option<&str>,
    place: &impl Display,
) -> String {
    let help = match meant {
        Some(meant) => format!("did you mean `:{meant}`?"),
        None => format!("add it: `fn {query}({name}: ..)`"),
    };
    format!("in the SQL of `{query}`: `:{name}` is not a parameter of the function; {help}\nat {place}")
}

pub(crate) fn sql_parameter_unused(name: &impl Display) -> String {
    format!("parameter `{name}` is not in the SQL; use `:{name}` there, or remove it")
}

pub(crate) fn not_a_table_path(written: &str) -> String {
    format!(
        "`{written}` is not a table's name; write the path of a struct with `#[derive(Table)]`, such as `notes::Comment`"
    )
}

pub(crate) fn sql_schema_has_no_path() -> String {
    "queries are checked against the schema's tables, which are found by its name; name the schema by a path, such as \
     `schema: WorkspaceSchema`"
        .to_owned()
}
