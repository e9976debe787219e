//! Queries of every shape, with and without parameters, keep their visibility, documentation and attributes.

#![deny(warnings, missing_docs)]

pub mod store {
    //! The store, in a module of its own.

    use larder::prelude::*;

    /// An issue.
    #[derive(Clone, Debug, PartialEq, Table)]
    pub struct Issue {
        /// Its number.
        #[table(primary_key)]
        pub number: i64,
        /// For whom.
        pub assignee: Option<String>,
    }

    /// How much there is to do.
    #[derive(Debug, Row)]
    pub struct Workload {
        /// For whom.
        #[row(name = "assignee")]
        pub who: Option<String>,
        /// How much.
        pub open: i64,
    }

    /// What happened.
    #[derive(Debug, Event)]
    pub enum IssueEvent {
        /// It began.
        #[event(name = "v1.IssueOpened")]
        Opened,
    }

    /// The schema.
    #[derive(Debug, StoreSchema)]
    #[schema(events = IssueEvent, tables(Issue))]
    pub struct WorkspaceSchema;

    #[larder::materializer]
    impl Materializer for WorkspaceSchema {
        fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
            Ok(())
        }
    }

    define_store! {
        /// The issues of one workspace.
        #[derive(Debug)]
        pub WorkspaceStore {
            name: "workspace",
            schema: WorkspaceSchema,
            adapter: SqliteAdapter::persisted(),

            queries {
                /// Open issues per assignee, busiest first.
                #[must_use]
                pub fn workload(at_least: i64, names: &str, r#type: Option<String>, sql: &i64) -> Vec<Workload> =
                    "SELECT assignee, count(*) AS open FROM issue WHERE assignee LIKE :names OR :type IS NULL
                     GROUP BY assignee HAVING open >= :at_least OR open = :sql";

                pub(crate) fn one(number: i64) -> Option<Issue> = "SELECT * FROM issue WHERE number = :number";

                fn count() -> i64 = "SELECT count(*) FROM issue";

                fn pairs() -> Vec<(i64, Option<String>)> = "SELECT number, assignee FROM issue";
            }
        }
    }

    /// Asks.
    pub fn ask(store: &Store<WorkspaceStore>) -> Result<i64, larder::QueryError> {
        let _: Vec<(i64, Option<String>)> = store.query(WorkspaceStore::pairs())?;
        store.query(WorkspaceStore::count())
    }
}

/// Asks.
pub fn ask(store: &larder::Store<store::WorkspaceStore>) -> Result<Vec<store::Workload>, larder::QueryError> {
    let _: Option<store::Issue> = store.query(store::WorkspaceStore::one(7))?;
    store.query(store::WorkspaceStore::workload(3, "a%", None, &7))
}

fn main() {}
