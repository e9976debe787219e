//! The smallest app: one store, two events, one query. `README.md` shows this file.

// readme: begin
use larder::prelude::*;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "issues")]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
    status: Status,
}

#[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
enum Status {
    Open,
    Closed,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64, title: String },
    #[event(name = "v1.IssueClosed")]
    Closed { number: i64 },
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue), version = 1)]
struct WorkspaceSchema;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(event: &IssueEvent, _about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            IssueEvent::Opened { number, title } => {
                tables.insert(Issue { number: *number, title: title.clone(), status: Status::Open })
            }
            IssueEvent::Closed { number } => {
                tables.update(Issue::by_key(*number)).set(Issue::STATUS, Status::Closed).run_one()
            }
        }
    }
}

define_store! {
    /// The issues of one workspace.
    WorkspaceStore {
        name: "workspace",
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = StoreRegistry::builder().data_dir(std::env::temp_dir().join("larder-quickstart")).build()?;
    let store = registry.get::<WorkspaceStore>("workspace:home").await?;

    // An event is durable, and its rows are visible, when `commit` returns. Run it twice: the issues are still there.
    let number = store.query(Issue::all().count())? as i64 + 1;
    store.commit([
        IssueEvent::Opened { number, title: format!("Label jar {number}") },
        IssueEvent::Opened { number: number + 1, title: format!("Label jar {}", number + 1) },
    ])?;
    store.commit(IssueEvent::Closed { number })?;
    println!("closed issue {number}; still open:");

    for issue in store.query(Issue::filter(Issue::STATUS.eq(Status::Open)).order_by(Issue::NUMBER.desc()).limit(3))? {
        println!("  #{} {}", issue.number, issue.title);
    }
    Ok(())
}
// readme: end
