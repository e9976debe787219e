//! An app that knows `larder` under another name: every macro is told so with `crate = pantry`, and names nothing else.

use pantry::prelude::*;

/// An issue.
#[derive(Clone, Debug, PartialEq, Table)]
#[table(name = "issues", crate = pantry)]
pub struct Issue {
    /// Its number.
    #[table(primary_key)]
    pub number: i64,
    /// Whether there is work.
    #[table(default = "Open")]
    pub status: Status,
    /// Before which.
    #[table(references(Issue, on_delete = set_null))]
    pub blocks: Option<i64>,
}

/// Whether there is work.
#[derive(Clone, ColumnValue, Copy, Debug, PartialEq)]
#[column(crate = pantry)]
pub enum Status {
    /// There is.
    Open,
    /// There was.
    Closed,
}

/// A name.
#[derive(Clone, ColumnValue, Debug, PartialEq)]
#[column(crate = pantry)]
pub struct Author(String);

/// How much work there is.
#[derive(Debug, Row)]
#[row(crate = pantry)]
pub struct Workload {
    /// So much.
    pub open: i64,
}

/// What happened.
#[derive(Clone, Debug, Event, PartialEq)]
#[event(crate = pantry)]
pub enum IssueEvent {
    /// It began.
    #[event(name = "v1.IssueOpened", from("v0.IssueOpened" = upgrade))]
    Opened {
        /// Which.
        number: i64,
        /// Also known as.
        names: Vec<String>,
    },
    /// It ended.
    #[event(name = "v1.IssueClosed")]
    Closed {
        /// Which.
        number: i64,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It was looked at.
    #[event(name = "v1.IssueSelected", client_only)]
    Selected(Option<i64>),
}

fn upgrade(number: i64) -> Result<IssueEvent, std::convert::Infallible> {
    Ok(IssueEvent::Opened { number, names: Vec::new() })
}

/// The schema.
#[derive(Debug, StoreSchema)]
#[schema(events = IssueEvent, tables(Issue), crate = pantry)]
pub struct WorkspaceSchema;

#[pantry::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(event: &IssueEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            IssueEvent::Opened { number, .. } => {
                tables.insert(Issue { number: *number, status: Status::Open, blocks: None })
            }
            IssueEvent::Closed { number, .. } => {
                tables.update(Issue::by_key(number)).set(Issue::STATUS, Status::Closed).run()
            }
            IssueEvent::Selected(_) => Ok(()),
        }
    }
}

/// Which workspace.
#[derive(Clone, Debug, StoreKey)]
#[store_key("workspace:{0}", crate = pantry)]
pub struct WorkspaceId(pub String);

define_store! {
    /// The issues of one workspace.
    #[derive(Debug)]
    pub WorkspaceStore {
        crate: pantry,
        name: "workspace",
        id: WorkspaceId,
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::in_memory(),
        gc_time: GcTime::NEVER,

        queries {
            /// How much work there is.
            pub fn workload(status: Status) -> Workload = "SELECT count(*) AS open FROM issues WHERE status = :status";
        }
    }
}

#[cfg(test)]
mod tests {
    use pantry::{Event, StoreKey};

    use super::{IssueEvent, WorkspaceId};

    #[test]
    fn events_and_ids_are_the_same_under_another_name() {
        let closed = IssueEvent::Closed { number: 7, reason: None };
        let args = closed.encode().expect("it encodes");
        assert_eq!(args.as_deref(), Some(r#"{"number":7}"#));
        assert_eq!(IssueEvent::decode("v1.IssueClosed", args.as_deref()).expect("it decodes"), Some(closed));
        assert_eq!(WorkspaceId("a/b".to_owned()).store_id().expect("an id").as_str(), "workspace:a~2Fb");
    }
}
