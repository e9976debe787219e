//! What a connection promises to the rest of larder.

use super::*;
use crate::{
    change::RowChange,
    query::{Origin, Params, Reads, Statement},
    table::{ColumnSchema, ReferenceAction, ReferenceSchema, TableSchema, TableStatements},
    value::{ColumnType, Storage},
};

mod capture;

const WRITER: Access = Access::Writer { create: true, durability: Durability::Process };

const fn column(name: &'static str, storage: Storage) -> ColumnSchema {
    ColumnSchema { name, ty: ColumnType::new(storage, "test"), default: None }
}

static PARENT: TableSchema = TableSchema {
    name: "parent",
    type_name: "Parent",
    columns: &[column("id", Storage::Integer), column("name", Storage::Text)],
    primary_key: &[0],
    unique: &[&[1]],
    indexes: &[],
    references: &[],
    statements: TableStatements::new(),
};

static CHILD: TableSchema = TableSchema {
    name: "child",
    type_name: "Child",
    columns: &[column("key", Storage::Text), column("parent", Storage::Integer)],
    primary_key: &[0],
    unique: &[],
    indexes: &[],
    references: &[ReferenceSchema { column: 1, table: "parent", target: "id", on_delete: ReferenceAction::Cascade }],
    statements: TableStatements::new(),
};

fn memory() -> Connection {
    let mut connection = Connection::open(&Place::Memory, WRITER).expect("opens");
    connection
        .batch(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
             CREATE TABLE child (key TEXT PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE)
             STRICT, WITHOUT ROWID;
             CREATE TABLE larder_secret (id INTEGER PRIMARY KEY) STRICT;",
        )
        .expect("creates");
    connection
}

fn change(table: &'static str, old: Option<Vec<Value>>, new: Option<Vec<Value>>) -> RowChange {
    RowChange { table, old, new }
}

fn parent(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Integer(id), Value::Text(name.to_owned())]
}

fn child(key: &str, parent: i64) -> Vec<Value> {
    vec![Value::Text(key.to_owned()), Value::Integer(parent)]
}

#[test]
fn a_writer_uses_wal_and_a_reader_sees_what_is_committed() {
    let folder = tempfile::tempdir().expect("folder");
    let place = Place::File(folder.path().join("a.db"));
    let mut writer = Connection::open(&place, WRITER).expect("opens");
    writer.batch("CREATE TABLE t (a INTEGER) STRICT").expect("creates");
    assert_eq!(writer.value("PRAGMA journal_mode", &[]).expect("reads"), Some(Value::Text("wal".into())));
    assert_eq!(writer.integer("PRAGMA synchronous", &[]).expect("reads"), Some(1));
    assert_eq!(writer.integer("PRAGMA foreign_keys", &[]).expect("reads"), Some(1));
    let mut reader = Connection::open(&place, Access::Reader).expect("opens");
    writer.batch("BEGIN").expect("begins");
    assert_eq!(writer.execute("INSERT INTO t VALUES (?)", &[ValueRef::Integer(7)]).expect("writes"), 1);
    assert!(writer.in_transaction());
    assert_eq!(reader.integer("SELECT a FROM t", &[]).expect("reads"), None);
    writer.batch("COMMIT").expect("commits");
    assert_eq!(reader.integer("SELECT a FROM t", &[]).expect("reads"), Some(7));
    let refused = reader.execute("DELETE FROM t", &[]).expect_err("refuses");
    assert_eq!(refused.kind, SqliteErrorKind::ReadOnly);
    let wal_bytes = || folder.path().join("a.db-wal").metadata().expect("reads").len();
    assert!(wal_bytes() > 0);
    drop(reader);
    writer.checkpoint(Checkpoint::Truncate).expect("checkpoints");
    assert_eq!(wal_bytes(), 0);
    writer.close().expect("closes");
}

#[cfg(unix)]
#[test]
fn a_new_file_is_private_and_a_symlink_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.db");
    Connection::open(&Place::File(path.clone()), WRITER).expect("opens").close().expect("closes");
    assert_eq!(path.metadata().expect("reads").permissions().mode() & 0o777, 0o600);
    let link = folder.path().join("link.db");
    symlink(&path, &link).expect("links");
    let refused = Connection::open(&Place::File(link), WRITER).err().expect("refuses");
    assert_eq!(refused.kind, SqliteErrorKind::CannotOpen);
}

#[test]
fn errors_have_kinds() {
    let folder = tempfile::tempdir().expect("folder");
    let missing = Place::File(folder.path().join("none.db"));
    let existing = Access::Writer { create: false, durability: Durability::Power };
    assert_eq!(Connection::open(&missing, existing).err().map(|error| error.kind), Some(SqliteErrorKind::CannotOpen));
    let path = folder.path().join("text.db");
    fs::write(&path, "this is no database, it is a text of some length".repeat(100)).expect("writes");
    let refused = Connection::open(&Place::File(path), existing).err().expect("refuses");
    assert_eq!(refused.kind, SqliteErrorKind::NotADatabase);
    let mut connection = memory();
    connection.execute("INSERT INTO parent VALUES (1, 'a')", &[]).expect("inserts");
    let mut kind = |sql: &str| connection.execute(sql, &[]).expect_err("refuses").kind;
    assert_eq!(kind("INSERT INTO parent VALUES (1, 'b')"), SqliteErrorKind::Constraint(Constraint::PrimaryKey));
    assert_eq!(kind("INSERT INTO parent VALUES (2, 'a')"), SqliteErrorKind::Constraint(Constraint::Unique));
    assert_eq!(kind("INSERT INTO child VALUES ('x', 9)"), SqliteErrorKind::Constraint(Constraint::Reference));
    assert_eq!(kind("INSERT INTO parent VALUES (2, NULL)"), SqliteErrorKind::Constraint(Constraint::Other));
    assert_eq!(kind("INSERT INTO parent VALUES ('x', 'y')"), SqliteErrorKind::Constraint(Constraint::Other));
    assert_eq!(kind("SELEKT"), SqliteErrorKind::Other);
    assert_eq!(kind("SELECT \"nothing\" FROM parent"), SqliteErrorKind::Other);
    assert_eq!(kind("SELECT 1"), SqliteErrorKind::Other);
}

#[test]
fn an_interrupt_ends_the_running_statement() {
    let mut connection = memory();
    let interrupter = connection.interrupter();
    let mut seen = 0_u64;
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let result = connection.each_row::<SqliteError>(endless, &[], |_| {
        seen += 1;
        if seen == 10 {
            interrupter.interrupt();
        }
        Ok(true)
    });
    assert_eq!(result.expect_err("interrupted").kind, SqliteErrorKind::Interrupted);
    assert_eq!(connection.integer("SELECT 1", &[]).expect("works again"), Some(1));
}

#[test]
fn a_backup_is_the_whole_database_in_a_new_file() {
    let folder = tempfile::tempdir().expect("folder");
    let mut connection = memory();
    connection.execute("INSERT INTO parent VALUES (1, 'a')", &[]).expect("inserts");
    let path = folder.path().join("backup.db");
    connection.backup_to(&path, &|| true).expect("backs up");
    assert!(connection.backup_to(&path, &|| true).is_err(), "an existing file is not written over");
    let interrupted = connection.backup_to(&path.with_extension("half"), &|| false).expect_err("is ended");
    assert_eq!((interrupted.kind, path.with_extension("half").exists()), (SqliteErrorKind::Interrupted, false));
    assert!(!connection.in_transaction());
    let mut copy = Connection::open(&Place::File(path), WRITER).expect("opens");
    assert_eq!(copy.integer("SELECT count(*) FROM parent", &[]).expect("reads"), Some(1));
}

fn app<'a>(sql: &'a str, params: &'a [(&'static str, ValueRef<'a>)]) -> Statement<'a> {
    Statement { sql, params: Params::Named(params), origin: Origin::App, row: "Row", columns: &[] }
}

fn integers(connection: &mut Connection, sql: &str, guard: Guard) -> Result<Vec<i64>, String> {
    let mut found = Vec::new();
    let statement = app(sql, &[]);
    let mut each = |row: &RowRef<'_>| {
        found.push(row.get("Row", 0)?);
        Ok(true)
    };
    connection.read(&statement, guard, &mut each).map_err(|error| error.to_string())?;
    Ok(found)
}

#[test]
fn sql_of_an_app_reads_the_schema_s_tables_only() {
    let mut connection = memory();
    connection.start_capture(&[&PARENT]).expect("starts");
    connection.hear_inserts().expect("hears");
    connection.execute("INSERT INTO parent VALUES (1, 'a')", &[]).expect("inserts");
    let mut ask = |sql: &str| integers(&mut connection, sql, Guard::ReadOnlySql);
    assert_eq!(ask("SELECT id FROM parent"), Ok(vec![1]));
    assert_eq!(ask("WITH p AS (SELECT 1) SELECT count(*) FROM p"), Ok(vec![1]));
    assert_eq!(ask("SELECT value FROM json_each('[1,2]')"), Ok(vec![1, 2]));
    assert_eq!(ask("SELECT count(*) FROM parent, json_each('[1,2]')"), Ok(vec![2]));
    for sql in [
        "SELECT id FROM larder_secret",
        "SELECT count(*) FROM larder_secret",
        "SELECT count(*) FROM sqlite_schema",
        "SELECT count(*) FROM temp.sqlite_schema",
        "SELECT count(*) FROM sqlite_temp_master",
        "SELECT count(*) FROM pragma_table_info('parent')",
        "SELECT pagesize FROM dbstat",
        "PRAGMA user_version",
        "BEGIN",
        "SAVEPOINT x",
        "ATTACH ':memory:' AS x",
        "DELETE FROM parent RETURNING id",
        "INSERT INTO parent VALUES (2, 'b')",
        "CREATE TABLE x (a)",
        "CREATE TEMP TABLE x (a)",
        "DROP TABLE parent",
        "ALTER TABLE parent ADD COLUMN x",
        "VACUUM",
        "ANALYZE",
        "SELECT larder_capture(0, 1, 'x')",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
    ] {
        assert!(ask(sql).is_err(), "{sql}");
    }
    assert_eq!(connection.take_changes().len(), 1, "nothing but the first insert");
}

#[test]
fn sql_in_a_materializer_depends_on_its_arguments_only() {
    let mut connection = memory();
    let mut ask = |sql: &str| integers(&mut connection, sql, Guard::Materializer);
    assert_eq!(ask("SELECT unixepoch('2026-01-02')"), Ok(vec![1_767_312_000]));
    assert_eq!(ask("SELECT unixepoch('2026-01-02', '+1 day', 'subsec') IS NOT NULL"), Ok(vec![1]));
    assert_eq!(ask("SELECT strftime('%Y', '2026-01-02') = '2026'"), Ok(vec![1]));
    assert_eq!(ask("SELECT timediff('2026-01-02', '2026-01-01') IS NOT NULL"), Ok(vec![1]));
    for sql in [
        "SELECT random()",
        "SELECT length(randomblob(4))",
        "SELECT changes()",
        "SELECT total_changes()",
        "SELECT last_insert_rowid()",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT CURRENT_DATE IS NULL",
        "SELECT CURRENT_TIME IS NULL",
        "SELECT unixepoch()",
        "SELECT unixepoch('now')",
        "SELECT unixepoch('n' || 'OW')",
        "SELECT unixepoch(CAST('now' AS BLOB))",
        "SELECT unixepoch(CAST(x'6e6f770041' AS TEXT))",
        "SELECT unixepoch('subsec')",
        "SELECT strftime('%Y') IS NULL",
        "SELECT timediff('now', '2026-01-02') IS NULL",
        "SELECT timediff('2026-01-02', 'now') IS NULL",
        "SELECT date('2026-01-02', 'localtime') IS NULL",
    ] {
        assert!(ask(sql).is_err(), "{sql}");
    }
    let mut read = |sql: &str| integers(&mut connection, sql, Guard::ReadOnlySql);
    assert!(read("SELECT unixepoch('now')").is_ok(), "a query may ask for the time");
    assert!(read("SELECT random()").is_ok());
    let again = integers(&mut connection, "SELECT random()", Guard::Materializer);
    assert!(again.expect_err("refused").contains("`random` is not allowed in a materializer"));
}

#[test]
fn every_function_of_sqlite_that_is_not_deterministic_is_refused_in_a_materializer() {
    const DETERMINISTIC: i64 = 0x800;
    let mut connection = memory();
    let mut names = Vec::new();
    connection
        .each_row::<SqliteError>("SELECT DISTINCT name, flags, type FROM pragma_function_list", &[], |row| {
            if let (ValueRef::Text(name), ValueRef::Integer(flags), ValueRef::Text("s")) =
                (row.value(0), row.value(1), row.value(2))
                && flags & DETERMINISTIC == 0
            {
                names.push(name.to_owned());
            }
            Ok(true)
        })
        .expect("lists");
    let full_text = |name: &str| name.starts_with("fts") || name.starts_with("rtree") || name.starts_with("match");
    names.retain(|name| !full_text(name));
    assert!(names.iter().any(|name| name == "random"));
    for name in names {
        for arguments in ["", "1", "1, 1"] {
            let result = integers(&mut connection, &format!("SELECT {name}({arguments})"), Guard::Materializer);
            assert!(result.is_err(), "{name}({arguments})");
        }
    }
}

#[test]
fn parameters_and_columns_are_found_by_name() {
    let mut connection = memory();
    connection.execute("INSERT INTO parent VALUES (1, 'a')", &[]).expect("inserts");
    let mut ask = |sql: &str, params: &[(&'static str, ValueRef<'_>)], columns: &'static [&'static str]| {
        let mut found = Vec::new();
        let statement = Statement { columns, ..app(sql, params) };
        connection
            .rows(&statement, &mut |row| {
                found.push((row.get::<String>("Row", 0)?, row.get::<i64>("Row", 1)?));
                Ok(true)
            })
            .map(|()| found)
            .map_err(|error| error.to_string())
    };
    let sql = "SELECT id AS number, name FROM parent WHERE id = :id OR id = :id";
    let one = [("id", ValueRef::Integer(1))];
    assert_eq!(ask(sql, &one, &["name", "number"]), Ok(vec![("a".to_owned(), 1)]));
    assert!(ask(sql, &[], &["name", "number"]).expect_err("refuses").contains("parameter `:id` has no value"));
    let other = [("id", ValueRef::Integer(1)), ("x", ValueRef::Null)];
    assert!(ask(sql, &other, &["name", "number"]).expect_err("refuses").contains("parameter `:x` is not in the"));
    let missing = ask(sql, &one, &["name", "count"]).expect_err("refuses");
    assert_eq!(
        missing,
        format!(
            "`Row` needs a column `count`, and `{sql}` has `number`, `name`; name the column with `AS count`, or rename the field"
        )
    );
}
