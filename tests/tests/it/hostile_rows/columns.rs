//! Values in rows of the tables that no column takes.

use super::*;

/// Values that a table of SQLite's holds and a column's type does not.
const MISFITS: &[(&str, &[&str])] = &[
    ("i8", &["128", "-129", "9223372036854775807"]),
    ("i16", &["32768", "-32769"]),
    ("i32", &["2147483648", "-2147483649"]),
    ("u8", &["256", "-1"]),
    ("u16", &["65536", "-1"]),
    ("u32", &["4294967296", "-1"]),
    ("f32", &["1e300", "0.1", "-1e39"]),
    ("bool", &["2", "-1", "9223372036854775807"]),
    ("at", &["9223372036854775807", "-9223372036854775808", "253402300800000000"]),
    ("uuid", &["x''", "x'00'", "zeroblob(17)", "zeroblob(1000000)"]),
    ("level", &["256", "-1"]),
    ("maybe", &["128", "-129"]),
];

/// Storage classes that a `STRICT` table does not take; a damaged one, or one that is not strict any more, does.
const WRONG_CLASSES: &[(&str, &[&str])] = &[
    ("i8", &["'x'", "1.5", "x'01'", "NULL"]),
    ("f64", &["'x'", "x'01'", "NULL"]),
    ("bool", &["'true'", "0.5", "x'01'"]),
    ("at", &["'1970-01-01'", "0.5", "x'00'"]),
    ("uuid", &["'00000000-0000-0000-0000-000000000000'", "1", "0.5"]),
    ("maybe", &["'x'", "1.5", "x'01'"]),
];

/// Changes a closed vault's row of `numbers`, or of `things`, and opens it again.
async fn misfit(lab: &mut Lab, strict: bool, change: &str) -> StoreHandle<Vault> {
    closed(lab).await;
    let ddl: String = lab
        .sqlite("vault")
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'numbers'", [], |row| row.get(0))
        .unwrap();
    if !strict {
        declare(lab, &ddl.replace("STRICT", "").replace(" NOT NULL", ""));
    }
    lab.sqlite("vault").execute_batch(change).unwrap();
    if !strict {
        // A table that is declared in other words is made anew by the load.
        declare(lab, &ddl);
    }
    lab.open::<Vault>().await
}

/// Changes what the file says of the table `numbers`, and none of its rows.
fn declare(lab: &Lab, ddl: &str) {
    let sqlite = lab.sqlite("vault");
    sqlite.execute_batch("PRAGMA writable_schema = ON").unwrap();
    sqlite.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'numbers'", [ddl]).unwrap();
    sqlite.execute_batch("PRAGMA writable_schema = RESET").unwrap();
    sqlite.close().unwrap();
}

/// A row that does not decode is an error of the query alone: the store goes on, `verify` tells, and a rebuild mends it.
async fn is_told(lab: &mut Lab, store: StoreHandle<Vault>, error: &QueryError, column: &str, change: &str) {
    let QueryErrorKind::Decode { column: found, source, .. } = error.kind() else { panic!("{change}: {error}") };
    assert_eq!(found, column, "{change}");
    let typed = matches!(source, ValueError::Type { .. } | ValueError::OutOfRange { .. } | ValueError::Invalid { .. });
    assert!(typed && Error::source(error).is_none_or(|source| !source.to_string().is_empty()), "{change}: {source}");
    is_one_line(&error.to_string());
    assert!(!store.verify().unwrap().is_sound(), "{change}");
    store.commit(kept("second")).unwrap();
    drop(store);
    lab.close().await;
    let sqlite = lab.sqlite("vault");
    forge::forget_tables(&sqlite);
    sqlite.close().unwrap();
    let store = lab.open::<Vault>().await;
    assert_eq!((store.query(Numbers::all().count()), store.query(Thing::all().count())), (Ok(1), Ok(2)), "{change}");
    assert!(store.query(Numbers::all()).is_ok() && store.verify().unwrap().is_sound(), "{change}");
}

#[tokio::test]
async fn a_number_that_does_not_fit_its_column_s_type_is_a_typed_error() {
    for (strict, list) in [(true, MISFITS), (false, WRONG_CLASSES)] {
        for (column, values) in list {
            for value in *values {
                let mut lab = Lab::on_memory_disk();
                let change = format!("UPDATE numbers SET \"{column}\" = {value}");
                let store = misfit(&mut lab, strict, &change).await;
                let error = store.query(Numbers::all()).expect_err(&change);
                assert_eq!(store.query(Numbers::by_key(1)), Err(error.clone()));
                is_told(&mut lab, store, &error, column, &change).await;
            }
        }
    }
}

#[tokio::test]
async fn a_text_that_is_none_is_a_typed_error() {
    let deep = |open: &str, close: &str| format!("'{}{}'", open.repeat(10_000), close.repeat(10_000));
    let (arrays, objects) = (deep("[", "]"), deep("{\"a\":", "}"));
    for (column, value) in [
        ("text", "CAST(x'ff' AS TEXT)"),
        ("text", "CAST(x'c328' AS TEXT)"),
        ("text", "CAST(x'eda080' AS TEXT)"),
        ("note", "CAST(x'f8a1a1a1a1' AS TEXT)"),
        ("kind", "'Plan'"),
        ("kind", "'''); DROP TABLE things --'"),
        ("kind", "CAST(x'ff' AS TEXT)"),
        ("kind", "'a' || char(10) || 'b'"),
        ("json", "''"),
        ("json", "'{'"),
        ("json", "'[1,]'"),
        ("json", "'\"\\ud800\"'"),
        ("json", "'1e999'"),
        ("json", "CAST(x'22ff22' AS TEXT)"),
        ("json", "char(10) || char(27) || '[31m'"),
        ("json", arrays.as_str()),
        ("json", objects.as_str()),
    ] {
        let mut lab = Lab::on_memory_disk();
        let change = format!("UPDATE things SET {column} = {value}");
        let store = misfit(&mut lab, true, &change).await;
        let change = change.chars().take(100).collect::<String>();
        let error = store.query(Thing::all()).expect_err(&change);
        is_told(&mut lab, store, &error, column, &change).await;
    }
}
