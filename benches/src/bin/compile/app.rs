//! The app: three stores, each with twenty events and four tables, with larder's macros or without.

use std::fmt::Write;

/// Stores of the app.
pub(crate) const STORES: usize = 3;
/// Events of each store.
pub(crate) const EVENTS: usize = 20;
/// Tables of each store.
const TABLES: usize = 4;

/// How the app is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// With `#[derive(Table)]`, `#[derive(Event)]`, `#[derive(StoreSchema)]`, `#[materializer]` and `define_store!`.
    Macros,
    /// The same types, and functions over plain lists.
    Plain,
}

impl Way {
    /// The package's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Macros => "with-macros",
            Self::Plain => "plain",
        }
    }

    fn if_macros(self, text: &'static str) -> &'static str {
        if self == Self::Macros { text } else { "" }
    }
}

/// The whole text of the app's `lib.rs`; `edit` is in the body of a function.
pub(crate) fn text(way: Way, edit: usize) -> String {
    let mut text = "//! An app.\n\n".to_owned();
    for store in 0..STORES {
        let _ = write!(text, "/// A store.\npub mod store{store} {{\n{}}}\n\n", module(way, store));
    }
    let _ = write!(text, "/// Edited now and then.\npub fn edited() -> usize {{\n    {edit}\n}}\n");
    text
}

fn module(way: Way, store: usize) -> String {
    let mut text = way.if_macros("    use larder::prelude::*;\n").to_owned();
    for table in 0..TABLES {
        let derive = way.if_macros("Table, ");
        let (key, name) = (way.if_macros("#[table(primary_key)] "), way.if_macros("#[table(name = \"t"));
        let name = if name.is_empty() { String::new() } else { format!("    {name}{store}_{table}\")]\n") };
        let _ = write!(
            text,
            "    /// Rows.\n    #[derive({derive}Clone, Debug, PartialEq)]\n{name}    pub struct Row{table} {{\n        /// The key.\n        \
             {key}pub id: i64,\n        /// Text.\n        pub title: String,\n        /// Maybe.\n        pub note: Option<String>,\n        \
             /// How often.\n        pub count: i64,\n        /// Whether.\n        pub done: bool,\n    }}\n"
        );
    }
    let _ = write!(
        text,
        "    /// What happens.\n    #[derive({}Clone, Debug, PartialEq)]\n    pub enum Happened {{\n",
        way.if_macros("Event, ")
    );
    for event in 0..EVENTS {
        let name = if way == Way::Macros {
            format!("        #[event(name = \"v1.S{store}E{event}\")]\n")
        } else {
            String::new()
        };
        let _ = write!(
            text,
            "        /// Something.\n{name}        Event{event} {{\n            /// Which.\n            id: i64,\n            /// What.\n            \
             title: String,\n            /// More.\n            note: Option<String>,\n        }},\n"
        );
    }
    text += "    }\n";
    text + &materializer(way, store)
}

fn materializer(way: Way, store: usize) -> String {
    let mut arms = String::new();
    for event in 0..EVENTS {
        let table = event % TABLES;
        let row = format!(
            "Row{table} {{ id: *id, title: title.clone(), note: note.clone(), count: {event}, done: note.is_some() }}"
        );
        let done =
            if way == Way::Macros { format!("tables.upsert({row})") } else { format!("tables.{table}.push({row})") };
        let _ = writeln!(arms, "                Happened::Event{event} {{ id, title, note }} => {done},");
    }
    if way == Way::Plain {
        let lists: String = (0..TABLES).map(|table| format!("Vec<Row{table}>, ")).collect();
        return format!(
            "    /// Tables.\n    pub type Tables = ({lists});\n    /// Applies an event.\n    pub fn materialize(event: &Happened, tables: &mut Tables) \
             {{\n            match event {{\n{arms}            }}\n    }}\n"
        );
    }
    let tables = (0..TABLES).map(|table| format!("Row{table}")).collect::<Vec<_>>().join(", ");
    format!(
        "    /// The schema.\n    #[derive(StoreSchema)]\n    #[schema(events = Happened, tables({tables}), version = 1)]\n    pub struct Schema;\n    \
         #[larder::materializer]\n    impl Materializer for Schema {{\n        fn materialize(event: &Happened, _: &EventContext, tables: &mut \
         Tables<'_, Self>) -> MaterializeResult {{\n            match event {{\n{arms}            }}\n        }}\n    }}\n    define_store! {{\n        \
         /// A store.\n        pub TheStore {{\n            name: \"store{store}\",\n            schema: Schema,\n            adapter: \
         SqliteAdapter::persisted(),\n        }}\n    }}\n"
    )
}
