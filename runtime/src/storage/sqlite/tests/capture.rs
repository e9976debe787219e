//! Which rows a connection records.

use super::*;

#[test]
fn capture_sees_replace_cascade_bare_delete_and_upsert() {
    let mut connection = memory();
    connection.start_capture(&[&PARENT, &CHILD]).expect("starts");
    connection.hear_inserts().expect("hears");
    let mut run = |sql: &str| {
        connection.execute(sql, &[]).expect("runs");
        connection.take_changes()
    };
    assert_eq!(run("INSERT INTO parent VALUES (1, 'a')"), [change("parent", None, Some(parent(1, "a")))]);
    assert_eq!(run("INSERT INTO child VALUES ('x', 1)"), [change("child", None, Some(child("x", 1)))]);
    assert_eq!(
        run("INSERT INTO parent VALUES (1, 'b') ON CONFLICT (id) DO UPDATE SET name = excluded.name"),
        [change("parent", Some(parent(1, "a")), Some(parent(1, "b")))]
    );
    assert_eq!(run("UPDATE parent SET name = 'b'"), [], "nothing changed");
    assert_eq!(
        run("REPLACE INTO parent VALUES (2, 'b')"),
        [
            change("child", Some(child("x", 1)), None),
            change("parent", Some(parent(1, "b")), None),
            change("parent", None, Some(parent(2, "b"))),
        ]
    );
    run("INSERT INTO child VALUES ('y', 2)");
    assert_eq!(run("UPDATE child SET key = 'z'"), [change("child", Some(child("y", 2)), Some(child("z", 2)))]);
    assert_eq!(
        run("DELETE FROM parent"),
        [change("child", Some(child("z", 2)), None), change("parent", Some(parent(2, "b")), None)]
    );
}

#[test]
fn capture_forgets_what_was_rolled_back() {
    let mut connection = memory();
    connection.start_capture(&[&PARENT]).expect("starts");
    connection.hear_inserts().expect("hears");
    connection.batch("BEGIN; INSERT INTO parent VALUES (1, 'a'); SAVEPOINT s").expect("runs");
    let mark = connection.changes_mark();
    connection.execute("INSERT INTO parent VALUES (2, 'b')", &[]).expect("runs");
    connection.batch("ROLLBACK TO s").expect("runs");
    connection.changes_truncate(mark);
    let refused = connection.execute("INSERT INTO parent VALUES (3, 'c'), (1, 'd')", &[]);
    assert!(refused.is_err(), "the statement is undone, and so is what it recorded");
    assert_eq!(connection.take_changes(), [change("parent", None, Some(parent(1, "a")))]);
    connection.stop_capture().expect("stops");
    connection.execute("INSERT INTO parent VALUES (4, 'd')", &[]).expect("runs");
    assert_eq!(connection.take_changes(), []);
}

#[test]
fn recording_that_cannot_start_leaves_nothing_behind() {
    let mut connection = memory();
    connection.batch("DROP TABLE child").expect("drops");
    connection.start_capture(&[&PARENT, &CHILD]).expect_err("there is no such table");
    assert!(!connection.is_capturing());
    assert_eq!(connection.integer("SELECT count(*) FROM temp.sqlite_schema", &[]), Ok(Some(0)));
    connection.start_capture(&[&PARENT]).expect("starts");
    connection.hear_inserts().expect("hears");
    connection.execute("INSERT INTO parent VALUES (1, 'a')", &[]).expect("inserts");
    assert_eq!(connection.take_changes(), [change("parent", None, Some(parent(1, "a")))]);
}

/// One row by its table's own insert.
fn insert(connection: &mut Connection, table: &'static TableSchema, row: &[Value]) -> Vec<RowChange> {
    let sql = &table.statements().insert;
    connection.write_row(table, sql, row.iter().map(Value::as_ref)).expect("inserts");
    connection.take_changes()
}

fn upsert(connection: &mut Connection, table: &'static TableSchema, row: &[Value]) -> Vec<RowChange> {
    let sql = &table.statements().upsert;
    connection.write_row(table, sql, row.iter().map(Value::as_ref)).expect("writes");
    connection.take_changes()
}

#[test]
fn a_row_of_larder_s_own_insert_is_recorded_once_whether_triggers_hear_of_it_or_not() {
    let mut connection = memory();
    connection.start_capture(&[&PARENT]).expect("starts");
    for round in 0..3 {
        let (row, renamed) = (parent(round, &format!("a{round}")), parent(round, &format!("b{round}")));
        assert_eq!(upsert(&mut connection, &PARENT, &row), [change("parent", None, Some(row.clone()))]);
        assert_eq!(upsert(&mut connection, &PARENT, &row), [], "nothing changed");
        let updated = change("parent", Some(row), Some(renamed.clone()));
        assert_eq!(upsert(&mut connection, &PARENT, &renamed), [updated]);
        let other = parent(round + 10, &format!("c{round}"));
        assert_eq!(insert(&mut connection, &PARENT, &other), [change("parent", None, Some(other))]);
        assert_eq!(insert(&mut connection, &CHILD, &child(&format!("x{round}"), round)), [], "it is not asked for");
        match round {
            0 => {
                connection.batch("BEGIN; SAVEPOINT s").expect("begins");
                connection.hear_inserts().expect("hears");
                connection.batch("ROLLBACK TO s; COMMIT").expect("ends");
            }
            _ => connection.hear_inserts().expect("hears"),
        }
    }
}

#[test]
fn a_refused_row_is_not_recorded() {
    let mut connection = memory();
    connection.start_capture(&[&PARENT]).expect("starts");
    insert(&mut connection, &PARENT, &parent(1, "a"));
    let again = parent(1, "b");
    connection.write_row(&PARENT, &PARENT.statements().insert, again.iter().map(Value::as_ref)).expect_err("refuses");
    assert_eq!(connection.take_changes(), []);
}

static NUMBERS: TableSchema = TableSchema {
    name: "numbers",
    type_name: "Numbers",
    columns: &[column("id", Storage::Integer), column("value", Storage::Real), column("text", Storage::Text)],
    primary_key: &[0],
    unique: &[],
    indexes: &[],
    references: &[],
    statements: TableStatements::new(),
};

#[test]
fn a_value_that_its_column_turns_into_another_is_recorded_as_it_is_stored() {
    let (null, text) = (Value::Null, |text: &str| Value::Text(text.to_owned()));
    let rows = [
        [Value::Integer(1), Value::Real(1.0), text("a")],
        [Value::Integer(2), Value::Integer(7), text("a")],
        [Value::Integer(3), Value::Real(f64::NAN), text("a")],
        [Value::Integer(4), Value::Real(-0.0), text("a")],
        [Value::Integer(5), text("2.5"), text("a")],
        [Value::Integer(6), null.clone(), Value::Integer(8)],
        [null, Value::Real(0.0), text("a")],
    ];
    for row in rows {
        let mut connection = memory();
        connection
            .batch("CREATE TABLE numbers (id INTEGER PRIMARY KEY, value REAL, text TEXT NOT NULL) STRICT")
            .expect("creates");
        connection.start_capture(&[&NUMBERS]).expect("starts");
        let recorded = insert(&mut connection, &NUMBERS, &row);
        let mut stored = Vec::new();
        connection
            .each_row::<SqliteError>(&NUMBERS.statements().select, &[], |found| {
                stored.extend((0..3).map(|column| found.value(column).to_owned()));
                Ok(true)
            })
            .expect("reads");
        // As a text, because `0.0 == -0.0`.
        let stored = format!("{:?}", [change("numbers", None, Some(stored))]);
        assert_eq!(format!("{recorded:?}"), stored, "{row:?}");
    }
}
