//! What a materializer can do to its tables, and what every kind of failure leaves behind.

use super::*;
use crate::{
    Durability, HasTable, MaterializeError, QueryErrorKind, RowChange, SqlQuery, Table,
    storage::sqlite::{Access, Connection, Place, SqliteErrorKind},
    value::Value,
};

mod capture;
mod computed;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(crate = crate, name = "people")]
pub(super) struct Person {
    #[table(primary_key)]
    login: String,
    #[table(unique)]
    number: i64,
    score: Option<f64>,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(crate = crate, name = "tags")]
pub(super) struct Tag {
    #[table(primary_key, references(Task, on_delete = cascade))]
    task: i64,
    #[table(primary_key)]
    tag: String,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(crate = crate, name = "tasks")]
pub(super) struct Task {
    #[table(primary_key)]
    id: i64,
    title: String,
    #[table(references(Person, on_delete = set_null))]
    owner: Option<String>,
    #[table(references(Task))]
    parent: Option<i64>,
}

pub(super) struct Schema;

impl HasTable<Person> for Schema {}
impl HasTable<Task> for Schema {}
impl HasTable<Tag> for Schema {}

pub(super) fn database() -> Connection {
    let access = Access::Writer { create: true, durability: Durability::Process };
    let mut connection = Connection::open(&Place::Memory, access).expect("opens");
    for table in [Person::schema(), Task::schema(), Tag::schema()] {
        connection.batch(&table.ddl()).expect("makes the table");
    }
    connection.batch("CREATE TABLE larder_events (a INTEGER PRIMARY KEY) STRICT").expect("makes the table");
    connection
}

pub(super) fn tables(connection: &mut Connection) -> Tables<'_, Schema> {
    Tables::new(RawTables::new(connection))
}

fn begun() -> Connection {
    let mut connection = database();
    connection.batch("BEGIN").expect("begins");
    connection
}

pub(super) fn person(login: &str, number: i64) -> Person {
    Person { login: login.to_owned(), number, score: None }
}

pub(super) fn task(id: i64, owner: Option<&str>) -> Task {
    Task { id, title: format!("task {id}"), owner: owner.map(str::to_owned), parent: None }
}

fn tag(task: i64, tag: &str) -> Tag {
    Tag { task, tag: tag.to_owned() }
}

#[test]
fn insert_refuses_a_row_that_is_there_and_upsert_changes_it() {
    let mut connection = begun();
    let mut tables = tables(&mut connection);
    tables.insert(person("ann", 1)).expect("inserts");
    let error = tables.insert(person("ann", 2)).expect_err("refuses");
    let existing = |error: &MaterializeError| {
        error.existing_row().map(|row| format!("{}: {}", row.table, row.columns.join(" "))).unwrap_or_default()
    };
    assert_eq!(existing(&error), "people: login", "{error}");
    assert_eq!(existing(&tables.insert(person("bob", 1)).unwrap_err()), "people: number");
    let by_sql = tables.execute_sql("INSERT INTO people (login, number) VALUES ('ann', 7)", ()).unwrap_err();
    assert_eq!(existing(&by_sql), "people: login", "{by_sql}");
    tables.upsert(person("ann", 2)).expect("upserts");
    assert_eq!(tables.query(Person::by_key("ann")), Ok(Some(person("ann", 2))));
    tables.insert(person("bob", 1)).expect("inserts");
    assert!(matches!(tables.upsert(person("bob", 2)), Err(MaterializeError::Exists { .. })), "another's number");
    assert!(tables.into_raw().into_failure().is_none());
}

#[test]
fn upsert_keeps_the_rows_that_reference_the_row() {
    let mut connection = begun();
    let mut tables = tables(&mut connection);
    tables.insert(task(1, None)).expect("inserts");
    tables.insert(tag(1, "bug")).expect("inserts");
    tables.upsert(Task { title: "new".to_owned(), ..task(1, None) }).expect("upserts");
    tables.upsert(tag(1, "bug")).expect("upserts a row that is all key");
    assert_eq!(tables.query(Tag::all()), Ok(vec![tag(1, "bug")]));
    assert_eq!(tables.query(Task::by_key(1).one()).map(|task| task.title), Ok("new".to_owned()));
}

#[test]
fn references_are_enforced() {
    let mut connection = begun();
    let mut tables = tables(&mut connection);
    let missing = tables.insert(task(1, Some("nobody"))).expect_err("refuses");
    assert!(matches!(missing, MaterializeError::Reference { .. }), "{missing}");
    tables.insert(person("ann", 1)).expect("inserts");
    tables.insert(task(1, Some("ann"))).expect("inserts");
    tables.insert(Task { parent: Some(1), ..task(2, None) }).expect("inserts");
    tables.insert(tag(1, "a")).expect("inserts");
    assert!(matches!(tables.delete(Task::by_key(1)).run(), Err(MaterializeError::Reference { .. })));
    assert!(matches!(tables.delete(Task::filter(Task::ID.eq(1))).run(), Err(MaterializeError::Reference { .. })));
    tables.delete(Person::all()).run().expect("deletes");
    assert_eq!(tables.query(Task::by_key(1).one()).map(|task| task.owner), Ok(None));
    tables.update(Task::by_key(2)).set(Task::PARENT, None).run_one().expect("updates");
    tables.delete(Task::by_key(1)).run_one().expect("deletes");
    assert_eq!(tables.query(Tag::all().count()), Ok(0));
    tables.insert(Task { parent: Some(2), ..task(3, None) }).expect("inserts");
    tables.delete(Task::all()).run().expect("both go together");
}

#[test]
fn update_and_delete_take_keys_filters_orders_and_limits() {
    let mut connection = begun();
    let mut tables = tables(&mut connection);
    for id in 1..=6 {
        tables.insert(task(id, None)).expect("inserts");
        tables.insert(tag(id, "a")).expect("inserts");
        tables.insert(tag(id, "b")).expect("inserts");
    }
    assert_eq!(tables.update(Task::by_key(9)).set(Task::TITLE, "x").run_count().expect("no row is fine"), 0);
    tables.update(Task::by_key(1)).set(Task::TITLE, "x").set(Task::TITLE, "y").run_one().expect("updates");
    assert_eq!(tables.query(Task::filter(Task::TITLE.eq("y")).count()), Ok(1));
    let last = Task::all().order_by(Task::ID.desc()).limit(2);
    assert_eq!(tables.update(last).set(Task::TITLE, "last").run_count().expect("updates"), 2);
    assert_eq!(
        tables.query(Task::filter(Task::TITLE.eq("last")).first()).map(|task| task.map(|task| task.id)),
        Ok(Some(5))
    );
    assert_eq!(tables.update(Task::filter(Task::ID.gt(3))).run_count().expect("counts"), 3);
    assert_eq!(tables.delete(Tag::filter(Tag::TASK.le(3)).offset(2)).run_count().expect("deletes"), 4);
    assert_eq!(tables.delete(Tag::by_key((1, "a"))).run_count().expect("deletes"), 1);
    assert_eq!(tables.query(Tag::filter(Tag::TASK.le(3))), Ok(vec![tag(1, "b")]));
    tables.delete(Tag::all()).run().expect("deletes");
    assert_eq!(tables.query(Tag::all().exists()), Ok(false));
}

#[test]
fn run_one_needs_exactly_one_row_and_changes_nothing_else() {
    let mut connection = begun();
    let mut tables = tables(&mut connection);
    for id in 1..=3 {
        tables.insert(task(id, None)).expect("inserts");
    }
    let none = tables.update(Task::by_key(9)).set(Task::TITLE, "x").run_one().expect_err("refuses");
    assert!(matches!(none, MaterializeError::NotOne { matched: 0, .. }), "{none}");
    let several = tables.update(Task::filter(Task::ID.lt(3))).set(Task::TITLE, "x").run_one().expect_err("refuses");
    assert!(matches!(several, MaterializeError::NotOne { matched: 2, .. }), "{several}");
    assert!(matches!(tables.delete(Task::all()).run_one(), Err(MaterializeError::NotOne { matched: 3, .. })));
    assert_eq!(tables.query(Task::filter(Task::TITLE.eq("x")).count()), Ok(0));
    tables.delete(Task::filter(Task::ID.eq(2))).run_one().expect("deletes");
    assert_eq!(tables.query(Task::all().count()), Ok(2));
}

#[test]
fn a_value_without_a_stored_form_names_table_and_column() {
    let mut connection = begun();
    let mut tables = tables(&mut connection);
    let nan = Person { score: Some(f64::NAN), ..person("ann", 1) };
    let error = tables.insert(nan).expect_err("refuses");
    assert!(matches!(error, MaterializeError::Value { column: "score", .. }), "{error}");
    let error = tables.update(Person::all()).set(Person::SCORE, f64::NAN).run().expect_err("refuses");
    assert!(matches!(error, MaterializeError::Value { column: "score", .. }), "{error}");
    let error = tables.delete(Person::filter(Person::SCORE.gt(f64::NAN))).run().expect_err("refuses");
    assert!(matches!(error, MaterializeError::Query(QueryErrorKind::Value(_))), "{error}");
    assert_eq!(tables.query(Person::all().count()), Ok(0));
}

#[test]
fn sql_of_the_app_writes_the_schema_s_tables_and_no_others() {
    let mut connection = begun();
    connection.start_capture(&[Person::schema()]).expect("starts");
    let mut tables = tables(&mut connection);
    let table = Person::schema().name;
    let insert = format!("INSERT INTO {table} (login, number, score) VALUES (?, ?, ?)");
    assert_eq!(tables.execute_sql_count(&insert, ("ann", 1, Some(1.5))).expect("inserts"), 1);
    tables.execute_sql(&insert, vec![Value::Text("bob".to_owned()), Value::Integer(2), Value::Null]).expect("inserts");
    tables.execute_sql(&format!("UPDATE {table} SET number = number + 10"), ()).expect("updates");
    let refused = [
        "DELETE FROM larder_events".to_owned(),
        "INSERT INTO larder_events SELECT 1".to_owned(),
        "DROP TABLE tasks".to_owned(),
        "CREATE TABLE x (a)".to_owned(),
        "PRAGMA foreign_keys = OFF".to_owned(),
        "COMMIT".to_owned(),
        "ROLLBACK".to_owned(),
        "ROLLBACK TO larder_sql".to_owned(),
        "SELECT 1".to_owned(),
        format!("DELETE FROM {table}; DELETE FROM {table}"),
        format!("UPDATE {table} SET number = random()"),
        format!("UPDATE {table} SET score = julianday('now')"),
        format!("DELETE FROM {table} RETURNING login"),
        format!("DELETE FROM {table} WHERE login = ?"),
        format!("INSERT OR ROLLBACK INTO {table} VALUES ('ann', 1, NULL)"),
        format!("INSERT OR FAIL INTO {table} VALUES ('new', 100, NULL), ('ann', 1, NULL)"),
    ];
    for sql in refused {
        let error = tables.execute_sql(&sql, ()).expect_err(&sql);
        let exists = sql.starts_with("INSERT OR FAIL");
        assert_eq!(error.existing_row().is_some(), exists, "{sql}: {error}");
        assert!(exists || matches!(error, MaterializeError::Sql { .. }), "{sql}: {error}");
    }
    assert_eq!(tables.query(Person::all().count()), Ok(2));
    assert!(tables.into_raw().into_failure().is_none());
    assert!(connection.in_transaction());
    assert_eq!(connection.take_changes().len(), 4, "two inserts, two updates");
}

#[test]
fn a_write_that_rolls_back_the_transaction_fails_all_that_follows() {
    let mut connection = begun();
    let pages = connection.integer("PRAGMA page_count", &[]).expect("counts").expect("a number");
    connection.batch(&format!("PRAGMA max_page_count = {pages}")).expect("limits");
    let mut tables = tables(&mut connection);
    tables.insert(person("ann", 1)).expect("inserts");
    let full = tables.insert(person(&"x".repeat(100_000), 2)).expect_err("there is no room");
    assert!(matches!(full, MaterializeError::Storage { disk_full: true, .. }), "{full}");
    let after = tables.insert(person("bob", 2)).expect_err("nothing may be written outside the transaction");
    assert!(matches!(after, MaterializeError::Storage { .. }), "{after}");
    assert!(tables.query(Person::all()).is_err());
    let failure = tables.into_raw().into_failure().expect("the commit fails");
    assert_eq!(failure.kind, SqliteErrorKind::DiskFull);
    assert!(!connection.in_transaction());
    assert_eq!(connection.integer(&format!("SELECT count(*) FROM {}", Person::schema().name), &[]), Ok(Some(0)));
}

#[test]
fn a_failed_write_has_changed_nothing_and_the_materializer_may_go_on() {
    let mut connection = begun();
    connection.start_capture(&[Task::schema(), Tag::schema(), Person::schema()]).expect("starts");
    let mut tables = tables(&mut connection);
    tables.insert(person("ann", 1)).expect("inserts");
    tables.insert(person("bob", 2)).expect("inserts");
    tables.update(Person::all()).set(Person::NUMBER, 3).run().expect_err("two rows, one number");
    tables.insert(person("eve", 3)).expect("inserts");
    assert_eq!(tables.query(Person::all().count()), Ok(3));
    assert_eq!(tables.query(Person::filter(Person::NUMBER.eq(3)).count()), Ok(1));
    let logins: Vec<_> = connection.take_changes().into_iter().map(|RowChange { old, new, .. }| (old, new)).collect();
    assert_eq!(logins.len(), 3);
    assert!(logins.iter().all(|(old, _)| old.is_none()));
}

#[test]
fn a_query_in_a_materializer_sees_what_the_event_wrote_and_is_the_same_for_every_client() {
    let mut connection = begun();
    let mut tables = tables(&mut connection);
    tables.insert(person("ann", 1)).expect("inserts");
    assert_eq!(tables.query((Person::by_key("ann"), Task::all().count())), Ok((Some(person("ann", 1)), 0)));
    let raw = &mut tables.raw;
    let random = SqlQuery::<(), Vec<i64>>::__new("SELECT random()", &[], Vec::new()).__run(raw);
    assert!(matches!(random, Err(QueryErrorKind::Sql { .. })), "{random:?}");
    let count = format!("SELECT count(*) FROM {} WHERE number = :number", Person::schema().name);
    let count: &'static str = count.leak();
    let number = vec![("number", Ok(Value::Integer(1)))];
    assert_eq!(SqlQuery::<(), crate::ExactlyOne<i64>>::__new(count, &[], number).__run(raw), Ok(1));
    let write = SqlQuery::<(), Vec<i64>>::__new("DELETE FROM people RETURNING number", &[], Vec::new()).__run(raw);
    assert!(write.is_err());
}
