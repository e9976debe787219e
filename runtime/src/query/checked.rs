//! What is checked of a query in SQL while the app is compiled, where types are known: its result columns and its parameters.
//!
//! The macro has asked SQLite which column each is; here that column's type is looked up in the schema.

use crate::{
    schema::StoreSchema,
    value::{ColumnType, Storage},
};

/// What a query reads of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableReads {
    /// The table's SQL name.
    pub table: &'static str,
    /// The columns' SQL names; none where only the rows count.
    pub columns: &'static [&'static str],
}

/// One column of a query's result, as SQLite sees it.
pub struct ResultColumn {
    /// Its name.
    pub name: &'static str,
    /// The table and column it is; `None` for an expression.
    pub origin: Option<(&'static str, &'static str)>,
    /// The query leaves out rows where it is `NULL`.
    pub filtered: bool,
    /// It is `NULL` for some content of the tables.
    pub null: bool,
    /// What an expression is for some content of the tables.
    pub storages: &'static [Storage],
}

/// What a row type says of itself. Generated code fills it in, so that a type that is none is reported where it is written, once.
pub struct RowShape {
    /// `Row::NAME`
    pub name: &'static str,
    /// `Row::COLUMNS`
    pub columns: &'static [&'static str],
    /// `Row::__TYPES`
    pub types: &'static [ColumnType],
}

/// For generated code; runs while compiling.
#[track_caller]
pub const fn assert_result<S: StoreSchema>(
    query: &str,
    columns: &[ResultColumn],
    assumed: &[(&str, &str, Storage)],
    row: &RowShape,
) {
    let RowShape { name: _, columns: names, types } = *row;
    if types.is_empty() {
        return;
    }
    if names.is_empty() && types.len() != columns.len() {
        Text::new()
            .add("query `")
            .add(query)
            .add("` returns ")
            .count(columns.len())
            .add(", and its row type takes ")
            .count(types.len())
            .fail();
    }
    let observed = all_hold::<S>(assumed);
    let mut at = 0;
    while at < types.len() {
        let column = if names.is_empty() { &columns[at] } else { named(query, columns, row.name, names[at]) };
        assert_column::<S>(query, column, observed, &types[at]);
        at += 1;
    }
}

#[track_caller]
const fn named<'a>(query: &str, columns: &'a [ResultColumn], row: &str, name: &str) -> &'a ResultColumn {
    let mut found = None;
    let mut at = 0;
    while at < columns.len() {
        if same(columns[at].name, name) {
            if found.is_some() {
                let text = Text::new().add("two columns of query `").add(query).add("` are called `").add(name);
                text.add("`; give one of them another name with `AS`").fail();
            }
            found = Some(&columns[at]);
        }
        at += 1;
    }
    match found {
        Some(column) => column,
        None => {
            let mut text = Text::new().add("query `").add(query).add("` has no column `").add(name).add("` for `");
            text = text.add(row).add("`; it has ");
            let mut at = 0;
            while at < columns.len() {
                text = text.add(if at == 0 { "`" } else { ", `" }).add(columns[at].name).add("`");
                at += 1;
            }
            text.fail()
        }
    }
}

/// Whether the types of these columns are stored as the macro took it from their names. Where they are not, it tried the query with the
/// wrong values, and what it saw says nothing.
const fn all_hold<S: StoreSchema>(assumed: &[(&str, &str, Storage)]) -> bool {
    let mut at = 0;
    while at < assumed.len() {
        let (table, column, storage) = assumed[at];
        if let Some(found) = column_type::<S>(table, column)
            && !same(found.storage.sql(), storage.sql())
        {
            return false;
        }
        at += 1;
    }
    true
}

#[track_caller]
const fn assert_column<S: StoreSchema>(query: &str, column: &ResultColumn, observed: bool, wanted: &ColumnType) {
    let text = Text::new().add("column `").add(column.name).add("` of query `").add(query);
    let mut null = observed && column.null;
    if let Some((table, name)) = column.origin
        && let Some(found) = column_type::<S>(table, name)
    {
        if !reads(wanted, found) {
            text.add("` is stored as ").kind(found).add(", and the row type takes ").kind(wanted).fail();
        }
        null = null || (found.nullable && !column.filtered);
    }
    let mut at = 0;
    while observed && at < column.storages.len() {
        if !same(column.storages[at].sql(), wanted.storage.sql()) {
            text.add("` is ").add(column.storages[at].sql()).add(", and the row type takes ").kind(wanted).fail();
        }
        at += 1;
    }
    if null && !wanted.nullable {
        text.add("` can be `NULL`; take it as an `Option<_>`, or rule `NULL` out in the SQL").fail();
    }
}

/// For generated code; runs while compiling.
#[track_caller]
pub const fn assert_parameter<S: StoreSchema>(name: &str, given: &ColumnType, table: &str, column: &str) {
    let Some(found) = column_type::<S>(table, column) else { return };
    if same(given.storage.sql(), found.storage.sql()) || (number(given.storage) && number(found.storage)) {
        return;
    }
    let text = Text::new().add("parameter `").add(name).add("` is ").kind(given).add(", and column `").add(column);
    text.add("` of `").add(table).add("`, with which it is compared, is ").kind(found).fail();
}

/// For generated code; runs while compiling.
#[track_caller]
pub const fn assert_count(name: &str, given: &ColumnType) {
    if !matches!(given.storage, Storage::Integer) {
        let text = Text::new().add("parameter `").add(name).add("` counts rows and is ").kind(given);
        text.add("; make it an `i64`").fail();
    }
}

const fn number(storage: Storage) -> bool {
    matches!(storage, Storage::Integer | Storage::Real)
}

/// Whether a value of the stored type decodes as the wanted one, whatever it is. Ranges of numbers apart.
const fn reads(wanted: &ColumnType, found: &ColumnType) -> bool {
    if !same(wanted.storage.sql(), found.storage.sql()) {
        return false;
    }
    if !wanted.variants.is_empty() {
        return all_in(found.variants, wanted.variants);
    }
    // Plain types take whatever their storage class holds; the others take their own form.
    plain(wanted) || same(wanted.encoding, found.encoding)
}

const fn plain(ty: &ColumnType) -> bool {
    const PLAIN: &[&str] = &["i8", "i16", "i32", "i64", "u8", "u16", "u32", "f32", "f64", "text", "bytes"];
    contains(PLAIN, ty.encoding)
}

const fn all_in(names: &[&str], known: &[&str]) -> bool {
    let mut at = 0;
    while at < names.len() {
        if !contains(known, names[at]) {
            return false;
        }
        at += 1;
    }
    !names.is_empty()
}

const fn contains(names: &[&str], wanted: &str) -> bool {
    let mut at = 0;
    while at < names.len() {
        if same(names[at], wanted) {
            return true;
        }
        at += 1;
    }
    false
}

const fn column_type<S: StoreSchema>(table: &str, column: &str) -> Option<&'static ColumnType> {
    let mut at = 0;
    while at < S::__TABLES.len() {
        let (name, columns) = S::__TABLES[at];
        let mut place = 0;
        while same(name, table) && place < columns.len() {
            if same(columns[place].name, column) {
                return Some(&columns[place].ty);
            }
            place += 1;
        }
        at += 1;
    }
    None
}

/// SQL names: ASCII letters count in either case.
const fn same(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// A message made while compiling; what does not fit is cut off.
#[derive(Clone, Copy)]
struct Text {
    bytes: [u8; 512],
    length: usize,
}

impl Text {
    const fn new() -> Self {
        Self { bytes: [0; 512], length: 0 }
    }

    const fn add(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() && self.length < self.bytes.len() {
            self.bytes[self.length] = bytes[at];
            (self.length, at) = (self.length + 1, at + 1);
        }
        self
    }

    const fn count(self, count: usize) -> Self {
        self.digits(count).add(if count == 1 { " column" } else { " columns" })
    }

    const fn digits(self, count: usize) -> Self {
        let text = if count >= 10 { self.digits(count / 10) } else { self };
        match core::str::from_utf8(&[b'0' + (count % 10) as u8]) {
            Ok(digit) => text.add(digit),
            Err(_) => text,
        }
    }

    /// A type by its storage class and encoding, such as ``INTEGER (`timestamp`)``.
    const fn kind(self, ty: &ColumnType) -> Self {
        self.add(ty.storage.sql()).add(" (`").add(ty.encoding).add("`)")
    }

    #[track_caller]
    const fn fail(&self) -> ! {
        let (bytes, _) = self.bytes.split_at(self.length);
        match core::str::from_utf8(bytes) {
            Ok(text) => panic!("{}", text),
            // A long name was cut inside a character.
            Err(_) => panic!("the SQL of a query does not fit its types"),
        }
    }
}
