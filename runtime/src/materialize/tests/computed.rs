//! Columns that are computed of the row as it was.

use super::*;
use crate::value::ValueError;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(crate = crate, name = "counts")]
struct Count {
    #[table(primary_key)]
    key: i64,
    wide: i64,
    other: i64,
    narrow: i32,
    small: u8,
    real: f64,
}

impl HasTable<Count> for Schema {}

const ROW: Count = Count { key: 1, wide: 10, other: 3, narrow: 10, small: 10, real: 1.5 };

fn counts() -> Connection {
    let mut connection = begun();
    connection.batch(&Count::schema().ddl()).expect("makes the table");
    connection
}

#[test]
fn a_computed_column_is_the_row_s_own_number_of_before_the_update() {
    let mut connection = counts();
    let mut tables = tables(&mut connection);
    tables.insert(ROW).expect("inserts");
    tables.insert(Count { key: 2, wide: -5, ..ROW }).expect("inserts");
    let changed = tables
        .update(Count::all())
        .set(Count::WIDE, Count::WIDE + 1)
        .set(Count::OTHER, Count::WIDE - Count::OTHER)
        .set(Count::NARROW, Count::NARROW * 2)
        .set(Count::SMALL, Count::SMALL - 10)
        .set(Count::REAL, Count::REAL + 0.25)
        .run_count();
    assert_eq!(changed.expect("updates"), 2);
    let one = Count { key: 1, wide: 11, other: 7, narrow: 20, small: 0, real: 1.75 };
    let two = Count { key: 2, wide: -4, other: -8, ..one };
    assert_eq!(tables.query(Count::all()), Ok(vec![one, two]));
    let last = Count::all().order_by(Count::WIDE.desc()).limit(1);
    tables.update(last).set(Count::WIDE, Count::WIDE * Count::WIDE).run_one().expect("updates");
    assert_eq!(tables.query(Count::by_key(1)).map(|row| row.map(|row| row.wide)), Ok(Some(121)));
    assert_eq!(format!("{:?} {:?}", Count::WIDE + Count::OTHER, Count::WIDE - 1), "wide + other wide - Integer(1)");
}

/// An update's formula, and what it must come to.
type Case<V> = (crate::ComputedColumn<Count, V>, Option<V>);

#[test]
fn a_number_that_does_not_fit_its_column_is_an_error_and_changes_nothing() {
    let edges = [i64::MIN, i64::MIN + 1, -3_037_000_500, -2, -1, 0, 1, 2, 3_037_000_500, i64::MAX - 1, i64::MAX];
    let mut connection = counts();
    let mut tables = tables(&mut connection);
    tables.insert(ROW).expect("inserts");
    for (left, right) in edges.iter().flat_map(|left| edges.map(|right| (*left, right))) {
        let cases: [Case<i64>; 3] = [
            (Count::WIDE + right, left.checked_add(right)),
            (Count::WIDE - right, left.checked_sub(right)),
            (Count::WIDE * right, left.checked_mul(right)),
        ];
        for (formula, wanted) in cases {
            tables.upsert(Count { wide: left, ..ROW }).expect("upserts");
            let result = tables.update(Count::by_key(1)).set(Count::WIDE, formula.clone()).run_one();
            assert_eq!(result.is_ok(), wanted.is_some(), "{left}: {formula:?}: {result:?}");
            let found = tables.query(Count::by_key(1).one()).expect("the row").wide;
            assert_eq!(found, wanted.unwrap_or(left), "{left}: {formula:?}");
        }
    }
    tables.upsert(Count { narrow: i32::MAX, small: 0, real: f64::INFINITY, ..ROW }).expect("upserts");
    let before = tables.query(Count::by_key(1).one()).expect("the row");
    let results = [
        tables.update(Count::all()).set(Count::NARROW, Count::NARROW + 1).run(),
        tables.update(Count::all()).set(Count::WIDE, 5).set(Count::SMALL, Count::SMALL - 1).run(),
        tables.update(Count::all()).set(Count::REAL, Count::REAL - f64::INFINITY).run(),
        tables.update(Count::all()).set(Count::REAL, Count::REAL + f64::NAN).run(),
    ];
    let out = |expected| ValueError::OutOfRange { expected, value: "computed of a row".to_owned() };
    let wanted = [
        ("narrow", out("i32")),
        ("small", out("u8")),
        ("real", ValueError::NotANumber),
        ("real", ValueError::NotANumber),
    ];
    for (result, wanted) in results.into_iter().zip(wanted) {
        let Err(MaterializeError::Value { table: "counts", column, source }) = result else { panic!("{result:?}") };
        assert_eq!((column, source), wanted);
    }
    assert_eq!(tables.query(Count::by_key(1).one()), Ok(before));
}
