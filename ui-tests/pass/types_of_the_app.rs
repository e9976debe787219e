//! Types of the app: over a float, and called like types of larder. What SQL makes of them is not guessed.

#![deny(warnings, missing_docs)]

use larder::{define_store, prelude::{ColumnValue, Event, EventContext, MaterializeResult, Materializer}};
use larder::{Row, SqliteAdapter, StoreSchema, Table, Tables};

/// Not larder's.
#[derive(ColumnValue)]
pub struct Uuid(pub String);

/// Nor this.
#[derive(ColumnValue)]
pub struct Timestamp(pub String);

/// How good it is.
#[derive(ColumnValue)]
pub struct Score(pub f64);

/// An issue.
#[derive(Table)]
#[table(name = "issues")]
pub struct Issue {
    /// Which.
    #[table(primary_key)]
    pub id: Uuid,
    /// Since when.
    pub at: Timestamp,
    /// How good it is.
    pub score: Score,
}

/// Computed.
#[derive(Row)]
pub struct Computed {
    /// Twice as good.
    pub double: Score,
    /// The last.
    pub last: Option<String>,
}

/// What happened.
#[derive(Event)]
pub enum IssueEvent {
    /// It began.
    #[event(name = "v1.IssueOpened")]
    Opened,
}

/// The schema.
#[derive(StoreSchema)]
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
    pub WorkspaceStore {
        name: "workspace",
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),

        queries {
            /// By an id that is text.
            pub fn of(id: &Uuid) -> Vec<Computed> =
                "SELECT score * 2 AS double, max(at) AS last FROM issues WHERE id = :id GROUP BY id";

            /// An expression over such an id.
            pub fn names() -> Vec<(String, String)> = "SELECT id || '', coalesce(at, '') FROM issues";

            /// Their sum.
            pub fn sum() -> Option<f64> = "SELECT score + score FROM issues LIMIT 1";
        }
    }
}

fn main() {}
