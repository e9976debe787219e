//! A projection has the events of its source.

use larder::prelude::*;

#[derive(Table)]
struct Listed {
    #[table(primary_key)]
    source: SourceId,
}

#[derive(StoreSchema)]
#[schema(events = SettingEvent, tables(Listed))]
struct ListSchema;

#[larder::materializer]
impl Materializer for ListSchema {
    fn materialize(_: &SettingEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

define_projection! {
    List { name: "list", source: IssueStore, schema: ListSchema, adapter: SqliteAdapter::persisted() }
}

#[derive(Table)]
struct Issue {
    #[table(primary_key)]
    number: i64,
    title: String,
}

#[derive(Table)]
struct Setting {
    #[table(primary_key)]
    name: String,
}

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened { number: i64 },
}

#[derive(Event)]
enum SettingEvent {
    #[event(name = "v1.SettingSet")]
    Set { name: String },
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Issue))]
struct IssueSchema;

#[larder::materializer]
impl Materializer for IssueSchema {
    fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

#[derive(StoreKey)]
#[store_key("issue:{number}")]
struct IssueId {
    number: i64,
}

define_store! {
    IssueStore { name: "issue", id: IssueId, schema: IssueSchema, adapter: SqliteAdapter::persisted() }
}

fn main() {}
