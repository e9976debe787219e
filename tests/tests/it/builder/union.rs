//! Every query of the union of many stores means the same as in plain Rust: the rows of each store, joined there, and all else of all of them.

use larder::{StoreId, UnionQuery, prelude::*};
use larder_tests::lab::Lab;
use proptest::prelude::*;

use super::{
    Rows,
    ask::{self, Ask, person, step, task},
    model::{Cell, Cells, Column, Joined, arranged, cut, groups},
    number, of_all, of_people, of_tasks, picked,
    team::{Person, Step, Task, TeamEvent, TeamStore},
};

/// Stores of one data dir: the first is closed, the second loaded, and so on.
struct Teams {
    registry: StoreRegistry,
    runtime: tokio::runtime::Runtime,
    ids: Vec<StoreId>,
    rows: Vec<Rows>,
    _held: Vec<StoreHandle<TeamStore>>,
    _lab: Lab,
}

impl Teams {
    fn new(events: Vec<Vec<TeamEvent>>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut lab = Lab::on_memory_disk();
        let registry = runtime.block_on(async { lab.registry().clone() });
        let (mut ids, mut rows, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for (at, events) in events.into_iter().enumerate() {
            // In another order than by name.
            let id: StoreId = format!("team:{}", 9 - at).parse().expect("an id");
            runtime.block_on(async {
                let store = registry.get::<TeamStore>(&id).await.expect("it opens");
                store.commit(events).expect("it commits");
                rows.push(Rows::of(&store));
                if at % 2 == 0 {
                    drop(store);
                    registry.evict::<TeamStore>(&id).await.expect("it closes");
                } else {
                    held.push(store);
                }
            });
            ids.push(id);
        }
        Self { registry, runtime, ids, rows, _held: held, _lab: lab }
    }

    fn ask<Q>(&self, query: Q) -> Result<Q::Union, larder::AcrossError>
    where
        Q: UnionQuery<StoreId> + larder::Fits<TeamStore> + Send + Sync + 'static,
    {
        let asked = self.registry.across::<TeamStore>(&self.ids).query(query);
        self.runtime.block_on(asked).map(|gathered| {
            assert_eq!((gathered.failed.as_slice(), gathered.stores), ([].as_slice(), self.ids.len()));
            gathered.value
        })
    }

    /// The rows of all stores, each with its store.
    fn all(&self, of: impl Fn(&Rows) -> Vec<Joined>) -> Vec<Joined> {
        let of_one = |(store, rows): (usize, &Rows)| {
            let tagged = of(rows).into_iter().map(move |row| Joined { store, ..row });
            tagged.collect::<Vec<_>>()
        };
        self.rows.iter().enumerate().flat_map(of_one).collect()
    }

    /// Rows as cells, each behind the number of its store.
    fn tagged<R: Cells>(&self, rows: Vec<(StoreId, R)>) -> Vec<(usize, Vec<Cell>)> {
        let number = |id: &StoreId| self.ids.iter().position(|known| known == id).expect("it was asked");
        rows.iter().map(|(id, row)| (number(id), row.cells())).collect()
    }
}

fn expected(rows: &[Joined], columns: &[Column]) -> Vec<(usize, Vec<Cell>)> {
    rows.iter().map(|row| row.store).zip(picked(rows, columns)).collect()
}

/// Asks one shape of query in every way, and compares with the model.
macro_rules! union {
    (
        $teams:expr, $ask:expr, $query:expr, $rows:expr,
        tables [$($table:ident),+], keys $keys:expr,
        select $select:expr => $selected:expr,
        group $group:expr => $grouped:expr,
        aggregates $aggregates:expr => $aggregated:expr $(,)?
    ) => {{
        let (teams, ask): (&Teams, &Ask) = ($teams, $ask);
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
        let all: Vec<Joined> = teams.all($rows).into_iter().filter(|row| true $(&& $table::holds(ask, row))+).collect();
        let rows = arranged(all, &order, $keys, (ask.limit, ask.offset));

        let whole = expected(&rows, &columns);
        prop_assert_eq!(teams.tagged(teams.ask(query.clone()).unwrap()), whole.clone(), "{:?}", query);
        let first = teams.ask(query.clone().first()).unwrap();
        prop_assert_eq!(teams.tagged(first.into_iter().collect()), whole.iter().take(1).cloned().collect::<Vec<_>>());
        prop_assert_eq!(teams.ask(query.clone().one()).is_ok(), rows.len() == 1);
        let counted = teams.ask((query.clone().count(), query.clone().exists())).unwrap();
        prop_assert_eq!(counted, (rows.len() as u64, !rows.is_empty()), "{:?}", query);

        let chosen = query.clone().select($select);
        prop_assert_eq!(teams.tagged(teams.ask(chosen).unwrap()), expected(&rows, $selected));
        let made = teams.ask(query.clone().aggregate($aggregates)).unwrap().cells();
        prop_assert_eq!(made, $aggregated(&rows), "{:?}", query);

        let (limit, offset, largest) = ask.groups;
        let mut in_groups = groups(&rows, $grouped);
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
        let asked = teams.ask(query.clone()).unwrap().iter().map(Cells::cells).collect::<Vec<_>>();
        prop_assert_eq!(asked, expected.clone(), "{:?}", query);
        let first = teams.ask(query.first()).unwrap().map(|group| group.cells());
        prop_assert_eq!(first, expected.first().cloned());
    }};
}

fn compare(teams: &Teams, ask: &Ask) -> Result<(), TestCaseError> {
    union!(
        teams, ask, Person::all(), Rows::people,
        tables [person], keys &[Column::PersonId],
        select (Person::NAME, Person::AGE) => &[Column::PersonName, Column::PersonAge],
        group Person::NAME => &[Column::PersonName],
        aggregates (count(), Person::AGE.count(), Person::AGE.sum(), Person::AGE.avg(), Person::NAME.min()) => of_people,
    );
    union!(
        teams, ask, Task::all().left_join(Task::OWNER), |rows: &Rows| rows.with_owners(true, rows.tasks()),
        tables [task, person], keys &[Column::TaskId, Column::PersonId],
        select (Person::AGE, Task::EFFORT) => &[Column::PersonAge, Column::TaskEffort],
        group (Task::OWNER, Task::STATE) => &[Column::TaskOwner, Column::TaskState],
        aggregates (
            Task::POINTS.sum(), Task::EFFORT.sum(), Task::EFFORT.avg(), Task::STATE.max(), Task::OWNER.min(), count(),
        ) => of_tasks,
    );
    union!(
        teams, ask, Step::all().join(Step::TASK).left_join(Task::OWNER),
        |rows: &Rows| rows.with_owners(true, rows.of_tasks(false, rows.steps())),
        tables [step, task, person],
        keys &[Column::StepTask, Column::StepAt, Column::TaskId, Column::PersonId],
        select (Person::NAME, Task::OWNER, Step::DONE) => &[Column::PersonName, Column::TaskOwner, Column::StepDone],
        group Task::OWNER => &[Column::TaskOwner],
        aggregates (Step::AT.count(), Step::DONE.max(), Person::AGE.max(), Task::POINTS.avg()) => of_all,
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_query_of_a_union_means_the_same_in_rust(
        events in prop::collection::vec(super::events(), 1..4),
        asks in prop::collection::vec(ask::ask(), 2),
    ) {
        let teams = Teams::new(events);
        for ask in &asks {
            compare(&teams, ask)?;
            let by_key: Vec<_> = teams.all(Rows::people).into_iter().filter(|row| row.cell(Column::PersonId) == number(2)).collect();
            let asked = teams.tagged(teams.ask(Person::by_key(2)).unwrap());
            prop_assert_eq!(asked, expected(&by_key, person::COLUMNS));
            prop_assert_eq!(teams.ask(Person::by_key(2).one()).is_ok(), by_key.len() == 1);
        }
    }
}
