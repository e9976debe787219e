//! What is said of tables, rows and column values.

use std::fmt::Display;

use crate::suggest;

pub(crate) fn no_primary_key(name: &impl Display) -> String {
    format!("table `{name}` has no primary key; write `#[table(primary_key)]` above the field that is unique")
}

pub(crate) fn long_primary_key(name: &impl Display, columns: usize) -> String {
    format!("the primary key of `{name}` has {columns} columns, at most 4 are allowed; make one column of them")
}

pub(crate) fn bad_sql_name(kind: &str, name: &str) -> String {
    format!(
        "`{name}` is not a {kind} name; use a letter or `_`, then letters, digits and `_`, at most 64, such as `#[table(name = \"issues\")]`"
    )
}

pub(crate) fn reserved_name(kind: &str, name: &str) -> String {
    format!("`{name}` is not a {kind} name: `larder_` and `sqlite_` are reserved; choose another with `name = \"..\"`")
}

pub(crate) fn same_column(name: &str, first: &impl Display) -> String {
    format!(
        "column `{name}` is also the name of field `{first}` (SQL names ignore case); choose another with `name = \"..\"`"
    )
}

pub(crate) fn same_constant(constant: &impl Display, first: &impl Display) -> String {
    format!("the column's constant `{constant}` is also that of field `{first}`; rename one of the fields")
}

pub(crate) fn unknown_field<'a>(
    field: &str,
    table: &impl Display,
    fields: impl Iterator<Item = &'a str> + Clone,
) -> String {
    match suggest::closest(field, fields.clone()) {
        Some(name) => format!("`{table}` has no field `{field}`; did you mean `{name}`?"),
        None => {
            let fields = fields.map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
            format!("`{table}` has no field `{field}`; its fields are {fields}")
        }
    }
}

pub(crate) fn repeated_field(field: &impl Display) -> String {
    format!("field `{field}` stands here twice; keep one")
}

pub(crate) fn same_index(kind: &str) -> String {
    format!("this `{kind}` is already declared; keep one of them")
}

pub(crate) fn same_index_name(index: &str) -> String {
    format!(
        "this index and another one of the table would both be called `{index}`, after the table and its columns; give a column \
         another name with `#[table(name = \"..\")]`"
    )
}

pub(crate) fn foreign_index_name(index: &str, of: &str, taken: &str) -> String {
    format!(
        "an index of table `{of}` is called `{index}`, after the table and its columns, and {taken} has that name, too; give a table \
         or a column another name with `#[table(name = \"..\")]`"
    )
}

pub(crate) fn taken_by_table() -> String {
    "another table".to_owned()
}

pub(crate) fn taken_by_index(of: &str) -> String {
    format!("an index of table `{of}`")
}

pub(crate) fn unique_is_key() -> String {
    "these columns are the primary key, which is unique already; remove this `unique`".to_owned()
}

pub(crate) fn unknown_action(action: &str) -> String {
    let known = ["restrict", "cascade", "set_null"];
    match suggest::closest(action, known) {
        Some(name) => format!("unknown action `{action}`; did you mean `{name}`?"),
        None => format!("unknown action `{action}`; `on_delete` is `restrict`, `cascade` or `set_null`"),
    }
}

pub(crate) fn unknown_in_references(key: &str) -> String {
    format!(
        "unknown key `{key}` in `references(..)`; write `references(Table)` or `references(Table, on_delete = cascade)`"
    )
}

pub(crate) fn bad_default() -> String {
    "`default` is a literal: a number, a string, `true` or `false`, such as `default = 0`".to_owned()
}

pub(crate) fn not_a_value(name: &impl Display) -> String {
    format!(
        "`#[derive(ColumnValue)]` needs an enum of unit variants or a struct with one field, and `{name}` is neither; for anything else use `Json<{name}>`"
    )
}

pub(crate) fn empty_enum(derive: &str, name: &impl Display) -> String {
    format!("`{name}` has no variants; `#[derive({derive})]` needs at least one")
}

pub(crate) fn value_variant_has_fields(variant: &impl Display) -> String {
    format!("variant `{variant}` has fields; a column holds the names of unit variants only, for more use `Json<_>`")
}

pub(crate) fn same_variant_name(name: &str, first: &impl Display) -> String {
    format!("`{name}` is also the stored name of variant `{first}`; choose another with `#[column(name = \"..\")]`")
}

pub(crate) fn empty_variant_name() -> String {
    "a stored name is empty; write something like `#[column(name = \"open\")]`".to_owned()
}
