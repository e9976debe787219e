//! A projection is made of the events of its sources.

use larder::prelude::*;

async fn misuse(registry: &StoreRegistry) {
    let list = registry.projection::<List>().await.unwrap();
    let _ = list.commit(IssueEvent::Opened { number: 7 });
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

#[derive(Table)]
struct Listed {
    #[table(primary_key)]
    source: SourceId,
    title: String,
}

#[derive(StoreSchema)]
#[schema(events = IssueEvent, tables(Listed))]
struct ListSchema;

#[larder::materializer]
impl Materializer for ListSchema {
    fn materialize(_: &IssueEvent, _: &EventContext, _: &mut Tables<'_, Self>) -> MaterializeResult {
        Ok(())
    }
}

define_projection! {
    List { name: "list", source: IssueStore, schema: ListSchema, adapter: SqliteAdapter::persisted() }
}

fn main() {}
