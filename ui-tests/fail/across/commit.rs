//! Queries across stores read.

use larder::prelude::*;

async fn misuse(registry: &StoreRegistry) {
    let _ = registry.across_all::<IssueStore>().commit(IssueEvent::Opened { number: 7 });
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
