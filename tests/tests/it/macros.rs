//! What the derives and `define_store!` make: schemas, names, keys, encodings.

use larder::prelude::*;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "issues", index(status, opened_at))]
pub(crate) struct Issue {
    #[table(primary_key)]
    pub(crate) number: i64,
    #[table(unique)]
    pub(crate) title: String,
    #[table(default = "Open")]
    pub(crate) status: Status,
    pub(crate) assignee: Option<String>,
    pub(crate) opened_at: Timestamp,
}

#[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
pub(crate) enum Status {
    Open,
    #[column(name = "closed")]
    Closed,
}

#[derive(ColumnValue, Clone, Debug, PartialEq)]
pub(crate) struct Author(String);

#[derive(Table, Clone, Debug, PartialEq)]
pub(crate) struct IssueComment {
    #[table(primary_key)]
    id: Uuid,
    #[table(references(Issue, on_delete = cascade), index)]
    issue: i64,
    #[table(name = "by")]
    author: Author,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum IssueEvent {
    #[event(name = "v2.IssueOpened", from("v1.IssueOpened" = upgrade))]
    Opened {
        number: i64,
        title: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    #[event(name = "v1.IssueSelected", client_only, deprecated = "select by number")]
    Selected(Option<i64>),
    #[event(name = "v1.Cleared")]
    Cleared,
}

#[derive(larder::serde::Deserialize)]
#[serde(crate = "larder::serde")]
struct OldOpened {
    no: i64,
}

fn upgrade(old: OldOpened) -> Result<IssueEvent, std::convert::Infallible> {
    Ok(IssueEvent::Opened { number: old.no, title: "untitled".to_owned(), by: None })
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue, IssueComment), version = 3)]
pub(crate) struct WorkspaceSchema;

#[larder::materializer]
impl Materializer for WorkspaceSchema {
    fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

#[derive(StoreKey, Clone, Debug, PartialEq)]
#[store_key("project:{project}:issue:{issue}")]
pub(crate) struct IssueKey {
    issue: i64,
    project: String,
}

define_store! {
    /// The issues of one workspace.
    pub(crate) WorkspaceStore {
        name: "workspace",
        id: IssueKey,
        schema: WorkspaceSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

#[test]
fn an_event_reads_back_as_it_was_written() {
    for event in [
        IssueEvent::Opened { number: 1, title: "a".to_owned(), by: None },
        IssueEvent::Selected(Some(1)),
        IssueEvent::Selected(None),
        IssueEvent::Cleared,
    ] {
        let args = event.encode().expect("it encodes");
        let name = IssueEvent::EVENTS[event.index()].name;
        assert_eq!(IssueEvent::decode(name, args.as_deref()).expect("it decodes"), Some(event));
    }
}

#[test]
fn a_store_key_reads_back_from_its_id() {
    let key = IssueKey { issue: 7, project: "rusqlite/rusqlite".to_owned() };
    let id = key.store_id().expect("an id");
    assert_eq!(id.as_str(), "project:rusqlite~2Frusqlite:issue:7");
    assert_eq!(IssueKey::from_store_id(&id).expect("a key"), key);
    assert!(IssueKey::from_store_id(&"project:a:issue:007".parse().expect("an id")).is_err());
}
