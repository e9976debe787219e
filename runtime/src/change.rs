//! Change records: which rows of which tables a commit changed.

use crate::{event::EventNumber, value::Value};

/// What one commit changed in the tables: the source of undo, of live queries, and of inspectors.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRecord {
    /// The numbers of the commit's events, in order.
    pub numbers: Vec<EventNumber>,
    /// The changed rows, oldest change first. A row that changed twice is here twice.
    pub rows: Vec<RowChange>,
}

/// One changed row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// The table's SQL name.
    pub table: &'static str,
    /// The values before, in column order; `None` when the row is new.
    pub old: Option<Vec<Value>>,
    /// The values after, in column order; `None` when the row is gone.
    pub new: Option<Vec<Value>>,
}
