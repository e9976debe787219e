//! What the builder's queries yield, by example: structs, extreme values, and queries inside a materializer.

use larder::{OpenOptions, QueryErrorKind, prelude::*};

use super::team::{Person, State, Step, Task, TeamEvent, TeamStore, team};
use crate::board::{BoardEvent, Card, added, board};

fn person(id: i64, age: i64) -> TeamEvent {
    TeamEvent::Came { id, name: format!("p{id}"), age: Some(age) }
}

fn task(id: i64, owner: Option<i64>, points: i32) -> TeamEvent {
    TeamEvent::Set { id, owner, done: false, points, effort: Some(i64::from(points)) }
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Load {
    name: String,
    /// `None` where there is no task.
    least: Option<i32>,
    tasks: i64,
    effort: Option<f64>,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Named {
    #[row(name = "whatever")]
    name: Option<String>,
}

#[tokio::test]
async fn structs_take_columns_and_aggregates_in_order() {
    let store = team(vec![person(1, 30), person(2, 40), task(1, Some(1), 5), task(2, Some(1), 2)]).await;
    let loads = Person::all()
        .left_join(Task::OWNER)
        .group_by(Person::NAME)
        .aggregate((Task::POINTS.min(), Task::ID.count(), Task::EFFORT.sum()))
        .order_by(Task::ID.count().asc());
    let load = |name: &str, least, tasks, effort| Load { name: name.to_owned(), least, tasks, effort: Some(effort) };
    let expected = [load("p2", None, 0, 0.0), load("p1", Some(2), 2, 3.5)];
    assert_eq!(store.query(loads.clone().into_row::<Load>()).as_deref(), Ok(&expected[..]));
    assert_eq!(store.query(loads.into_row::<Load>().first()), Ok(Some(expected[0].clone())));

    let named = |name: &str| Named { name: Some(name.to_owned()) };
    let names = Person::all().select(Person::NAME);
    assert_eq!(store.query(names.clone().into_row::<Named>()), Ok(vec![named("p1"), named("p2")]));
    assert_eq!(store.query(names.offset(1).into_row::<Named>().one()), Ok(named("p2")));
    let most = Person::all().aggregate(Person::NAME.max()).into_row::<Named>();
    assert_eq!(store.query(most), Ok(named("p2")));
    let none = Person::filter(Person::ID.gt(9)).aggregate((Person::NAME.max(), Person::AGE.avg(), Person::AGE.sum()));
    assert_eq!(store.query(none), Ok((None, None, 0)));
}

#[tokio::test]
async fn a_sum_beyond_i64_is_a_typed_error() {
    let store = team(vec![person(1, i64::MAX), person(2, 1), task(1, None, 0), task(2, None, 0)]).await;
    let sum = store.query(Person::all().aggregate(Person::AGE.sum())).expect_err("it does not fit");
    assert!(matches!(sum.kind(), QueryErrorKind::Overflow { .. }), "{sum}");
    assert!(sum.to_string().contains("does not fit an `i64`"), "{sum}");
    let groups = Person::all().group_by(Person::NAME).aggregate(Person::AGE.sum());
    assert_eq!(store.query(groups.clone().first()), Ok(Some(("p1".to_owned(), i64::MAX))));
    assert_eq!(store.query(groups.order_by(Person::AGE.sum().desc()).limit(1)).map(|rows| rows.len()), Ok(1));
    assert_eq!(store.query(Person::all().aggregate(Person::AGE.avg())), Ok(Some(i64::MAX as f64 / 2.0)));
    assert_eq!(store.query(Person::filter(Person::ID.eq(1)).aggregate(Person::AGE.max())), Ok(Some(i64::MAX)));
}

#[tokio::test]
async fn a_sum_of_infinities_of_both_signs_is_no_number() {
    let store = board().await;
    store.commit([added(1), added(2)]).expect("it commits");
    let set = "UPDATE cards SET weight = CASE number WHEN 1 THEN 9e999 ELSE -9e999 END".to_owned();
    store.commit(BoardEvent::SqlRun(set)).expect("it commits");
    let all = Card::all().aggregate((Card::WEIGHT.sum(), Card::WEIGHT.avg(), Card::WEIGHT.max()));
    let (sum, mean, most) = store.query(all).expect("it is valid");
    assert!(sum.is_nan() && mean.is_none() && most == Some(f64::INFINITY));
    let one = Card::filter(Card::NUMBER.eq(1)).aggregate(Card::WEIGHT.sum());
    assert_eq!(store.query(one), Ok(f64::INFINITY));
}

#[tokio::test]
async fn whole_rows_of_a_left_join_have_none_where_there_is_no_row() {
    let store = team(vec![
        person(1, 1),
        person(2, 2),
        task(7, Some(2), 1),
        TeamEvent::Taken { task: 7, at: "a".into(), done: true },
    ])
    .await;
    let rows = store.query(Person::all().left_join(Task::OWNER).left_join(Step::TASK)).expect("it is valid");
    let found: Vec<_> = rows
        .iter()
        .map(|(person, task, step): &(Person, Option<Task>, Option<Step>)| {
            (person.id, task.as_ref().map(|task| task.state), step.as_ref().map(|step| step.at.as_str()))
        })
        .collect();
    assert_eq!(found, [(1, None, None), (2, Some(State::Open), Some("a"))]);
    let one = store.query(Person::all().left_join(Task::OWNER).one()).expect_err("there are two").to_string();
    assert!(one.contains("exactly one row of `Person`"), "{one}");
}

#[tokio::test]
async fn a_snapshot_and_a_tuple_take_every_query() {
    let store = Store::<TeamStore>::open("team:2", OpenOptions::in_memory()).await.expect("it opens");
    store.commit([person(1, 1), task(1, Some(1), 3)]).expect("it commits");
    let queries = || {
        (
            Person::all().join(Task::OWNER).select((Person::NAME, Task::POINTS)),
            Task::all().aggregate((count(), Task::POINTS.sum())),
            Task::all().group_by(Task::STATE),
        )
    };
    let expected = (vec![("p1".to_owned(), 3)], (1, 3), vec![State::Open]);
    assert_eq!(store.query(queries()), Ok(expected.clone()));
    assert_eq!(store.read(|snapshot| snapshot.query(queries())), Ok(expected));
}
