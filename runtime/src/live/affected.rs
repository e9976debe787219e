//! Whether a changed row can change a result: pure.

use crate::{
    query::{ColumnsRead, RowsRead, TableRead},
    seeded,
    table::TableSchema,
    value::Value,
};

/// A [`TableRead`] with its columns found.
#[derive(Clone, Debug)]
pub(super) struct Footprint {
    pub(super) rows: RowsRead,
    /// All when `None`.
    columns: Option<Vec<usize>>,
}

impl Footprint {
    pub(super) fn new(read: TableRead, table: &TableSchema) -> Self {
        let place = |name: &&str| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        let columns = match read.columns {
            ColumnsRead::All => None,
            // A name that is no column's would be one that is not understood here: then all count.
            ColumnsRead::Named(names) => names.iter().map(place).collect(),
            ColumnsRead::At(columns) => Some(columns),
        };
        Self { rows: read.rows, columns }
    }

    /// Whether a change of one row, from `old` to `new`, can change the result.
    pub(super) fn is_affected(&self, table: &TableSchema, old: Option<&[Value]>, new: Option<&[Value]>) -> bool {
        let is_read = |row: &&[Value]| match &self.rows {
            RowsRead::Key(key) => table.primary_key.iter().zip(key).all(|(column, wanted)| row[*column] == *wanted),
            RowsRead::Matching(condition) => condition.holds(row),
            RowsRead::Any => true,
        };
        match (old.filter(is_read), new.filter(is_read)) {
            (None, None) => false,
            (Some(_), None) if seeded::bug("leaving-row-unheard") => false,
            (Some(old), Some(new)) => match &self.columns {
                None => true,
                Some(columns) => columns.iter().any(|column| !is_same(&old[*column], &new[*column])),
            },
            _ => true,
        }
    }
}

/// `0.0` and `-0.0` are equal, and yet not the same.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Real(left), Value::Real(right)) => left.to_bits() == right.to_bits(),
        (left, right) => left == right,
    }
}
