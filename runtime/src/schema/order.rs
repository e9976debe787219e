//! The order of a schema's tables: parents before the tables that reference them.

use std::collections::HashSet;

use crate::table::{ReferenceSchema, TableSchema};

/// The tables, each after those that it references, else in the order given. A table may reference itself.
///
/// # Errors
/// A message, when a name is used twice or is larder's own, a referenced table or column is missing, or references go in a circle.
pub(super) fn parents_first(mut rest: Vec<&'static TableSchema>) -> Result<Vec<&'static TableSchema>, String> {
    for table in &rest {
        check_names(table, &rest)?;
        for reference in table.references {
            check_reference(table, reference, &rest)?;
        }
    }
    let mut sorted: Vec<&'static TableSchema> = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let placed = |name: &str| sorted.iter().any(|table| table.name == name);
        let ready = |table: &TableSchema| {
            table.references.iter().all(|reference| reference.table == table.name || placed(reference.table))
        };
        let Some(at) = rest.iter().position(|table| ready(table)) else {
            let circle = rest.iter().map(|table| format!("`{}`", table.name)).collect::<Vec<_>>().join(", ");
            return Err(format!("tables {circle} reference each other in a circle; leave one reference out"));
        };
        sorted.push(rest.remove(at));
    }
    Ok(sorted)
}

fn check_names(table: &TableSchema, all: &[&TableSchema]) -> Result<(), String> {
    let name = table.name;
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("larder_") || lower.starts_with("sqlite_") {
        return Err(format!("table `{name}` begins with `larder_` or `sqlite_`, which are reserved; rename it"));
    }
    if all.iter().filter(|other| other.name.eq_ignore_ascii_case(name)).count() > 1 {
        return Err(format!("two tables are named `{name}`; rename one"));
    }
    let mut columns = HashSet::new();
    match table.columns.iter().find(|column| !columns.insert(column.name.to_ascii_lowercase())) {
        Some(twice) => Err(format!("table `{name}` has two columns named `{}`; rename one", twice.name)),
        None => Ok(()),
    }
}

fn check_reference(table: &TableSchema, reference: &ReferenceSchema, all: &[&TableSchema]) -> Result<(), String> {
    let (name, parent) = (table.name, reference.table);
    let Some(found) = all.iter().find(|other| other.name == parent) else {
        return Err(format!(
            "table `{name}` references table `{parent}`, which the schema does not have; add it to `tables(..)`"
        ));
    };
    match found.primary_key {
        [key] if found.columns[*key].name == reference.target => Ok(()),
        _ => Err(format!(
            "table `{name}` references `{parent}.{}`, which is not the whole primary key of `{parent}`; reference the key",
            reference.target
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::parents_first;
    use crate::{
        table::{ColumnSchema, ReferenceAction, ReferenceSchema, TableSchema, TableStatements},
        value::{ColumnType, Storage},
    };

    const KEY: ColumnSchema = ColumnSchema { name: "id", ty: ColumnType::new(Storage::Integer, "i64"), default: None };

    const fn to(table: &'static str) -> ReferenceSchema {
        ReferenceSchema { column: 0, table, target: "id", on_delete: ReferenceAction::Restrict }
    }

    const fn table(name: &'static str, references: &'static [ReferenceSchema]) -> TableSchema {
        TableSchema {
            name,
            type_name: name,
            columns: &[KEY],
            primary_key: &[0],
            unique: &[],
            indexes: &[],
            references,
            statements: TableStatements::new(),
        }
    }

    fn sorted(tables: &[&'static TableSchema]) -> Result<Vec<&'static str>, String> {
        parents_first(tables.to_vec()).map(|sorted| sorted.iter().map(|table| table.name).collect())
    }

    #[test]
    fn parents_come_first_and_a_table_may_reference_itself() {
        static PARENT: TableSchema = table("parent", &[to("parent")]);
        static CHILD: TableSchema = table("child", &[to("parent")]);
        static OTHER: TableSchema = table("other", &[]);
        assert_eq!(sorted(&[&CHILD, &OTHER, &PARENT]), Ok(vec!["other", "parent", "child"]));
    }

    #[test]
    fn circles_missing_tables_and_reserved_names_are_refused() {
        static A: TableSchema = table("a", &[to("b")]);
        static B: TableSchema = table("b", &[to("a")]);
        static RESERVED: TableSchema = table("larder_x", &[]);
        assert!(sorted(&[&A, &B]).unwrap_err().contains("`a`, `b` reference each other"));
        assert!(sorted(&[&A]).unwrap_err().contains("references table `b`"));
        assert!(sorted(&[&RESERVED]).unwrap_err().contains("reserved"));
        assert!(sorted(&[&B, &B]).unwrap_err().contains("two tables are named `b`"));
    }
}
