//! Projections and documents compile without a warning: with docs, in modules, without the prelude, with unlucky names.

#![deny(warnings, missing_docs)]

/// Issues.
pub mod issues {
    use larder::{ColumnValue, Event, Table};

    /// An issue.
    #[derive(Table, Clone, Debug, PartialEq)]
    pub struct Issue {
        /// Its number.
        #[table(primary_key)]
        pub number: i64,
    }

    /// How much.
    #[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
    pub enum Result {
        /// All.
        Ok,
    }

    /// What happens.
    #[derive(Event, Clone, Debug, PartialEq)]
    pub enum IssueEvent {
        /// It is opened.
        #[event(name = "v1.Opened")]
        Opened {
            /// Its number.
            number: i64,
        },
    }

    /// Of an issue.
    #[derive(larder::StoreSchema)]
    #[schema(events = IssueEvent, tables(Issue), documents(super::view::View, super::view::Plain), version = 1)]
    pub struct IssueSchema;

    #[larder::materializer]
    impl larder::Materializer for IssueSchema {
        fn materialize(
            event: &IssueEvent,
            _: &larder::EventContext,
            tables: &mut larder::Tables<'_, Self>,
        ) -> larder::MaterializeResult {
            let IssueEvent::Opened { number } = event;
            tables.insert(Issue { number: *number })
        }
    }

    larder::define_store! {
        /// An issue.
        pub IssueStore { name: "issue", schema: IssueSchema, adapter: larder::SqliteAdapter::persisted() }
    }
}

/// What is looked at.
pub mod view {
    /// A view.
    #[derive(larder::Document, Clone, Debug, Default, PartialEq)]
    #[document(name = "a_view")]
    pub struct View {
        /// A type.
        pub r#type: Option<Vec<String>>,
        #[serde(rename = "x", default)]
        private: u8,
    }

    /// Of one field.
    #[derive(larder::Document, Default)]
    pub struct Plain {
        /// Which.
        pub value: i64,
    }
}

/// The list.
pub mod list {
    use super::issues::{IssueEvent, IssueStore};

    /// An issue of the list.
    #[derive(larder::Table, Clone, Debug, PartialEq)]
    pub struct Listed {
        /// Which.
        #[table(primary_key)]
        pub source: larder::SourceId,
        /// Its number.
        pub number: i64,
    }

    /// Of the list.
    #[derive(larder::StoreSchema)]
    #[schema(events = IssueEvent, tables(Listed), version = 1)]
    pub struct ListSchema;

    #[larder::materializer]
    impl larder::Materializer for ListSchema {
        fn materialize(
            event: &IssueEvent,
            _: &larder::EventContext,
            tables: &mut larder::Tables<'_, Self>,
        ) -> larder::MaterializeResult {
            let IssueEvent::Opened { number } = event;
            tables.insert(Listed { source: larder::SourceId::this(), number: *number })
        }
    }

    larder::define_projection! {
        /// All issues.
        #[derive(Debug)]
        pub List {
            name: "list",
            source: IssueStore,
            schema: ListSchema,
            adapter: larder::SqliteAdapter::in_memory(),
            gc_time: larder::GcTime::NEVER,
            durability: larder::Durability::Power,
            attributes: larder::Attributes::default(),
            crate: ::larder,

            queries {
                /// Numbers.
                pub fn numbers(at_least: i64) -> Vec<i64> = "SELECT number FROM listed WHERE number >= :at_least";
            }
        }
    }
}

fn main() {
    use larder::Document as _;
    let _ = (view::View::get("a"), view::Plain::get("b"), list::List::numbers(1));
}
