//! The fingerprint of a schema: differs whenever tables built by the one are not those of the other.

use std::fmt;

use crate::{
    event::EventInfo,
    table::{ReferenceAction, TableSchema},
};

/// The form of the tables that larder itself makes of a schema. Raised when the same schema becomes other tables.
const TABLE_FORMAT: u32 = 1;

/// 128 bits that differ when tables must be rebuilt: a hash of the tables, the events, the schema's `version`, the
/// materializer's text and larder's own table format.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of a schema in its canonical text.
    pub(super) fn of(canonical: &str) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(canonical.as_bytes()).as_bytes()[..16]);
        Self(bytes)
    }

    /// The fingerprint with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

/// A schema as text, line by line. Our own form: nothing of it comes from a dependency's `Debug` or serializer, and every
/// free text is quoted, so that two schemas never share a text.
pub(super) fn canonical(tables: &[&TableSchema], events: &[EventInfo], version: u32, source: u64) -> String {
    let mut text = Canonical(String::with_capacity(1024));
    text.line("larder schema", &[&TABLE_FORMAT, &version, &format_args!("{source:016x}")]);
    for table in tables {
        text.table(table);
    }
    for event in events {
        text.event(event);
    }
    text.0
}

struct Canonical(String);

impl Canonical {
    fn line(&mut self, word: &str, parts: &[&dyn fmt::Display]) {
        self.0.push_str(word);
        for part in parts {
            self.0.push(' ');
            self.0.push_str(&part.to_string());
        }
        self.0.push('\n');
    }

    fn table(&mut self, table: &TableSchema) {
        self.line("table", &[&quoted(table.name)]);
        for column in table.columns {
            let ty = column.ty;
            let null = if ty.nullable { "null" } else { "not-null" };
            let default = column.default.map_or_else(|| "-".to_owned(), quoted);
            let variants = ty.variants.iter().map(|variant| quoted(variant)).collect::<Vec<_>>().join(",");
            self.line(
                " column",
                &[&quoted(column.name), &ty.storage.sql(), &quoted(ty.encoding), &null, &default, &variants],
            );
        }
        self.line(" key", &[&columns(table.primary_key)]);
        for unique in table.unique {
            self.line(" unique", &[&columns(unique)]);
        }
        for index in table.indexes {
            self.line(" index", &[&quoted(index.name), &columns(index.columns)]);
        }
        for reference in table.references {
            let action = match reference.on_delete {
                ReferenceAction::Restrict => "restrict",
                ReferenceAction::Cascade => "cascade",
                ReferenceAction::SetNull => "set-null",
            };
            self.line(" reference", &[&reference.column, &quoted(reference.table), &quoted(reference.target), &action]);
        }
    }

    fn event(&mut self, event: &EventInfo) {
        let kind = if event.client_only { "client-only" } else { "synced" };
        self.line("event", &[&quoted(event.name), &kind, &quoted(event.payload)]);
        for from in event.from {
            self.line(" from", &[&quoted(from)]);
        }
    }
}

/// `a,b`, by column index.
fn columns(indexes: &[usize]) -> String {
    indexes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The text in quotes; quotes, backslashes and control characters are escaped, so that it ends where it seems to.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, canonical};
    use crate::{
        event::EventInfo,
        table::{ColumnSchema, IndexSchema, ReferenceAction, ReferenceSchema, TableSchema, TableStatements},
        value::{ColumnType, Storage},
    };

    type Change<T> = fn(&mut T);

    const NUMBER: ColumnSchema =
        ColumnSchema { name: "number", ty: ColumnType::new(Storage::Integer, "i64"), default: None };
    const STATUS: ColumnSchema =
        ColumnSchema { name: "status", ty: ColumnType::unit_enum(&["Open", "Closed"]), default: Some("'Open'") };
    const PARENT: ColumnSchema =
        ColumnSchema { name: "parent", ty: ColumnType::new(Storage::Integer, "i64").optional(), default: None };
    const COLUMNS: &[ColumnSchema] = &[NUMBER, STATUS, PARENT];
    const REFERENCE: ReferenceSchema =
        ReferenceSchema { column: 2, table: "issues", target: "number", on_delete: ReferenceAction::SetNull };
    const fn table() -> TableSchema {
        TableSchema {
            name: "issues",
            type_name: "Issue",
            columns: COLUMNS,
            primary_key: &[0],
            unique: &[&[1, 2]],
            indexes: &[IndexSchema { name: "issues_status_index", columns: &[1] }],
            references: &[REFERENCE],
            statements: TableStatements::new(),
        }
    }

    static ISSUES: TableSchema = table();

    const EVENT: EventInfo = EventInfo {
        name: "v2.IssueOpened",
        variant: "Opened",
        payload: "number: i64, title: \"String\"",
        client_only: false,
        deprecated: Some("not part of the fingerprint"),
        from: &["v1.IssueOpened"],
    };
    const EVENTS: &[EventInfo] = &[EVENT];

    const GOLDEN: &str = r#"larder schema 1 3 00000000000000ff
table "issues"
 column "number" INTEGER "i64" not-null - 
 column "status" TEXT "enum" not-null "'Open'" "Open","Closed"
 column "parent" INTEGER "i64" null - 
 key 0
 unique 1,2
 index "issues_status_index" 1
 reference 2 "issues" "number" set-null
event "v2.IssueOpened" synced "number: i64, title: \"String\""
 from "v1.IssueOpened"
"#;

    #[test]
    fn canonical_text_and_fingerprint_never_change() {
        let text = canonical(&[&ISSUES], EVENTS, 3, 255);
        assert_eq!(text, GOLDEN);
        assert_eq!(Fingerprint::of(&text).to_string(), "5f6d912ce459110f51c46a2442329b25");
    }

    #[test]
    fn every_part_counts() {
        let of = |tables: &[&TableSchema], events: &[EventInfo]| Fingerprint::of(&canonical(tables, events, 3, 255));
        let whole = of(&[&ISSUES], EVENTS);
        assert_ne!(whole, Fingerprint::of(&canonical(&[&ISSUES], EVENTS, 4, 255)));
        assert_ne!(whole, Fingerprint::of(&canonical(&[&ISSUES], EVENTS, 3, 254)));
        assert_ne!(whole, of(&[], EVENTS));
        assert_ne!(whole, of(&[&ISSUES], &[]));
        let table = |change: fn(&mut TableSchema)| {
            let mut table = self::table();
            change(&mut table);
            of(&[&table], EVENTS)
        };
        assert_eq!(whole, table(|_| {}));
        let changed: [(&str, Change<TableSchema>); 14] = [
            ("name", |table| table.name = "tickets"),
            ("a column less", |table| table.columns = &[NUMBER, STATUS]),
            ("a column's name", |table| table.columns = &[NUMBER, ColumnSchema { name: "state", ..STATUS }, PARENT]),
            ("a column's type", |table| {
                table.columns = const {
                    &[ColumnSchema { ty: ColumnType::new(Storage::Integer, "u32"), ..NUMBER }, STATUS, PARENT]
                };
            }),
            ("a column's variants", |table| {
                table.columns = const {
                    &[NUMBER, ColumnSchema { ty: ColumnType::unit_enum(&["Open", "Shut"]), ..STATUS }, PARENT]
                };
            }),
            ("null", |table| {
                table.columns = const {
                    &[NUMBER, STATUS, ColumnSchema { ty: ColumnType::new(Storage::Integer, "i64"), ..PARENT }]
                };
            }),
            ("default", |table| table.columns = &[NUMBER, ColumnSchema { default: None, ..STATUS }, PARENT]),
            ("key", |table| table.primary_key = &[0, 1]),
            ("unique", |table| table.unique = &[&[1]]),
            ("an index's name", |table| table.indexes = &[IndexSchema { name: "other", columns: &[1] }]),
            ("an index's columns", |table| {
                table.indexes = &[IndexSchema { name: "issues_status_index", columns: &[1, 2] }];
            }),
            ("a reference's target", |table| table.references = &[ReferenceSchema { target: "other", ..REFERENCE }]),
            ("what a reference does", |table| {
                table.references = &[ReferenceSchema { on_delete: ReferenceAction::Cascade, ..REFERENCE }];
            }),
            ("no reference", |table| table.references = &[]),
        ];
        changed.into_iter().for_each(|(what, change)| assert_ne!(whole, table(change), "{what}"));
        let event = |change: fn(&mut EventInfo)| {
            let mut event = EVENT;
            change(&mut event);
            of(&[&ISSUES], &[event])
        };
        let changed: [(&str, Change<EventInfo>); 4] = [
            ("wire name", |event| event.name = "v3.IssueOpened"),
            ("payload", |event| event.payload = "number: i64"),
            ("client_only", |event| event.client_only = true),
            ("from", |event| event.from = &["v0.IssueOpened"]),
        ];
        changed.into_iter().for_each(|(what, change)| assert_ne!(whole, event(change), "{what}"));
        let same: [(&str, Change<EventInfo>); 2] =
            [("variant", |event| event.variant = "Begun"), ("deprecated", |event| event.deprecated = None)];
        same.into_iter().for_each(|(what, change)| assert_eq!(whole, event(change), "{what}"));
    }
}
