//! Typed queries and SQL queries through a store.

use larder::{Predicate, QueryErrorKind, SqlQuery, prelude::*};

use crate::board::{Board, BoardEvent, BoardStore, Card, Lane, Load, Remark, added, boards, card};

async fn filled() -> [Board; 2] {
    let stores = boards().await;
    stores.iter().for_each(|store| fill(store));
    stores
}

fn fill(store: &StoreHandle<BoardStore>) {
    let weights = [None, Some(1.5), Some(f64::MAX), None, Some(-0.5)];
    let events = (1..).zip(weights).map(|(number, weight)| BoardEvent::Added { number, weight });
    store.commit(events.collect::<Vec<_>>()).expect("it commits");
    store
        .commit([BoardEvent::Moved { number: 2, done: true }, BoardEvent::Moved { number: 3, done: false }])
        .expect("it commits");
    store.commit(BoardEvent::Remarked { card: 1, at: vec!["b".into(), "a".into()] }).expect("it commits");
}

fn numbers(store: &StoreHandle<BoardStore>, predicate: Predicate<Card>) -> Vec<i64> {
    store.query(Card::filter(predicate)).expect("it is valid").iter().map(|card| card.number).collect()
}

#[tokio::test]
async fn every_column_type_compares_and_comes_back() {
    for store in filled().await {
        assert_eq!(store.query(Card::by_key(1)), Ok(Some(card(1))));
        assert_eq!(store.query(Card::by_key(9)), Ok(None));
        let four = card(4);
        for predicate in [
            Card::TITLE.eq(&four.title),
            Card::OPENED_AT.eq(four.opened_at),
            Card::LABELS.eq(&four.labels),
            Card::TOKEN.eq(four.token),
            Card::NUMBER.between(4, 4),
            Card::TITLE.like("card 4%").and(Card::PICTURE.eq(vec![0, 255])),
            Card::LANE.eq(Lane::Open).and(Card::PINNED.eq(false)).and(Card::NUMBER.in_([4, 99])),
        ] {
            assert_eq!(numbers(&store, predicate.clone()), [4], "{predicate:?}");
        }
        assert_eq!(numbers(&store, Card::LANE.in_([Lane::InWork, Lane::Done])), [2, 3]);
        assert_eq!(store.query(Remark::by_key((1, "a"))), Ok(Some(Remark { card: 1, at: "a".to_owned() })));
    }
}

#[tokio::test]
async fn null_equals_null_and_a_negation_takes_all_other_rows() {
    for store in filled().await {
        assert_eq!(numbers(&store, Card::WEIGHT.eq(None)), [1, 4]);
        assert_eq!(numbers(&store, Card::WEIGHT.is_null()), [1, 4]);
        assert_eq!(numbers(&store, Card::WEIGHT.ne(1.5)), [1, 3, 4, 5]);
        assert_eq!(numbers(&store, Card::WEIGHT.lt(2.0)), [2, 5]);
        assert_eq!(numbers(&store, !Card::WEIGHT.lt(2.0)), [1, 3, 4]);
        assert_eq!(numbers(&store, Card::WEIGHT.in_([None, Some(1.5)]).not()), [3, 5]);
    }
}

#[tokio::test]
async fn a_limit_is_any_integer_and_a_negative_one_is_an_error() {
    for store in filled().await {
        let (page, per_page) = (vec![0; 1].len(), 2_usize);
        let found = store.query(Card::all().limit(per_page).offset(page * per_page)).expect("rows");
        assert_eq!(found.iter().map(|card| card.number).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(store.query(Card::all().limit(u64::MAX).count()), Ok(5));
        assert_eq!(store.query(Card::all().limit(3_u8).offset(1_i64).count()), Ok(3));
        let wrong = [
            Card::all().limit(-1),
            Card::all().limit(1).offset(i64::MIN),
            Card::all().limit(-1).filter(Card::NUMBER.eq(1)).limit(1),
            Card::filter(Card::NUMBER.eq(1)).limit(-1).filter(Card::NUMBER.eq(1)),
        ];
        for query in wrong {
            let error = store.query(query.clone()).expect_err("no number of rows");
            assert!(error.to_string().contains("does not fit `a number of rows`"), "{error}");
            assert_eq!(store.query(query.count()), Err(error));
        }
    }
}

#[tokio::test]
async fn rows_are_ordered_cut_counted_and_chosen() {
    for store in filled().await {
        let mut query = Card::all().order_by((Card::LANE.asc(), Card::WEIGHT.desc())).limit(3);
        let found: Vec<i64> = store.query(query.clone()).expect("rows").iter().map(|card| card.number).collect();
        assert_eq!(found, [2, 5, 4], "`Done`, then `Open` by weight, then by number in the last direction");
        if found.len() == 3 {
            query = query.filter(Card::LANE.eq(Lane::Open)).offset(1);
        }
        assert_eq!(store.query(query.clone().count()), Ok(2));
        assert_eq!(store.query(query.clone().exists()), Ok(true));
        assert_eq!(store.query(query.clone().first()).map(|card| card.map(|card| card.number)), Ok(Some(4)));
        let several = store.query(query.one()).unwrap_err();
        assert!(matches!(several.kind(), QueryErrorKind::NotOne { found: "more than one row", .. }), "{several}");
        let none = store.query(Card::by_key(9).one()).unwrap_err();
        assert!(matches!(none.kind(), QueryErrorKind::NotOne { found: "no row", .. }), "{none}");
        assert_eq!(none.store(), store.name());
        assert_eq!(store.query(Card::all().limit(0)), Ok(Vec::new()));
        assert_eq!(store.query(Card::all().offset(u64::MAX)), Ok(Vec::new()));
        let all = store.query((Card::all().count(), Remark::all(), BoardStore::total()));
        let remarks = ["a", "b"].map(|at| Remark { card: 1, at: at.to_owned() }).to_vec();
        assert_eq!(all, Ok((5, remarks, 5)));
    }
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Misnamed {
    count: i64,
}

/// SQL that did not go through `queries { .. }`, where the compiler would have refused it.
fn unchecked<T: larder::Row>(sql: &'static str) -> SqlQuery<BoardStore, Vec<T>> {
    SqlQuery::__new(sql, &[], Vec::new())
}

#[tokio::test]
async fn sql_becomes_rows_by_name_and_tuples_by_position() {
    for store in filled().await {
        let load = |lane, cards| Load { lane, cards };
        assert_eq!(store.query(BoardStore::load(2)), Ok(vec![load(Lane::Open, 3)]));
        assert_eq!(store.query(BoardStore::load(0)).map(|rows| rows.len()), Ok(3));
        assert_eq!(store.query(BoardStore::title_of(1)), Ok(Some(card(1).title)));
        assert_eq!(store.query(BoardStore::title_of(9)), Ok(None));
        assert_eq!(store.query(BoardStore::heaviest()), Ok(Some(f64::MAX)));
        assert_eq!(store.query(BoardStore::total()), Ok(5));
        assert_eq!(store.query(BoardStore::pairs()).map(|pairs| pairs[2]), Ok((3, Lane::InWork)));
        let only = store.query(BoardStore::only()).unwrap_err();
        assert!(matches!(only.kind(), QueryErrorKind::NotOne { .. }), "{only}");
        let misnamed: SqlQuery<_, Vec<Misnamed>> = unchecked("SELECT count(*) AS cards FROM cards");
        let misnamed = store.query(misnamed).expect_err("no such column").to_string();
        assert!(
            misnamed.contains("`Misnamed` needs a column `count`") && misnamed.contains("has `cards`"),
            "{misnamed}"
        );
    }
}

#[tokio::test]
async fn sql_of_a_query_reads_the_schema_s_tables_only() {
    for store in filled().await {
        let hidden =
            store.query(unchecked::<i64>("SELECT count(*) FROM larder_events")).expect_err("refused").to_string();
        assert!(hidden.contains("table `larder_events` is not one of the schema's"), "{hidden}");
        let writes =
            store.query(unchecked::<i64>("DELETE FROM cards RETURNING number")).expect_err("refused").to_string();
        assert!(writes.contains("cannot change table `cards`"), "{writes}");
        assert_eq!(store.query(Card::all().count()), Ok(5));
    }
}

#[tokio::test]
async fn a_filter_of_ten_thousand_values_or_terms_is_one_query() {
    for store in filled().await {
        assert_eq!(numbers(&store, Card::NUMBER.in_(3..10_003)), [3, 4, 5]);
        assert_eq!(numbers(&store, Card::NUMBER.in_(Vec::<i64>::new())), [] as [i64; 0]);
        let chain = (6..5_006).fold(Card::NUMBER.ne(0), |chain, number| chain.and(Card::NUMBER.ne(number)));
        assert_eq!(numbers(&store, chain), [1, 2, 3, 4, 5]);
        store.commit(added(6)).expect("it commits");
        assert_eq!(numbers(&store, Card::NUMBER.gt(i64::MIN).and(Card::NUMBER.ge(6))), [6]);
    }
}
