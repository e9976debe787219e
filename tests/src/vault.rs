//! A vault: a store with a column of every type, for hostile values.

use larder::{Row, prelude::*};

/// What is kept.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "things", index(text))]
pub struct Thing {
    /// Its name.
    #[table(primary_key)]
    pub key: String,
    /// Any text.
    #[table(default = "'; DROP TABLE things; --")]
    pub text: String,
    /// A text or none.
    pub note: Option<String>,
    /// Any JSON.
    pub json: Json<serde_json::Value>,
    /// A kind.
    pub kind: Kind,
    /// Bytes.
    pub bytes: Vec<u8>,
}

/// A kind, with a name on disk that is no good name.
#[derive(ColumnValue, Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Nothing special.
    Plain,
    /// Ends the statement, if it can.
    #[column(name = "'); DROP TABLE things; --")]
    Quote,
}

/// Numbers of every size.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "numbers")]
#[expect(missing_docs, reason = "each is named as its type")]
pub struct Numbers {
    #[table(primary_key)]
    pub id: i64,
    pub i8: i8,
    pub i16: i16,
    pub i32: i32,
    pub u8: u8,
    pub u16: u16,
    pub u32: u32,
    pub f32: f32,
    pub f64: f64,
    pub bool: bool,
    pub at: Timestamp,
    pub uuid: Uuid,
    pub level: Level,
    pub maybe: Option<i8>,
}

/// A newtype of a small number.
#[derive(ColumnValue, larder::serde::Serialize, larder::serde::Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(crate = "larder::serde")]
pub struct Level(pub u8);

/// What happens to a vault.
#[derive(Event, Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "they carry what the columns hold")]
pub enum VaultEvent {
    #[event(name = "v1.ThingKept")]
    Kept { key: String, text: String, json: serde_json::Value },
    #[event(name = "v1.ThingNoted")]
    Noted { key: String, note: String },
    #[event(name = "v1.ThingRenamed")]
    Renamed { key: String, to: String },
    #[event(name = "v1.ThingThrownAway")]
    ThrownAway(String),
    #[event(name = "v1.NumbersKept")]
    NumbersKept {
        id: i64,
        i8: i8,
        i16: i16,
        i32: i32,
        u8: u8,
        u16: u16,
        u32: u32,
        f32: f32,
        f64: f64,
        at: Timestamp,
        uuid: Uuid,
        level: Level,
    },
    #[event(name = "v1.')/**/;DROP/**/TABLE/**/larder_events;--")]
    Quoted,
    #[event(name = "v1.VaultEmptied", client_only)]
    Emptied,
}

/// The schema of vaults.
#[derive(StoreSchema)]
#[schema(events = VaultEvent, tables(Thing, Numbers), version = 1)]
pub struct VaultSchema;

#[larder::materializer]
impl Materializer for VaultSchema {
    fn materialize(event: &VaultEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            VaultEvent::Kept { key, text, json } => tables.upsert(thing(key, text, json.clone())),
            VaultEvent::Noted { key, note } => {
                tables.execute_sql("UPDATE things SET note = ? WHERE key = ?", (note, key))?;
                tables.update(Thing::filter(Thing::NOTE.eq(note.as_str()))).set(Thing::NOTE, note.as_str()).run()
            }
            VaultEvent::Renamed { key, to } => tables.update(Thing::by_key(key)).set(Thing::TEXT, to).run_one(),
            VaultEvent::ThrownAway(key) => tables.delete(Thing::by_key(key)).run(),
            VaultEvent::NumbersKept { id, i8, i16, i32, u8, u16, u32, f32, f64, at, uuid, level } => {
                tables.upsert(Numbers {
                    id: *id,
                    i8: *i8,
                    i16: *i16,
                    i32: *i32,
                    u8: *u8,
                    u16: *u16,
                    u32: *u32,
                    f32: *f32,
                    f64: *f64,
                    bool: id % 2 == 0,
                    at: *at,
                    uuid: *uuid,
                    level: *level,
                    maybe: None,
                })
            }
            VaultEvent::Quoted | VaultEvent::Emptied => Ok(()),
        }
    }
}

/// A thing as [`VaultEvent::Kept`] makes it.
pub fn thing(key: &str, text: &str, json: serde_json::Value) -> Thing {
    let kind = if key.contains('\'') { Kind::Quote } else { Kind::Plain };
    let (key, text, bytes) = (key.to_owned(), text.to_owned(), text.as_bytes().to_vec());
    Thing { key, text, note: None, json: Json(json), kind, bytes }
}

/// Numbers that fit everywhere.
pub fn numbers(id: i64) -> VaultEvent {
    VaultEvent::NumbersKept {
        id,
        i8: i8::MIN,
        i16: i16::MAX,
        i32: i32::MIN,
        u8: u8::MAX,
        u16: u16::MAX,
        u32: u32::MAX,
        f32: 0.5,
        f64: 1e300,
        at: Timestamp::UNIX_EPOCH,
        uuid: Uuid::nil(),
        level: Level(7),
    }
}

/// A row of an SQL query.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct Named {
    /// A thing's name.
    pub key: String,
}

larder::define_store! {
    /// Hostile values.
    pub Vault {
        name: "vault",
        schema: VaultSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,

        queries {
            /// The names of things with a text.
            pub fn with_text(text: &str) -> Vec<Named> = "SELECT key FROM things WHERE text = :text ORDER BY key";
            /// The same, by a pattern.
            pub fn like(pattern: String) -> Vec<Named> = "SELECT key FROM things WHERE text LIKE :pattern ORDER BY key";
        }
    }
}
