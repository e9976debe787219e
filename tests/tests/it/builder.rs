//! Every query that the builder can build is valid SQLite and means the same as in plain Rust: filters, orders, limits, columns, joins,
//! aggregates and groups, over random rows.

mod ask;
mod chain;
mod model;
mod team;
mod union;
mod values;

use larder::{Fits, Query, prelude::*};
use proptest::prelude::*;

use self::{
    ask::{Ask, person, step, task},
    model::{Cell, Cells, Column, Joined, arranged, cut, extreme, groups, mean, sum, values},
    team::{Person, Step, Task, TeamEvent, TeamStore, team},
};

/// What a query yields, as cells.
fn asked<R: Cells, Q>(store: &Store<TeamStore>, query: Q) -> Vec<Vec<Cell>>
where
    Q: Query<Output = Vec<R>> + Fits<TeamStore>,
{
    store.query(query).expect("it is valid").iter().map(Cells::cells).collect()
}

fn picked(rows: &[Joined], columns: &[Column]) -> Vec<Vec<Cell>> {
    rows.iter().map(|row| columns.iter().map(|column| row.cell(*column)).collect()).collect()
}

fn number(rows: usize) -> Cell {
    Cell::Integer(i64::try_from(rows).expect("few rows"))
}

/// All tables' rows.
struct Rows {
    people: Vec<Person>,
    tasks: Vec<Task>,
    steps: Vec<Step>,
}

impl Rows {
    fn of(store: &Store<TeamStore>) -> Self {
        let (people, tasks, steps) = store.query((Person::all(), Task::all(), Step::all())).expect("they are there");
        Self { people, tasks, steps }
    }

    fn people(&self) -> Vec<Joined> {
        self.people.iter().map(|person| Joined { person: Some(person.clone()), ..Joined::default() }).collect()
    }

    fn tasks(&self) -> Vec<Joined> {
        self.tasks.iter().map(|task| Joined { task: Some(task.clone()), ..Joined::default() }).collect()
    }

    fn steps(&self) -> Vec<Joined> {
        self.steps.iter().map(|step| Joined { step: Some(step.clone()), ..Joined::default() }).collect()
    }

    fn with_tasks(&self, left: bool, rows: Vec<Joined>) -> Vec<Joined> {
        beside(left, rows, &self.tasks, |row, task| {
            let is_owner = row.person.as_ref().is_some_and(|person| task.owner == Some(person.id));
            is_owner.then(|| Joined { task: Some(task.clone()), ..row.clone() })
        })
    }

    fn with_steps(&self, left: bool, rows: Vec<Joined>) -> Vec<Joined> {
        beside(left, rows, &self.steps, |row, step| {
            let is_of = row.task.as_ref().is_some_and(|task| task.id == step.task);
            is_of.then(|| Joined { step: Some(step.clone()), ..row.clone() })
        })
    }

    fn with_owners(&self, left: bool, rows: Vec<Joined>) -> Vec<Joined> {
        beside(left, rows, &self.people, |row, person| {
            let owns = row.task.as_ref().is_some_and(|task| task.owner == Some(person.id));
            owns.then(|| Joined { person: Some(person.clone()), ..row.clone() })
        })
    }

    fn of_tasks(&self, left: bool, rows: Vec<Joined>) -> Vec<Joined> {
        beside(left, rows, &self.tasks, |row, task| {
            let is_of = row.step.as_ref().is_some_and(|step| task.id == step.task);
            is_of.then(|| Joined { task: Some(task.clone()), ..row.clone() })
        })
    }
}

/// A join, in two loops.
fn beside<T>(left: bool, rows: Vec<Joined>, others: &[T], on: impl Fn(&Joined, &T) -> Option<Joined>) -> Vec<Joined> {
    let beside = |row: Joined| {
        let found: Vec<Joined> = others.iter().filter_map(|other| on(&row, other)).collect();
        if found.is_empty() && left { vec![row] } else { found }
    };
    rows.into_iter().flat_map(beside).collect()
}

/// Asks one shape of query in every way, and compares with the model.
macro_rules! shape {
    (
        $store:expr, $ask:expr, $query:expr, $rows:expr,
        tables [$($table:ident),+], keys $keys:expr,
        select $select:expr => $selected:expr,
        group $group:expr => $grouped:expr,
        aggregates $aggregates:expr => $aggregated:expr $(,)?
    ) => {{
        let (store, ask): (&Store<TeamStore>, &Ask) = ($store, $ask);
        let columns = [$($table::COLUMNS),+].concat();
        let order: Vec<(Column, bool)> = ask.order.iter().copied().filter(|term| columns.contains(&term.0)).collect();
        let mut query = $query;
        $(query = $table::filtered(query, ask);)+
        for term in &order {
            $(query = $table::ordered(query, *term);)+
        }
        query = query.offset(ask.offset);
        if let Some(limit) = ask.limit {
            query = query.limit(limit);
        }
        let all: Vec<Joined> = $rows.into_iter().filter(|row| true $(&& $table::holds(ask, row))+).collect();
        let rows = arranged(all, &order, $keys, (ask.limit, ask.offset));

        prop_assert_eq!(asked(store, query.clone()), picked(&rows, &columns), "{:?}", query);
        prop_assert_eq!(store.query(query.clone().count()), Ok(rows.len() as u64));
        prop_assert_eq!(store.query(query.clone().exists()), Ok(!rows.is_empty()));
        let first = store.query(query.clone().first()).expect("it is valid").map(|row| row.cells());
        prop_assert_eq!(first, picked(&rows, &columns).first().cloned());
        prop_assert_eq!(store.query(query.clone().one()).is_ok(), rows.len() == 1);

        let chosen = query.clone().select($select);
        prop_assert_eq!(asked(store, chosen.clone()), picked(&rows, $selected), "{:?}", chosen);
        let first = store.query(chosen.first()).expect("it is valid").map(|row| row.cells());
        prop_assert_eq!(first, picked(&rows, $selected).first().cloned());

        let made = store.query(query.clone().aggregate($aggregates)).map(|made| made.cells());
        prop_assert_eq!(made, Ok($aggregated(&rows)), "{:?}", query);

        let (limit, offset, largest) = ask.groups;
        let mut in_groups = groups(&rows, $grouped);
        prop_assert_eq!(asked(store, query.clone().group_by($group)), keys_of(&in_groups, $grouped));
        let mut query = query.group_by($group).aggregate($aggregates).offset(offset);
        if largest {
            query = query.order_by(count().desc());
            in_groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        }
        if let Some(limit) = limit {
            query = query.limit(limit);
        }
        let expected: Vec<Vec<Cell>> = cut(in_groups, limit, offset)
            .iter()
            .map(|group| [picked(group, $grouped).swap_remove(0), $aggregated(group)].concat())
            .collect();
        prop_assert_eq!(asked(store, query.clone()), expected.clone(), "{:?}", query);
        let first = store.query(query.first()).expect("it is valid").map(|group| group.cells());
        prop_assert_eq!(first, expected.first().cloned());
    }};
}

fn keys_of(groups: &[Vec<Joined>], keys: &[Column]) -> Vec<Vec<Cell>> {
    groups.iter().map(|group| picked(group, keys).swap_remove(0)).collect()
}

/// Of a query with people: how many, how many ages, their sum and mean, the first name.
fn of_people(rows: &[Joined]) -> Vec<Cell> {
    vec![
        number(rows.len()),
        number(values(rows, Column::PersonAge).len()),
        sum(rows, Column::PersonAge, Cell::Integer(0)),
        mean(rows, Column::PersonAge),
        extreme(rows, Column::PersonName, false),
    ]
}

/// Of a query with tasks.
fn of_tasks(rows: &[Joined]) -> Vec<Cell> {
    vec![
        sum(rows, Column::TaskPoints, Cell::Integer(0)),
        sum(rows, Column::TaskEffort, Cell::Real(0.0)),
        mean(rows, Column::TaskEffort),
        extreme(rows, Column::TaskState, true),
        extreme(rows, Column::TaskOwner, false),
        number(rows.len()),
    ]
}

/// Of a query with all three tables.
fn of_all(rows: &[Joined]) -> Vec<Cell> {
    vec![
        number(values(rows, Column::StepAt).len()),
        extreme(rows, Column::StepDone, true),
        extreme(rows, Column::PersonAge, true),
        mean(rows, Column::TaskPoints),
    ]
}

fn one_table(store: &Store<TeamStore>, ask: &Ask, rows: &Rows) -> Result<(), TestCaseError> {
    shape!(
        store, ask, Person::all(), rows.people(),
        tables [person], keys &[Column::PersonId],
        select (Person::NAME, Person::AGE) => &[Column::PersonName, Column::PersonAge],
        group Person::NAME => &[Column::PersonName],
        aggregates (count(), Person::AGE.count(), Person::AGE.sum(), Person::AGE.avg(), Person::NAME.min()) => of_people,
    );
    shape!(
        store, ask, Task::all(), rows.tasks(),
        tables [task], keys &[Column::TaskId],
        select Task::EFFORT => &[Column::TaskEffort],
        group (Task::OWNER, Task::STATE) => &[Column::TaskOwner, Column::TaskState],
        aggregates (
            (Task::POINTS.sum(), Task::EFFORT.sum(), Task::EFFORT.avg()),
            Task::STATE.max(), Task::OWNER.min(), count(),
        ) => of_tasks,
    );
    Ok(())
}

fn two_tables(store: &Store<TeamStore>, ask: &Ask, rows: &Rows) -> Result<(), TestCaseError> {
    let keys: &[Column] = &[Column::PersonId, Column::TaskId];
    macro_rules! both {
        ($join:ident $left:literal) => {
            shape!(
                store, ask, Person::all().$join(Task::OWNER), rows.with_tasks($left, rows.people()),
                tables [person, task], keys keys,
                select (Task::STATE, Person::NAME, Task::EFFORT) => &[Column::TaskState, Column::PersonName, Column::TaskEffort],
                group Task::STATE => &[Column::TaskState],
                aggregates (
                    Task::POINTS.sum(), Task::EFFORT.sum(), Task::EFFORT.avg(), Task::STATE.max(), Task::OWNER.min(), count(),
                ) => of_tasks,
            );
            shape!(
                store, ask, Task::all().$join(Task::OWNER), rows.with_owners($left, rows.tasks()),
                tables [task, person], keys &[Column::TaskId, Column::PersonId],
                select ((Person::AGE, Task::ID), Person::NAME) => &[Column::PersonAge, Column::TaskId, Column::PersonName],
                group (Person::AGE, Person::NAME) => &[Column::PersonAge, Column::PersonName],
                aggregates (count(), Person::AGE.count(), Person::AGE.sum(), Person::AGE.avg(), Person::NAME.min()) => of_people,
            );
        };
    }
    both!(join false);
    both!(left_join true);
    Ok(())
}

fn three_tables(store: &Store<TeamStore>, ask: &Ask, rows: &Rows) -> Result<(), TestCaseError> {
    macro_rules! all {
        ($first:ident $first_left:literal, $second:ident $second_left:literal) => {
            shape!(
                store, ask, Person::all().$first(Task::OWNER).$second(Step::TASK),
                rows.with_steps($second_left, rows.with_tasks($first_left, rows.people())),
                tables [person, task, step],
                keys &[Column::PersonId, Column::TaskId, Column::StepTask, Column::StepAt],
                select (Step::AT, Person::ID) => &[Column::StepAt, Column::PersonId],
                group (Person::NAME, Step::DONE) => &[Column::PersonName, Column::StepDone],
                aggregates (Step::AT.count(), Step::DONE.max(), Person::AGE.max(), Task::POINTS.avg()) => of_all,
            );
            shape!(
                store, ask, Step::all().$first(Step::TASK).$second(Task::OWNER),
                rows.with_owners($second_left, rows.of_tasks($first_left, rows.steps())),
                tables [step, task, person],
                keys &[Column::StepTask, Column::StepAt, Column::TaskId, Column::PersonId],
                select (Person::NAME, Task::OWNER, Step::DONE) => &[Column::PersonName, Column::TaskOwner, Column::StepDone],
                group Task::OWNER => &[Column::TaskOwner],
                aggregates (Step::AT.count(), Step::DONE.max(), Person::AGE.max(), Task::POINTS.avg()) => of_all,
            );
        };
    }
    all!(join false, join false);
    all!(join false, left_join true);
    all!(left_join true, join false);
    all!(left_join true, left_join true);
    // The table in the middle has both its neighbours.
    shape!(
        store, ask, Task::all().left_join(Task::OWNER).left_join(Step::TASK),
        rows.with_steps(true, rows.with_owners(true, rows.tasks())),
        tables [task, person, step],
        keys &[Column::TaskId, Column::PersonId, Column::StepTask, Column::StepAt],
        select (Person::NAME, Step::AT) => &[Column::PersonName, Column::StepAt],
        group Step::AT => &[Column::StepAt],
        aggregates (Step::AT.count(), Step::DONE.max(), Person::AGE.max(), Task::POINTS.avg()) => of_all,
    );
    Ok(())
}

fn events() -> impl Strategy<Value = Vec<TeamEvent>> {
    let (id, few) = (0..5_i64, || prop::option::of(0..5_i64));
    let text = || prop::sample::select(vec!["", "a", "b", "B"]).prop_map(str::to_owned);
    let person = (id.clone(), text(), few()).prop_map(|(id, name, age)| TeamEvent::Came { id, name, age });
    let task = (0..7_i64, few(), any::<bool>(), -2..5_i32, prop::option::of(-3..4_i64))
        .prop_map(|(id, owner, done, points, effort)| TeamEvent::Set { id, owner, done, points, effort });
    let step = (0..7_i64, text(), any::<bool>()).prop_map(|(task, at, done)| TeamEvent::Taken { task, at, done });
    let many = |event, most| prop::collection::vec(event, 0..most);
    (many(person.boxed(), 6), many(task.boxed(), 9), many(step.boxed(), 9))
        .prop_map(|(people, tasks, steps)| [people, tasks, steps].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_query_is_valid_and_means_the_same_in_rust(events in events(), asks in prop::collection::vec(ask::ask(), 3)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let store = runtime.block_on(team(events));
        let rows = Rows::of(&store);
        for ask in &asks {
            one_table(&store, ask, &rows)?;
            two_tables(&store, ask, &rows)?;
            three_tables(&store, ask, &rows)?;
        }
    }
}
