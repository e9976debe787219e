//! Random queries agree with the same in Rust over a `Vec` of rows.

use std::cmp::Ordering;

use super::*;
use crate::Order;

/// A condition in Rust.
#[derive(Clone, Debug)]
enum Ast {
    Id(Op, i64),
    Name(Op, String),
    Score(Op, Option<f64>),
    Parent(Op, Option<i64>),
    Data(Op, Vec<u8>),
    Nick(Op, Option<String>),
    NameLike(String),
    NickLike(String),
    ScoreNull(bool),
    IdIn(Vec<i64>),
    NameIn(Vec<String>),
    ScoreIn(Vec<Option<f64>>),
    ParentIn(Vec<Option<i64>>),
    DataIn(Vec<Vec<u8>>),
    IdBetween(i64, i64),
    And(Box<Ast>, Box<Ast>),
    Or(Box<Ast>, Box<Ast>),
    Not(Box<Ast>),
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

macro_rules! compare {
    ($column:expr, $op:expr, $value:expr) => {
        match $op {
            Op::Eq => $column.eq($value),
            Op::Ne => $column.ne($value),
            Op::Lt => $column.lt($value),
            Op::Le => $column.le($value),
            Op::Gt => $column.gt($value),
            Op::Ge => $column.ge($value),
        }
    };
}

impl Ast {
    fn predicate(&self) -> Predicate<Item> {
        match self {
            Self::Id(op, value) => compare!(Item::ID, op, *value),
            Self::Name(op, value) => compare!(Item::NAME, op, value.as_str()),
            Self::Score(op, value) => compare!(Item::SCORE, op, *value),
            Self::Parent(op, value) => compare!(Item::PARENT, op, *value),
            Self::Data(op, value) => compare!(Item::DATA, op, value.clone()),
            Self::Nick(op, value) => compare!(Item::NICK, op, value.clone()),
            Self::NameLike(pattern) => Item::NAME.like(pattern.as_str()),
            Self::NickLike(pattern) => Item::NICK.like(pattern.as_str()),
            Self::ScoreNull(true) => Item::SCORE.is_null(),
            Self::ScoreNull(false) => Item::SCORE.is_not_null(),
            Self::IdIn(values) => Item::ID.in_(values),
            Self::NameIn(values) => Item::NAME.in_(values),
            Self::ScoreIn(values) => Item::SCORE.in_(values),
            Self::ParentIn(values) => Item::PARENT.in_(values.iter().copied()),
            Self::DataIn(values) => Item::DATA.in_(values),
            Self::IdBetween(low, high) => Item::ID.between(*low, high),
            Self::And(left, right) => left.predicate().and(right.predicate()),
            Self::Or(left, right) => left.predicate().or(right.predicate()),
            Self::Not(part) => !part.predicate(),
        }
    }

    fn holds(&self, row: &Item) -> bool {
        match self {
            Self::Id(op, value) => required(*op, &row.id, value),
            Self::Name(op, value) => required(*op, &row.name, value),
            Self::Score(op, value) => optional(*op, row.score.as_ref(), value.as_ref()),
            Self::Parent(op, value) => optional(*op, row.parent.as_ref(), value.as_ref()),
            Self::Data(op, value) => required(*op, &row.data, value),
            Self::Nick(op, value) => optional(*op, row.nick.as_ref(), value.as_ref()),
            Self::NameLike(pattern) => like(pattern.as_bytes(), row.name.as_bytes()),
            Self::NickLike(pattern) => row.nick.as_ref().is_some_and(|nick| like(pattern.as_bytes(), nick.as_bytes())),
            Self::ScoreNull(is) => row.score.is_none() == *is,
            Self::IdIn(values) => values.contains(&row.id),
            Self::NameIn(values) => values.contains(&row.name),
            Self::ScoreIn(values) => values.contains(&row.score),
            Self::ParentIn(values) => values.contains(&row.parent),
            Self::DataIn(values) => values.contains(&row.data),
            Self::IdBetween(low, high) => (low..=high).contains(&&row.id),
            Self::And(left, right) => left.holds(row) && right.holds(row),
            Self::Or(left, right) => left.holds(row) || right.holds(row),
            Self::Not(part) => !part.holds(row),
        }
    }
}

fn required<V: PartialOrd>(op: Op, left: &V, right: &V) -> bool {
    match op {
        Op::Eq => left == right,
        Op::Ne => left != right,
        Op::Lt => left < right,
        Op::Le => left <= right,
        Op::Gt => left > right,
        Op::Ge => left >= right,
    }
}

fn optional<V: PartialOrd>(op: Op, left: Option<&V>, right: Option<&V>) -> bool {
    match (op, left, right) {
        (Op::Eq, left, right) => left == right,
        (Op::Ne, left, right) => left != right,
        (op, Some(left), Some(right)) => required(op, left, right),
        _ => false,
    }
}

/// ASCII patterns on ASCII text.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'%'), _) => like(&pattern[1..], text) || (!text.is_empty() && like(pattern, &text[1..])),
        (Some(b'_'), Some(_)) => like(&pattern[1..], &text[1..]),
        (Some(wanted), Some(found)) => wanted.eq_ignore_ascii_case(found) && like(&pattern[1..], &text[1..]),
        _ => false,
    }
}

fn op() -> impl Strategy<Value = Op> {
    prop::sample::select(vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge])
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -3..4_i64, 1 => prop::sample::select(vec![i64::MIN, i64::MAX, i64::MIN + 1, 1 << 53])]
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "A", "ab", "b", "a'b", "%", "x_y", "\"", "b%"]).prop_map(str::to_owned)
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![4 => text(), 1 => prop::sample::select(vec!["a\0b", "a\0", "\0", "é", "日本"]).prop_map(str::to_owned)]
}

fn real() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.0, 1.0, -1.5, 0.1, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 3.0])
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![vec![], vec![0], vec![1, 0], vec![255], b"a'".to_vec()])
}

fn ast() -> impl Strategy<Value = Ast> {
    let list = |range| prop::collection::vec(integer(), range);
    let leaf = prop_oneof![
        (op(), integer()).prop_map(|(op, value)| Ast::Id(op, value)),
        (op(), any_text()).prop_map(|(op, value)| Ast::Name(op, value)),
        (op(), prop::option::of(real())).prop_map(|(op, value)| Ast::Score(op, value)),
        (op(), prop::option::of(integer())).prop_map(|(op, value)| Ast::Parent(op, value)),
        (op(), bytes()).prop_map(|(op, value)| Ast::Data(op, value)),
        (op(), prop::option::of(any_text())).prop_map(|(op, value)| Ast::Nick(op, value)),
        text().prop_map(Ast::NameLike),
        text().prop_map(Ast::NickLike),
        any::<bool>().prop_map(Ast::ScoreNull),
        list(0..5).prop_map(Ast::IdIn),
        prop::collection::vec(any_text(), 0..4).prop_map(Ast::NameIn),
        prop::collection::vec(prop::option::of(real()), 0..4).prop_map(Ast::ScoreIn),
        prop::collection::vec(prop::option::of(integer()), 0..4).prop_map(Ast::ParentIn),
        prop::collection::vec(bytes(), 0..4).prop_map(Ast::DataIn),
        (integer(), integer()).prop_map(|(low, high)| Ast::IdBetween(low, high)),
    ];
    leaf.prop_recursive(6, 40, 2, |part| {
        prop_oneof![
            (part.clone(), part.clone()).prop_map(|(left, right)| Ast::And(left.into(), right.into())),
            (part.clone(), part.clone()).prop_map(|(left, right)| Ast::Or(left.into(), right.into())),
            part.prop_map(|part| Ast::Not(part.into())),
        ]
    })
}

fn rows() -> impl Strategy<Value = Vec<Item>> {
    let row = (
        integer(),
        any_text(),
        prop::option::of(real()),
        prop::option::of(integer()),
        bytes(),
        prop::option::of(any_text()),
    );
    prop::collection::vec(row, 0..12).prop_map(|rows| {
        let mut items: Vec<Item> = Vec::new();
        for (id, name, score, parent, data, nick) in rows {
            if items.iter().all(|item| item.id != id) {
                items.push(Item { id, name, score, parent, data, nick });
            }
        }
        items
    })
}

/// Text with a NUL byte ends there for `LIKE`, which the one in Rust does not know.
fn without_nul(mut rows: Vec<Item>) -> Vec<Item> {
    rows.retain(|row| !row.name.contains('\0') && !row.nick.as_ref().is_some_and(|nick| nick.contains('\0')));
    rows
}

type Term = (u8, bool);

fn order(terms: &[Term]) -> Vec<Order<Item>> {
    let by = |&(column, descending): &Term| match (column, descending) {
        (0, false) => Item::ID.asc(),
        (0, true) => Item::ID.desc(),
        (1, false) => Item::NAME.asc(),
        (1, true) => Item::NAME.desc(),
        (2, false) => Item::SCORE.asc(),
        (2, true) => Item::SCORE.desc(),
        (_, false) => Item::NICK.asc(),
        (_, true) => Item::NICK.desc(),
    };
    terms.iter().map(by).collect()
}

fn compare(terms: &[Term], left: &Item, right: &Item) -> Ordering {
    let first_of_its_column = |index: &usize| terms[..*index].iter().all(|(column, _)| *column != terms[*index].0);
    let terms: Vec<Term> = (0..terms.len()).filter(first_of_its_column).map(|index| terms[index]).collect();
    let descending_key = terms.last().is_some_and(|(_, descending)| *descending);
    let last = (0, descending_key);
    let by = |&(column, descending): &Term| {
        let ordering = match column {
            0 => left.id.cmp(&right.id),
            1 => left.name.cmp(&right.name),
            2 => left.score.partial_cmp(&right.score).expect("no NaN"),
            _ => left.nick.cmp(&right.nick),
        };
        if descending { ordering.reverse() } else { ordering }
    };
    terms.iter().chain([&last]).map(by).fold(Ordering::Equal, Ordering::then)
}

fn rows_of(limit: Option<u64>, offset: u64, mut rows: Vec<Item>) -> Vec<Item> {
    rows.drain(..usize::try_from(offset).unwrap_or(usize::MAX).min(rows.len()));
    rows.truncate(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    rows
}

fn cut() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..6_u64, 1 => prop::sample::select(vec![u64::MAX, i64::MAX as u64, i64::MAX as u64 + 1])]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_query_means_the_same_in_sqlite_and_in_rust(
        rows in rows().prop_map(without_nul),
        ast in ast(),
        terms in prop::collection::vec((0..4_u8, any::<bool>()), 0..4),
        limit in prop::option::of(cut()),
        offset in prop_oneof![Just(0), cut()],
    ) {
        let mut connection = database(&rows);
        let mut expected: Vec<Item> = rows.into_iter().filter(|row| ast.holds(row)).collect();
        expected.sort_by(|left, right| compare(&terms, left, right));
        let expected = rows_of(limit, offset, expected);
        let mut query = Item::filter(ast.predicate()).order_by(order(&terms)).offset(offset);
        if let Some(limit) = limit {
            query = query.limit(limit);
        }
        prop_assert_eq!(&ask(&mut connection, &query), &expected, "{:?}", query);
        prop_assert_eq!(ask(&mut connection, &query.clone().count()), expected.len() as u64);
        prop_assert_eq!(ask(&mut connection, &query.clone().exists()), !expected.is_empty());
        prop_assert_eq!(ask(&mut connection, &query.clone().first()), expected.first().cloned());
        let one = query.one().__run(&mut connection);
        match expected.as_slice() {
            [only] => prop_assert_eq!(one.as_ref(), Ok(only)),
            _ => prop_assert!(one.is_err()),
        }
    }

    #[test]
    fn rows_come_back_as_they_went_in(rows in rows()) {
        let mut connection = database(&rows);
        for row in rows {
            prop_assert_eq!(ask(&mut connection, &Item::by_key(row.id)), Some(row.clone()));
            prop_assert_eq!(ask(&mut connection, &Item::filter(Item::NAME.eq(&row.name).and(Item::ID.eq(row.id))).one()), row);
        }
    }
}
