//! Sizes: what is too large for SQLite in one form is written in another.

use super::*;
use crate::storage::sqlite::SqliteError;

/// Deep conditions are built, cloned, printed, run and dropped on a test thread's 2 MiB stack.
const TERMS: i64 = 5_000;

#[test]
fn long_chains_of_and_and_of_or() {
    let mut connection = database(&[item(1), item(7), item(TERMS)]);
    let any = (1..TERMS).fold(Item::ID.eq(0), |chain, id| chain.or(Item::ID.eq(id)));
    assert_eq!(found(&mut connection, any.clone()), [1, 7]);
    assert_eq!(found(&mut connection, !any), [TERMS]);
    let all = (1..TERMS).fold(Item::ID.ne(0), |chain, id| chain.and(Item::ID.ne(id)));
    assert_eq!(found(&mut connection, all.clone()), [TERMS]);
    assert_eq!(found(&mut connection, !all), [1, 7]);
    let right = (1..TERMS).fold(Item::ID.eq(0), |chain, id| Item::ID.eq(id).or(chain));
    assert_eq!(found(&mut connection, right), [1, 7]);
}

#[test]
fn long_chains_that_alternate() {
    let mut connection = database(&(0..10).map(item).collect::<Vec<_>>());
    let holds =
        |id: i64| (1..TERMS).fold(id == 3, |chain, n| if n % 2 == 0 { chain || id == n } else { chain && id < n + 5 });
    let expected: Vec<i64> = (0..10).filter(|id| holds(*id)).collect();
    let alternating = |swap: bool| {
        (1..TERMS).fold(Item::ID.eq(3), |chain, n| match (n % 2 == 0, swap) {
            (true, false) => chain.or(Item::ID.eq(n)),
            (true, true) => Item::ID.eq(n).or(chain),
            (false, false) => chain.and(Item::ID.lt(n + 5)),
            (false, true) => Item::ID.lt(n + 5).and(chain),
        })
    };
    assert_eq!(found(&mut connection, alternating(false)), expected);
    assert_eq!(found(&mut connection, alternating(true)), expected);
    let unexpected: Vec<i64> = (0..10).filter(|id| !holds(*id)).collect();
    assert_eq!(found(&mut connection, alternating(false).not()), unexpected);
}

#[test]
fn deep_trees_below_and_above_the_limit_agree() {
    let mut connection = database(&(0..10).map(item).collect::<Vec<_>>());
    for depth in [1, 10, 97, 98, 99, 100, 150, 190, 195, 196, 197, 200, 300, 1_000] {
        let term = |n: i64| Item::NICK.ne("x").and(Item::SCORE.is_null().or(Item::PARENT.gt(n)));
        let chain = (1..depth).fold(Item::ID.eq(3), |chain, n| {
            if n % 2 == 0 { chain.or(Item::ID.eq(n).and(term(n))) } else { chain.and(term(n).or(Item::NICK.lt("a"))) }
        });
        let expected: Vec<i64> = (0..10).filter(|id| *id == 3 || (*id > 0 && id % 2 == 0 && *id < depth)).collect();
        assert_eq!(found(&mut connection, chain), expected, "{depth}");
    }
}

#[test]
fn many_negations() {
    let mut connection = database(&[item(1), item(2)]);
    let even = (0..100_000).fold(Item::ID.eq(1), |predicate, _| !predicate);
    assert_eq!(found(&mut connection, even.clone()), [1]);
    assert_eq!(found(&mut connection, !even), [2]);
}

#[test]
fn in_takes_any_number_of_values() {
    let rows: Vec<Item> = [1, 5, 9_999, 40_000].map(item).to_vec();
    let mut connection = database(&rows);
    assert_eq!(found(&mut connection, Item::ID.in_(Vec::<i64>::new())), [] as [i64; 0]);
    assert_eq!(found(&mut connection, !Item::ID.in_(Vec::<i64>::new())), ids(&rows));
    assert_eq!(found(&mut connection, Item::NICK.in_([None::<String>])), ids(&rows));
    for count in [1, 2, 3, 999, 1_000, 1_001, 10_000, 50_000] {
        let expected: Vec<i64> = ids(&rows).into_iter().filter(|id| *id < count).collect();
        assert_eq!(found(&mut connection, Item::ID.in_(0..count)), expected, "{count} integers");
        let names = || (0..count).map(|id| format!("n{id}"));
        assert_eq!(found(&mut connection, Item::NAME.in_(names())), expected, "{count} texts");
        let others: Vec<i64> = ids(&rows).into_iter().filter(|id| *id >= count).collect();
        assert_eq!(found(&mut connection, !Item::NAME.in_(names())), others, "not {count} texts");
    }
}

#[test]
fn more_values_than_parameters() {
    let mut connection = database(&[item(1), item(2)]);
    let lists = (0..35).fold(Item::ID.eq(1), |chain, n| chain.and(!Item::ID.in_((10..910).map(|id| id + n))));
    assert_eq!(found(&mut connection, lists), [1]);
    let values = (0..30_500).fold(Item::NAME.eq("n2"), |chain, n| chain.and(Item::NAME.ne(format!("it's {n}\0"))));
    let query = Item::filter(values).limit(3).offset(0);
    assert_eq!(ids(&ask(&mut connection, &query)), [2]);
}

#[test]
fn an_order_by_one_column_again_changes_nothing() {
    let mut connection = database(&[item(1), item(2)]);
    let query = (0..3_000).fold(Item::all(), |query, _| query.order_by((Item::ID.desc(), Item::NAME.asc())));
    assert_eq!(ids(&ask(&mut connection, &query)), [2, 1]);
}

#[test]
fn a_value_without_a_stored_form_is_an_error_of_the_query() {
    let mut connection = database(&[item(1)]);
    let nan = Item::SCORE.eq(f64::NAN);
    let error = Item::filter(Item::ID.eq(1).or(nan)).__run(&mut connection).expect_err("refuses");
    assert!(matches!(error, crate::QueryErrorKind::Value(crate::ValueError::NotANumber)), "{error}");
    assert!(Item::all().filter(Item::SCORE.in_([1.0, f64::NAN])).count().__run(&mut connection).is_err());
}

#[test]
fn an_index_serves_filter_and_order() {
    let mut connection = database(&[]);
    let query = Item::filter(Item::NAME.eq("a")).order_by(Item::SCORE.desc()).limit(20);
    let text = format!("{query:?}");
    let start = text.find("SELECT").expect("a statement");
    let end = text[start..].find("\", params").expect("its end");
    let sql = text[start..start + end].replace("\\\"", "\"");
    let mut plan = Vec::new();
    let params = [Value::Text("a".to_owned()), Value::Integer(20)];
    let params: Vec<_> = params.iter().map(Value::as_ref).collect();
    connection
        .each_row::<SqliteError>(&format!("EXPLAIN QUERY PLAN {sql}"), &params, |row| {
            plan.push(row.value(3).to_owned());
            Ok(true)
        })
        .expect("explains");
    let expected = "SEARCH select USING INDEX select_order_score_index (order=?)";
    assert_eq!(plan, [Value::Text(expected.to_owned())], "{sql}");
}
