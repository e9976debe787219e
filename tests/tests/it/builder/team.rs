//! A store with three tables that reference each other in a row.

use larder::{OpenOptions, prelude::*};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "people")]
pub(super) struct Person {
    #[table(primary_key)]
    pub(super) id: i64,
    #[table(name = "group")]
    pub(super) name: String,
    pub(super) age: Option<i64>,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "t0", index(owner))]
pub(super) struct Task {
    #[table(primary_key)]
    pub(super) id: i64,
    #[table(references(Person))]
    pub(super) owner: Option<i64>,
    #[table(name = "c0")]
    pub(super) state: State,
    pub(super) points: i32,
    pub(super) effort: Option<f64>,
}

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "steps")]
pub(super) struct Step {
    #[table(primary_key, references(Task, on_delete = cascade))]
    pub(super) task: i64,
    #[table(primary_key)]
    pub(super) at: String,
    pub(super) done: bool,
}

#[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Open,
    #[column(name = "a'done")]
    Done,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(super) enum TeamEvent {
    #[event(name = "v1.PersonCame")]
    Came { id: i64, name: String, age: Option<i64> },
    #[event(name = "v1.TaskSet")]
    Set { id: i64, owner: Option<i64>, done: bool, points: i32, effort: Option<i64> },
    #[event(name = "v1.StepTaken")]
    Taken { task: i64, at: String, done: bool },
}

#[derive(StoreSchema)]
#[schema(events = TeamEvent, tables(Person, Task, Step), version = 1)]
pub(super) struct TeamSchema;

#[larder::materializer]
impl Materializer for TeamSchema {
    fn materialize(event: &TeamEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event.clone() {
            TeamEvent::Came { id, name, age } => tables.upsert(Person { id, name, age }),
            TeamEvent::Set { id, owner, done, points, effort } => {
                let state = if done { State::Done } else { State::Open };
                let owner = owner.filter(|owner| matches!(tables.query(Person::by_key(owner)), Ok(Some(_))));
                tables.upsert(Task { id, owner, state, points, effort: effort.map(|effort| effort as f64 / 2.0) })
            }
            TeamEvent::Taken { task, at, done } => match tables.query(Task::by_key(task))? {
                Some(_) => tables.upsert(Step { task, at, done }),
                None => Ok(()),
            },
        }
    }
}

define_store! {
    /// Who does what.
    pub(super) TeamStore {
        name: "team",
        schema: TeamSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

/// A team to which all this happened, in memory.
pub(super) async fn team(events: Vec<TeamEvent>) -> StoreHandle<TeamStore> {
    let store = Store::<TeamStore>::open("team:1", OpenOptions::in_memory()).await.expect("it opens");
    store.commit(events).expect("it commits");
    store
}
