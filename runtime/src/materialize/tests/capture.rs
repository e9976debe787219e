//! Whatever is written, by whatever statement: the record is the difference of the whole tables, and undoes it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{TableSchema, table::quote};

/// Every row of every table, by table and key.
type Dump = BTreeMap<(&'static str, String), Vec<Value>>;

const TABLES: [fn() -> &'static TableSchema; 3] = [Person::schema, Task::schema, Tag::schema];

fn dump(connection: &mut Connection) -> Dump {
    let mut rows = Dump::new();
    for table in TABLES {
        let table = table();
        connection
            .each_row::<crate::storage::sqlite::SqliteError>(&table.statements().select, &[], |row| {
                let values: Vec<Value> = (0..table.columns.len()).map(|column| row.value(column).to_owned()).collect();
                rows.insert((table.name, key(table, &values)), values);
                Ok(true)
            })
            .expect("reads");
    }
    rows
}

fn key(table: &TableSchema, values: &[Value]) -> String {
    table.primary_key.iter().map(|column| format!("{:?}/", values[*column])).collect()
}

/// The first value before and the last value after, by row.
fn apply(mut rows: Dump, changes: &[RowChange]) -> Dump {
    let schema = |name: &str| TABLES.iter().map(|table| table()).find(|table| table.name == name).expect("a table");
    for change in changes {
        if let Some(old) = &change.old {
            let found = rows.remove(&(change.table, key(schema(change.table), old)));
            assert_eq!(found.as_ref(), Some(old), "the row before is the one that was there");
        }
        if let Some(new) = &change.new {
            let before = rows.insert((change.table, key(schema(change.table), new)), new.clone());
            assert_eq!(before, None, "no row was there");
        }
    }
    rows
}

/// Undoes changes, newest first, without references: one row each.
fn undo(connection: &mut Connection, changes: &[RowChange]) {
    connection.set_foreign_keys(false).expect("switches");
    for change in changes.iter().rev() {
        let table = TABLES.iter().map(|table| table()).find(|table| table.name == change.table).expect("a table");
        if let Some(new) = &change.new {
            let key: Vec<_> = table.primary_key.iter().map(|column| new[*column].as_ref()).collect();
            assert_eq!(connection.execute(&table.statements().delete_by_key, &key).expect("deletes"), 1);
        }
        if let Some(old) = &change.old {
            let values: Vec<_> = old.iter().map(Value::as_ref).collect();
            let written = connection.write_row(table, &table.statements().insert, values.into_iter());
            assert_eq!(written.expect("inserts"), 1);
        }
    }
    connection.set_foreign_keys(true).expect("switches");
}

#[derive(Clone, Debug)]
enum Write {
    InsertPerson(i64, i64),
    UpsertPerson(i64, i64),
    ReplacePerson(i64, i64),
    RenamePerson(i64, i64),
    ScorePeople(i64),
    DeletePerson(i64),
    DeletePeople,
    InsertTask(i64, Option<i64>, Option<i64>),
    UpsertTask(i64, Option<i64>),
    ReplaceTask(i64, Option<i64>),
    MoveTask(i64, i64),
    DeleteTask(i64),
    DeleteTasks,
    InsertTag(i64, i64),
    ReplaceTag(i64, i64),
    RetagAll(i64),
    OrIgnore(i64, i64),
    OrFail(i64, i64),
    Savepoint(Vec<Write>),
}

fn login(n: i64) -> String {
    format!("p{n}\0'")
}

impl Write {
    fn run(&self, connection: &mut Connection) {
        let mut tables = tables(connection);
        let owner = |owner: &Option<i64>| owner.map(login);
        let (people, tags, tasks) =
            (quote(Person::schema().name), quote(Tag::schema().name), quote(Task::schema().name));
        // A refused statement is part of the game: it changes nothing and records nothing.
        let _ = match self {
            Self::InsertPerson(n, number) => tables.insert(person(&login(*n), *number)),
            Self::UpsertPerson(n, number) => tables.upsert(person(&login(*n), *number)),
            Self::ReplacePerson(n, number) => {
                tables.execute_sql(&format!("REPLACE INTO {people} VALUES (?, ?, 0.5)"), (login(*n), *number))
            }
            Self::RenamePerson(from, to) => {
                tables.update(Person::by_key(login(*from))).set(Person::LOGIN, login(*to)).run()
            }
            Self::ScorePeople(score) => tables.update(Person::all()).set(Person::SCORE, *score as f64).run(),
            Self::DeletePerson(n) => tables.delete(Person::by_key(login(*n))).run(),
            Self::DeletePeople => tables.execute_sql(&format!("DELETE FROM {people}"), ()),
            Self::InsertTask(id, by, parent) => {
                tables.insert(Task { parent: *parent, owner: owner(by), ..task(*id, None) })
            }
            Self::UpsertTask(id, by) => tables.upsert(Task { owner: owner(by), ..task(*id, None) }),
            Self::ReplaceTask(id, by) => tables.execute_sql(
                &format!("REPLACE INTO {tasks} (id, title, owner) VALUES (?, 'replaced', ?)"),
                (*id, owner(by)),
            ),
            Self::MoveTask(from, to) => tables.update(Task::by_key(*from)).set(Task::ID, *to).run(),
            Self::DeleteTask(id) => tables.delete(Task::by_key(*id)).run(),
            Self::DeleteTasks => tables.execute_sql(&format!("DELETE FROM {tasks}"), ()),
            Self::InsertTag(id, n) => tables.insert(tag(*id, &login(*n))),
            Self::ReplaceTag(id, n) => {
                tables.execute_sql(&format!("REPLACE INTO {tags} VALUES (?, ?)"), (*id, login(*n)))
            }
            Self::RetagAll(id) => tables.execute_sql(&format!("UPDATE OR REPLACE {tags} SET task = ?"), [*id]),
            Self::OrIgnore(n, number) => tables.execute_sql(
                &format!("INSERT OR IGNORE INTO {people} VALUES (?, ?, NULL), ('x', ?, NULL)"),
                (login(*n), *number, *number),
            ),
            Self::OrFail(n, number) => tables.execute_sql(
                &format!("INSERT OR FAIL INTO {people} VALUES (?, ?, NULL), ('x', ?, NULL)"),
                (login(*n), *number, *number),
            ),
            Self::Savepoint(writes) => {
                let mark = connection.changes_mark();
                connection.execute("SAVEPOINT test", &[]).expect("begins");
                writes.iter().for_each(|write| write.run(connection));
                connection.execute("ROLLBACK TO test", &[]).expect("rolls back");
                connection.execute("RELEASE test", &[]).expect("releases");
                connection.changes_truncate(mark);
                Ok(())
            }
        };
    }
}

fn write() -> impl Strategy<Value = Write> {
    let n = || 0..4_i64;
    let leaf = prop_oneof![
        3 => (n(), n()).prop_map(|(n, number)| Write::InsertPerson(n, number)),
        1 => (n(), n()).prop_map(|(n, number)| Write::UpsertPerson(n, number)),
        2 => (n(), n()).prop_map(|(n, number)| Write::ReplacePerson(n, number)),
        1 => (n(), n()).prop_map(|(from, to)| Write::RenamePerson(from, to)),
        1 => n().prop_map(Write::ScorePeople),
        1 => n().prop_map(Write::DeletePerson),
        1 => Just(Write::DeletePeople),
        4 => (n(), prop::option::of(n()), prop::option::of(n()))
            .prop_map(|(id, by, parent)| Write::InsertTask(id, by, parent)),
        2 => (n(), prop::option::of(n())).prop_map(|(id, by)| Write::UpsertTask(id, by)),
        2 => (n(), prop::option::of(n())).prop_map(|(id, by)| Write::ReplaceTask(id, by)),
        1 => (n(), n()).prop_map(|(from, to)| Write::MoveTask(from, to)),
        1 => n().prop_map(Write::DeleteTask),
        1 => Just(Write::DeleteTasks),
        4 => (n(), n()).prop_map(|(id, n)| Write::InsertTag(id, n)),
        2 => (n(), n()).prop_map(|(id, n)| Write::ReplaceTag(id, n)),
        1 => n().prop_map(Write::RetagAll),
        1 => (n(), n()).prop_map(|(n, number)| Write::OrIgnore(n, number)),
        1 => (n(), n()).prop_map(|(n, number)| Write::OrFail(n, number)),
    ];
    leaf.prop_recursive(1, 8, 6, |write| prop::collection::vec(write, 0..6).prop_map(Write::Savepoint))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_record_is_the_difference_of_the_tables(writes in prop::collection::vec(write(), 1..40)) {
        let mut connection = database();
        connection.start_capture(&TABLES.map(|table| table())).expect("starts");
        connection.batch("BEGIN").expect("begins");
        let empty = dump(&mut connection);
        let mut changes = Vec::new();
        let mut before = empty.clone();
        for write in &writes {
            write.run(&mut connection);
            let mut changed = connection.take_changes();
            let after = dump(&mut connection);
            let net = apply(before, &changed);
            prop_assert_eq!(&net, &after, "{:?}", write);
            before = after;
            changes.append(&mut changed);
        }
        undo(&mut connection, &changes);
        prop_assert_eq!(dump(&mut connection), empty);
        prop_assert_eq!(connection.integer("SELECT count(*) FROM pragma_foreign_key_check", &[]), Ok(Some(0)));
    }
}
