//! The user's own `Option`, `Result`, `String` and so on do not get in the way of generated code.

#![allow(dead_code, non_camel_case_types, unused_macros)]

use larder::define_store;
use larder::{Event as _, Table as _};

struct Option;
struct Result;
struct String;
struct Vec;
struct Box;
struct Value;
struct Encoded;
struct Table;
struct Row;
struct Event;
struct Column;
struct u32;
trait ColumnValue {}
trait Default {}
trait Send {}
trait Sized {}
trait Clone {}
trait From {}
trait Iterator {}
#[allow(non_snake_case)]
fn Ok() {}
#[allow(non_snake_case)]
fn Err() {}
#[allow(non_snake_case)]
fn Some() {}
struct None;
mod std {}
mod core {}
mod serde {}
mod alloc {}
macro_rules! vec {
    () => {};
}
macro_rules! panic {
    () => {};
}

#[derive(larder::Table)]
#[table(index(state), unique(state, title))]
struct Issue {
    #[table(primary_key)]
    number: i64,
    #[table(default = "Some")]
    state: Status,
    #[table(references(Issue, on_delete = set_null))]
    parent: ::std::option::Option<i64>,
    #[table(default = 1.5)]
    weight: f64,
    title: ::std::option::Option<::std::string::String>,
}

#[derive(larder::ColumnValue)]
enum Status {
    Some,
    None,
    Ok,
    Err,
}

#[derive(larder::ColumnValue)]
struct Author(::std::string::String);

#[derive(larder::Row)]
struct Workload {
    open: i64,
}

#[derive(larder::Event)]
enum IssueEvent {
    #[event(name = "v1.None")]
    None,
    #[event(name = "v1.Some")]
    Some(i64),
    #[event(name = "v1.Ok", from("v0.Ok" = upgrade))]
    Ok { r#type: i64, __name: i64, args: i64, title: ::std::string::String },
}

fn upgrade(_: i64) -> ::std::result::Result<IssueEvent, ::std::convert::Infallible> {
    ::std::result::Result::Ok(IssueEvent::None)
}

#[derive(larder::StoreSchema)]
#[schema(events = IssueEvent, tables(Issue))]
struct WorkspaceSchema;

#[larder::materializer]
impl larder::Materializer for WorkspaceSchema {
    fn materialize(
        _: &IssueEvent,
        _: &larder::EventContext,
        _: &mut larder::Tables<'_, Self>,
    ) -> larder::MaterializeResult {
        ::std::result::Result::Ok(())
    }
}

#[derive(larder::StoreKey)]
#[store_key("workspace:{id}:{parts}")]
struct WorkspaceKey {
    id: i64,
    parts: ::std::string::String,
}

async fn announce(
    _: &larder::Store<WorkspaceStore>,
    _: larder::LoadContext,
) -> ::std::result::Result<(), ::std::fmt::Error> {
    ::std::result::Result::Ok(())
}

define_store! {
    WorkspaceStore {
        name: "workspace",
        id: WorkspaceKey,
        schema: WorkspaceSchema,
        adapter: larder::SqliteAdapter::persisted(),
        gc_time: larder::GcTime::NEVER,
        on_load: announce,

        queries {
            #[indexed]
            fn state(number: i64, title: ::std::option::Option<::std::string::String>) -> ::std::option::Option<Status> =
                "SELECT state FROM issue WHERE number = :number OR title = :title AND 0";
            fn open(least: &str, sql: &i64) -> ::std::vec::Vec<Workload> =
                "SELECT count(*) AS open FROM issue WHERE title > :least GROUP BY state HAVING open > :sql LIMIT :sql";
            fn one() -> i64 = "SELECT count(*) FROM issue";
        }
    }
}

fn main() {
    let _ = (WorkspaceStore::state(1, ::std::option::Option::None), WorkspaceStore::open("", &1), WorkspaceStore::one());
    let _ = Issue::schema();
    let _ = IssueEvent::None.index();
}
