//! The app whose queries are live: entries in the order of their times.

use larder::prelude::*;

/// One entry.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "entries", index(state, at))]
pub(crate) struct Entry {
    #[table(primary_key)]
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) state: State,
    pub(crate) at: i64,
}

/// Whether it counts.
#[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Open,
    Closed,
}

/// What happens to entries.
#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum EntryEvent {
    #[event(name = "v1.EntryAdded")]
    Added { number: i64, title: String, at: i64 },
    #[event(name = "v1.EntryRenamed")]
    Renamed { number: i64, title: String },
    #[event(name = "v1.EntryMoved")]
    Moved { number: i64, at: i64 },
}

/// The schema.
#[derive(StoreSchema)]
#[schema(events = EntryEvent, tables(Entry), version = 1)]
pub(crate) struct EntrySchema;

#[larder::materializer]
impl Materializer for EntrySchema {
    fn materialize(event: &EntryEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            EntryEvent::Added { number, title, at } => {
                tables.insert(Entry { number: *number, title: title.clone(), state: State::Open, at: *at })
            }
            EntryEvent::Renamed { number, title } => {
                tables.update(Entry::by_key(*number)).set(Entry::TITLE, title.clone()).run_one()
            }
            EntryEvent::Moved { number, at } => tables.update(Entry::by_key(*number)).set(Entry::AT, *at).run_one(),
        }
    }
}

define_store! {
    /// In a file.
    pub(crate) EntryStore {
        name: "entries",
        schema: EntrySchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}
