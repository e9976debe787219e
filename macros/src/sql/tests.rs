//! Queries against a schema, and what is found in them. The ui tests show how it is said.

use super::{Bound, Checked, Database, Storage, TableShape};
use crate::model::{QueryFn, Table};

const ISSUE: &str = "#[table(name = \"issues\", index(status, opened_at), index(opened_at))]
    struct Issue {
        #[table(primary_key)] number: i64,
        title: String,
        status: Status,
        assignee: Option<String>,
        opened_at: Timestamp,
        score: Score,
    }";

const COMMENT: &str = "#[table(name = \"comments\", index(issue))]
    struct Comment {
        #[table(primary_key)] id: i64,
        issue: i64,
        assignee: Option<String>,
        body: String,
        level: i64,
    }";

fn table(source: &str) -> TableShape {
    let input = syn::parse_str(source).expect("a struct");
    let table: Option<Table> = crate::parse::table::table(&input, &mut crate::errors::Errors::default());
    TableShape::of(&table.expect("a table"))
}

fn check(query: &str) -> Result<Checked, Vec<String>> {
    let parser = |input: syn::parse::ParseStream<'_>| {
        let mut errors = crate::errors::Errors::default();
        let queries = crate::parse::query::queries(input, &mut errors);
        assert_eq!(errors.count(), 0, "{query}");
        Ok(queries)
    };
    let queries = syn::parse::Parser::parse_str(parser, query).expect("tokens");
    let [query]: &[QueryFn] = queries.as_slice() else { panic!("one query: {query}") };
    let mut database = Database::new(vec![table(ISSUE), table(COMMENT)]).expect("tables");
    let messages = |complaints: Vec<super::Complaint>| complaints.into_iter().map(|one| one.message).collect();
    database.check(query).map_err(messages)
}

fn indexed(sql: &str) -> Option<String> {
    let query = format!("#[indexed] fn x(i: i64) -> Vec<i64> = \"{sql} /* :i */\";");
    let query = if sql.contains(":i") { query } else { query.replace("i: i64", "") };
    let complaints = check(&query).err()?;
    let (_, rest) = complaints[0].split_once("all rows of `").unwrap_or_else(|| panic!("{sql}: {complaints:?}"));
    rest.split('`').next().map(str::to_owned)
}

#[test]
fn a_table_is_scanned_where_no_index_limits_the_rows() {
    for sql in [
        "SELECT number FROM issues",
        "SELECT number FROM issues WHERE assignee = 'a'",
        "SELECT number FROM issues ORDER BY opened_at LIMIT 1",
        "SELECT number FROM issues AS i WHERE i.title LIKE 'a%'",
        "SELECT count(*) FROM issues",
        "SELECT max(assignee) FROM issues",
        "SELECT min(title) FROM issues",
        // The index holds the column, behind another one.
        "SELECT (SELECT max(opened_at) FROM issues INDEXED BY larder_index_0_0)",
        "SELECT max(opened_at), min(opened_at) FROM issues",
        // All rows may be passed over.
        "SELECT max(opened_at) FROM issues WHERE title = 'x'",
        "WITH c AS (SELECT * FROM issues) SELECT c.number FROM c",
        "SELECT n FROM (SELECT assignee, count(*) AS n FROM issues GROUP BY assignee)",
        "SELECT number FROM comments JOIN issues ON comments.assignee = issues.assignee WHERE comments.issue = :i",
    ] {
        assert_eq!(indexed(sql).as_deref(), Some("issues"), "{sql}");
    }
}

#[test]
fn no_table_is_scanned_where_an_index_limits_the_rows() {
    for sql in [
        "SELECT number FROM issues WHERE number = :i",
        "SELECT number FROM issues WHERE number > :i",
        "SELECT number FROM issues WHERE opened_at BETWEEN 1 AND :i",
        "SELECT number FROM issues WHERE number IN (1, 2, :i)",
        "SELECT number FROM issues WHERE number = :i OR opened_at = :i",
        "SELECT max(number) FROM issues",
        "SELECT min(opened_at) FROM issues",
        "SELECT max(opened_at) FROM issues",
        "SELECT max(opened_at) FROM issues WHERE status = 'Open'",
        "SELECT count(*) FROM comments WHERE issue = :i",
        "SELECT (SELECT max(number) FROM issues) + (SELECT max(id) FROM comments)",
        "SELECT 1",
        "WITH busy AS (SELECT issue, count(*) AS n FROM comments WHERE issue = :i GROUP BY issue) SELECT b.n FROM busy AS b",
        "WITH RECURSIVE c(n) AS (SELECT :i UNION SELECT up.n + 1 FROM c AS up WHERE up.n < 9) SELECT n FROM c AS d",
        "WITH RECURSIVE up(n) AS (SELECT :i UNION SELECT issue FROM up AS u JOIN comments ON id = u.n) SELECT n FROM up AS x",
        "SELECT b.number FROM comments AS a LEFT JOIN issues AS b ON b.number = a.issue WHERE a.issue = :i ORDER BY a.body",
    ] {
        assert_eq!(indexed(sql), None, "{sql}");
    }
}

fn column(sql: &str) -> super::ResultColumn {
    let checked = check(&format!("fn x() -> Vec<i64> = \"{sql}\";")).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    checked.columns.into_iter().next().expect("a column")
}

#[test]
fn an_expression_over_a_type_of_the_app_has_no_class_but_those_of_every_type() {
    for sql in ["SELECT score * 2 FROM issues", "SELECT score + 0 FROM issues", "SELECT max(score) FROM issues"] {
        assert_eq!(column(sql).storages, [], "{sql}");
    }
    assert_eq!(column("SELECT score || 'a' FROM issues").storages, [Storage::Text]);
    assert_eq!(column("SELECT length(status) FROM issues").storages, [Storage::Integer]);
    assert_eq!(column("SELECT count(score) FROM issues").storages, [Storage::Integer]);
}

#[test]
fn null_behind_a_filter_is_seen() {
    let joined = "FROM issues AS i LEFT JOIN comments AS c ON c.issue = i.number";
    for sql in [
        format!("SELECT c.body {joined}"),
        format!("SELECT c.body {joined} WHERE i.number > 100"),
        format!("SELECT c.body {joined} WHERE i.number = -7 AND i.title = 'x'"),
        format!("SELECT c.body {joined} WHERE i.status = 'Open'"),
        format!("SELECT c.body {joined} WHERE i.score < 0.25"),
        format!("SELECT length(c.body) {joined} WHERE i.opened_at >= 1000"),
        // Of the other table, and of the same table a second time.
        "SELECT i.assignee FROM issues AS i JOIN comments c ON c.issue = i.number WHERE c.assignee IS NOT NULL"
            .to_owned(),
        "SELECT a.assignee FROM issues a JOIN issues b ON a.title = b.title WHERE b.assignee IS NOT NULL".to_owned(),
    ] {
        let column = column(&sql);
        assert!(column.null, "{sql}");
    }
}

#[test]
fn null_that_a_filter_rules_out_is_not_seen() {
    for (sql, filtered) in [
        ("SELECT assignee FROM issues WHERE assignee IS NOT NULL", true),
        ("SELECT i.assignee FROM issues i WHERE i.assignee NOTNULL", true),
        ("SELECT i.assignee FROM issues i JOIN comments c ON c.issue = i.number WHERE i.assignee IS NOT NULL", true),
        ("SELECT i.assignee FROM issues i JOIN comments c ON c.issue = i.number AND c.assignee IS NOT NULL", false),
        ("SELECT assignee FROM issues WHERE assignee = 'x'", false),
        ("SELECT c.body FROM issues i LEFT JOIN comments c ON c.issue = i.number WHERE c.level > 50", false),
    ] {
        let column = column(sql);
        assert_eq!(column.filtered, filtered, "{sql}");
        if filtered {
            assert!(!column.null, "{sql}");
        }
    }
}

#[test]
fn a_parameter_is_bound_to_the_column_that_sqlite_finds() {
    let bound = |sql: &str| {
        let checked =
            check(&format!("fn x(n: i64) -> Vec<i64> = \"{sql}\";")).unwrap_or_else(|error| panic!("{error:?}"));
        checked.parameters.into_iter().flat_map(|parameter| parameter.bound).collect::<Vec<_>>()
    };
    let column = |table: &str, column: &str| vec![Bound::Column(table.to_owned(), column.to_owned())];
    for sql in [
        "SELECT number FROM issues WHERE number = :n",
        "SELECT * FROM issues WHERE issues . \\\"number\\\" >= :n",
        "SELECT i.number FROM issues AS i, comments AS c WHERE i.number = c.issue AND :n = i.number",
        "SELECT (SELECT count(*) FROM comments WHERE issue = number AND number <> :n) FROM issues",
    ] {
        assert_eq!(bound(sql), column("issues", "number"), "{sql}");
    }
    let both = "FROM issues i JOIN comments c ON c.issue = i.number";
    assert_eq!(bound(&format!("SELECT 1 {both} WHERE c.assignee = :n")), column("comments", "assignee"));
    assert_eq!(bound(&format!("SELECT 1 {both} WHERE i.assignee = :n")), column("issues", "assignee"));
    for sql in [
        "SELECT * FROM (SELECT status AS who, count(assignee) AS assignee FROM issues GROUP BY 1) WHERE assignee >= :n",
        "SELECT * FROM (SELECT status, count(assignee) assignee FROM issues GROUP BY 1) WHERE assignee >= :n",
        "WITH c(title) AS (SELECT number FROM issues WHERE title <> '') SELECT title FROM c WHERE title = :n",
        "SELECT assignee, count(*) AS number FROM issues GROUP BY assignee HAVING count(number) > :n",
    ] {
        assert_eq!(bound(sql), [], "{sql}");
    }
}

#[test]
fn a_parameter_without_a_name_is_one_mistake() {
    for (sql, mistakes) in [("= ?9", 1), ("= ?32766", 1), ("= ? OR number = ?", 1), ("= @a OR number = $b", 2)] {
        let complaints = check(&format!("fn x() -> Vec<i64> = \"SELECT number FROM issues WHERE number {sql}\";"));
        assert_eq!(complaints.err().map(|complaints| complaints.len()), Some(mistakes), "{sql}");
    }
}

#[test]
fn json_functions_are_read_through_their_arguments() {
    let checked = check("fn x() -> Vec<i64> = \"SELECT value FROM issues, json_each(title) WHERE number = 1\";");
    let reads = checked.map(|checked| checked.reads).expect("a query");
    assert!(reads.iter().all(|(table, _)| table == "issues"), "{reads:?}");
    assert!(reads.contains(&("issues".to_owned(), "title".to_owned())), "{reads:?}");
    let complaints = check("fn x() -> Vec<i64> = \"SELECT name FROM pragma_table_info('issues')\";").err();
    assert!(complaints.is_some_and(|complaints| complaints[0].contains("`pragma_table_info`, which is none of them")));
}
