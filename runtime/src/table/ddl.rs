//! The DDL of a table: `STRICT`, `WITHOUT ROWID` unless the key is the rowid.

use super::{ReferenceAction, TableSchema};
use crate::seeded;

/// An SQL name in quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl TableSchema {
    /// The statements that make the table and its indexes.
    #[doc(hidden)]
    pub fn ddl(&self) -> String {
        let mut parts: Vec<String> = (0..self.columns.len()).map(|index| self.column_ddl(index)).collect();
        if !self.key_is_rowid() {
            parts.push(format!("PRIMARY KEY ({})", self.names(self.primary_key)));
        }
        let unique = if seeded::bug("unique-dropped") { &[] } else { self.unique };
        parts.extend(unique.iter().map(|columns| format!("UNIQUE ({})", self.names(columns))));
        parts.extend(self.references.iter().map(|reference| {
            let action = match reference.on_delete {
                // Checked when the statement ends, so that rows may go together with those that they reference.
                ReferenceAction::Restrict => "NO ACTION",
                ReferenceAction::Cascade => "CASCADE",
                ReferenceAction::SetNull => "SET NULL",
            };
            let (column, target) = (self.names(&[reference.column]), quote(reference.target));
            format!("FOREIGN KEY ({column}) REFERENCES {} ({target}) ON DELETE {action}", quote(reference.table))
        }));
        let rowid = if self.key_is_rowid() { "" } else { ", WITHOUT ROWID" };
        let mut sql = format!("CREATE TABLE {} (\n  {}\n) STRICT{rowid};\n", quote(self.name), parts.join(",\n  "));
        for index in self.indexes {
            let (name, columns) = (quote(index.name), self.names(index.columns));
            sql.push_str(&format!("CREATE INDEX {name} ON {} ({columns});\n", quote(self.name)));
        }
        sql
    }

    fn column_ddl(&self, index: usize) -> String {
        let column = &self.columns[index];
        let mut sql = format!("{} {}", quote(column.name), column.ty.storage.sql());
        if self.key_is_rowid() && self.is_key(index) {
            sql.push_str(" PRIMARY KEY");
        }
        // SQLite allows NULL in a key of a table with rowid, and `NOT NULL` says no everywhere.
        if !column.ty.nullable {
            sql.push_str(" NOT NULL");
        }
        if let Some(default) = column.default {
            sql.push_str(&format!(" DEFAULT {default}"));
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        table::{ColumnSchema, IndexSchema, ReferenceAction, ReferenceSchema, TableSchema, TableStatements},
        value::{ColumnType, Storage},
    };

    const fn column(name: &'static str, ty: ColumnType) -> ColumnSchema {
        ColumnSchema { name, ty, default: None }
    }

    const TEXT: ColumnType = ColumnType::new(Storage::Text, "text");
    const INTEGER: ColumnType = ColumnType::new(Storage::Integer, "i64");

    static ISSUES: TableSchema = TableSchema {
        name: "issues",
        type_name: "Issue",
        columns: &[
            column("number", INTEGER),
            column("title", TEXT),
            ColumnSchema { name: "status", ty: ColumnType::unit_enum(&["Open", "Closed"]), default: Some("'Open'") },
            column("assignee", TEXT.optional()),
            column("score", ColumnType::new(Storage::Real, "f64")),
        ],
        primary_key: &[0],
        unique: &[&[1, 3]],
        indexes: &[IndexSchema { name: "issues_status_title_index", columns: &[2, 1] }],
        references: &[ReferenceSchema {
            column: 3,
            table: "people",
            target: "login",
            on_delete: ReferenceAction::SetNull,
        }],
        statements: TableStatements::new(),
    };

    static LABELS: TableSchema = TableSchema {
        name: "order",
        type_name: "Label",
        columns: &[column("issue", INTEGER), column("odd \"name\"", TEXT)],
        primary_key: &[1, 0],
        unique: &[],
        indexes: &[],
        references: &[
            ReferenceSchema { column: 0, table: "issues", target: "number", on_delete: ReferenceAction::Cascade },
            ReferenceSchema { column: 1, table: "x", target: "y", on_delete: ReferenceAction::Restrict },
        ],
        statements: TableStatements::new(),
    };

    /// The form of a table is the disk format: when this changes, tables of existing stores must be rebuilt.
    #[test]
    fn ddl_is_the_disk_format() {
        let issues = r#"CREATE TABLE "issues" (
  "number" INTEGER PRIMARY KEY NOT NULL,
  "title" TEXT NOT NULL,
  "status" TEXT NOT NULL DEFAULT 'Open',
  "assignee" TEXT,
  "score" REAL NOT NULL,
  UNIQUE ("title", "assignee"),
  FOREIGN KEY ("assignee") REFERENCES "people" ("login") ON DELETE SET NULL
) STRICT;
CREATE INDEX "issues_status_title_index" ON "issues" ("status", "title");
"#;
        let labels = r#"CREATE TABLE "order" (
  "issue" INTEGER NOT NULL,
  "odd ""name""" TEXT NOT NULL,
  PRIMARY KEY ("odd ""name""", "issue"),
  FOREIGN KEY ("issue") REFERENCES "issues" ("number") ON DELETE CASCADE,
  FOREIGN KEY ("odd ""name""") REFERENCES "x" ("y") ON DELETE NO ACTION
) STRICT, WITHOUT ROWID;
"#;
        assert_eq!(ISSUES.ddl(), issues);
        assert_eq!(LABELS.ddl(), labels);
    }

    #[test]
    fn statements_name_every_column() {
        let statements = LABELS.statements();
        assert_eq!(statements.insert, r#"INSERT INTO "order" ("issue", "odd ""name""") VALUES (?, ?)"#);
        assert!(statements.upsert.ends_with(r#" ON CONFLICT ("odd ""name""", "issue") DO NOTHING"#));
        assert_eq!(statements.by_key, r#" WHERE "odd ""name""" = ? AND "issue" = ?"#);
        let upsert = &ISSUES.statements().upsert;
        assert!(upsert.contains(r#"ON CONFLICT ("number") DO UPDATE SET "title" = excluded."title", "status""#));
    }
}
