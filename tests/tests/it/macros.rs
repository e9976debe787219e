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

#[test]
fn a_table_is_called_like_its_type_unless_it_says_otherwise() {
    assert_eq!(Issue::schema().name, "issues");
    assert_eq!(IssueComment::schema().name, "issue_comment");
    let columns: Vec<&str> = IssueComment::schema().columns.iter().map(|column| column.name).collect();
    assert_eq!(columns, ["id", "issue", "by"]);
}

#[test]
fn keys_indexes_references_and_defaults_are_what_the_attributes_say() {
    let issues = Issue::schema();
    assert_eq!((issues.primary_key, issues.unique), (&[0_usize][..], &[&[1_usize][..]][..]));
    assert_eq!(issues.indexes[0].name, "issues_status_opened_at_index");
    assert_eq!(issues.indexes[0].columns, [2, 4]);
    assert_eq!(issues.columns[2].default, Some("'Open'"));
    assert_eq!(issues.columns[2].ty.variants, ["Open", "closed"]);
    let [reference] = IssueComment::schema().references else { panic!("one reference") };
    assert_eq!((reference.column, reference.table, reference.target), (1, "issues", "number"));
    assert_eq!(reference.on_delete, larder::ReferenceAction::Cascade);
}

#[test]
fn an_event_says_what_its_attributes_say() {
    let [opened, selected, cleared] = IssueEvent::EVENTS else { panic!("three events") };
    assert_eq!((opened.name, opened.from), ("v2.IssueOpened", &["v1.IssueOpened"][..]));
    assert_eq!((selected.client_only, selected.deprecated), (true, Some("select by number")));
    assert_eq!((cleared.variant, cleared.payload, cleared.client_only), ("Cleared", "", false));
}

#[test]
fn an_old_event_is_read_through_its_upcaster() {
    let opened = IssueEvent::decode("v1.IssueOpened", Some(r#"{"no":3}"#)).expect("it decodes");
    assert_eq!(opened, Some(IssueEvent::Opened { number: 3, title: "untitled".to_owned(), by: None }));
}

/// Titles got a number, then a kind: each old form is upgraded to the next, and the last to the event.
mod chain {
    use larder::prelude::*;

    #[derive(Event, Clone, Debug, PartialEq)]
    pub(super) enum TagEvent {
        #[event(name = "v3.Tagged", from("v1.Tagged" = from_v1, "v2.Tagged" = from_v2))]
        Tagged { title: String, number: i64, kind: String },
    }

    #[derive(larder::serde::Deserialize)]
    #[serde(crate = "larder::serde")]
    struct V2 {
        title: String,
        number: i64,
    }

    fn from_v1(title: String) -> Result<TagEvent, String> {
        from_v2(V2 { title, number: 0 })
    }

    fn from_v2(old: V2) -> Result<TagEvent, String> {
        if old.title.is_empty() {
            return Err("a tag needs a title".to_owned());
        }
        Ok(TagEvent::Tagged { title: old.title, number: old.number, kind: "plain".to_owned() })
    }
}

#[test]
fn upcasters_may_form_a_chain_and_may_refuse() {
    use chain::TagEvent;
    let tagged = |number| TagEvent::Tagged { title: "a".to_owned(), number, kind: "plain".to_owned() };
    assert_eq!(TagEvent::decode("v1.Tagged", Some(r#""a""#)).unwrap(), Some(tagged(0)));
    assert_eq!(TagEvent::decode("v2.Tagged", Some(r#"{"title":"a","number":2}"#)).unwrap(), Some(tagged(2)));
    let new = r#"{"title":"a","number":3,"kind":"plain"}"#;
    assert_eq!(TagEvent::decode("v3.Tagged", Some(new)).unwrap(), Some(tagged(3)));
    assert_eq!(TagEvent::EVENTS[0].from, ["v1.Tagged", "v2.Tagged"]);
    let refused = TagEvent::decode("v1.Tagged", Some(r#""""#)).unwrap_err().to_string();
    assert_eq!(refused, "its upcaster refused it: a tag needs a title");
}
