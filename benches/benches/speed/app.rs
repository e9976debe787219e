//! The app that is measured: issues, one event, one row for each.

use larder::prelude::*;

/// One issue.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "issues")]
pub(crate) struct Issue {
    #[table(primary_key)]
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) status: Status,
    pub(crate) assignee: Option<String>,
    pub(crate) opened_at: i64,
}

/// Whether it is done.
#[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
pub(crate) enum Status {
    Open,
    Closed,
}

/// What happens to issues.
#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64, title: String, assignee: Option<String>, at: i64 },
    #[event(name = "v1.IssueClosed")]
    Closed { number: i64 },
}

fn materialize<S>(event: &IssueEvent, tables: &mut Tables<'_, S>) -> MaterializeResult
where
    S: larder::HasTable<Issue>,
{
    match event {
        IssueEvent::Opened { number, title, assignee, at } => tables.insert(Issue {
            number: *number,
            title: title.clone(),
            status: Status::Open,
            assignee: assignee.clone(),
            opened_at: *at,
        }),
        IssueEvent::Closed { number } => {
            tables.update(Issue::by_key(*number)).set(Issue::STATUS, Status::Closed).run_one()
        }
    }
}

/// The schema, and the same one after a change of its materializer.
#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue), version = 1)]
pub(crate) struct IssueSchema;

#[larder::materializer]
impl Materializer for IssueSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        materialize(event, tables)
    }
}

/// See [`IssueSchema`].
#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue), version = 2)]
pub(crate) struct ChangedSchema;

#[larder::materializer]
impl Materializer for ChangedSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        materialize(event, tables)
    }
}

define_store! {
    /// In a file.
    pub(crate) IssueStore {
        name: "issues",
        schema: IssueSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

define_store! {
    /// In the same file, for the changed schema: opening it rebuilds the tables.
    pub(crate) ChangedStore {
        name: "issues",
        schema: ChangedSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

define_store! {
    /// In memory.
    pub(crate) MemoryStore {
        name: "memory",
        schema: IssueSchema,
        adapter: SqliteAdapter::in_memory(),
        gc_time: GcTime::NEVER,
    }
}

/// The event that opens issue `number`.
pub(crate) fn opened(number: i64) -> IssueEvent {
    let (title, assignee, at) = content(number);
    IssueEvent::Opened { number, title, assignee, at }
}

/// Title, assignee and time of issue `number`.
pub(crate) fn content(number: i64) -> (String, Option<String>, i64) {
    let assignee = (number % 3 != 0).then(|| format!("user-{}", number % 100));
    (format!("the list of labels of issue {number} flickers"), assignee, 1_700_000_000_000_000 + number * 1_000_000)
}
