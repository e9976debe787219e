//! The store of this installation's settings: there is one, so it is opened without an id.

use larder::prelude::*;

/// One setting.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "settings")]
pub struct Setting {
    /// Which one, such as `author`.
    #[table(primary_key)]
    pub name: String,
    /// What it is set to.
    pub value: String,
}

/// What happened to the settings. It is this installation's alone, and no other one's that shares workspaces with it.
#[derive(Event, Clone, Debug, PartialEq)]
pub enum SettingEvent {
    /// A setting got a value.
    #[event(name = "v1.SettingChosen", client_only)]
    Chosen {
        /// Which one.
        name: String,
        /// Its new value.
        value: String,
    },
}

/// Tables and events of the settings.
#[derive(StoreSchema)]
#[schema(events = SettingEvent, tables(Setting), version = 1)]
pub struct SettingsSchema;

#[larder::materializer]
impl Materializer for SettingsSchema {
    fn materialize(event: &SettingEvent, _about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            SettingEvent::Chosen { name, value } => tables.upsert(Setting { name: name.clone(), value: value.clone() }),
        }
    }
}

define_store! {
    /// The settings of this installation.
    pub SettingsStore {
        name: "settings",
        singleton: "app-settings",
        schema: SettingsSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}
