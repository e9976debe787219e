//! The first rows of a table by an order, kept up to date from changed rows: pure.

use std::cmp::Ordering;

use crate::{
    change::RowChange,
    query::{WindowSpec, compare_values},
    value::Value,
};

/// Rows kept beyond those that are shown, so that a row that leaves has a successor at hand.
fn overscan(shown: usize) -> usize {
    shown.clamp(16, 256)
}

/// The first rows that a [`WindowSpec`] names.
#[derive(Debug)]
pub(super) struct Window {
    spec: WindowSpec,
    /// In order; always the first ones there are.
    rows: Vec<Vec<Value>>,
    /// There are no others.
    complete: bool,
}

/// What became of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// The rows that are shown are the same.
    Same,
    /// They are others.
    Changed,
    /// Rows that are not kept are needed: ask SQLite.
    Short,
}

impl Window {
    pub(super) fn new(spec: WindowSpec) -> Self {
        Self { spec, rows: Vec::new(), complete: false }
    }

    /// How many rows to ask for.
    pub(super) fn wanted(&self) -> usize {
        let shown = self.spec.offset + self.spec.limit;
        shown + overscan(shown)
    }

    /// Starts from the first rows as SQLite gave them.
    pub(super) fn fill(&mut self, rows: Vec<Vec<Value>>) {
        self.complete = rows.len() < self.wanted();
        self.rows = rows;
    }

    /// The rows that are shown.
    pub(super) fn shown(&self) -> &[Vec<Value>] {
        let end = (self.spec.offset + self.spec.limit).min(self.rows.len());
        &self.rows[self.spec.offset.min(end)..end]
    }

    /// The columns of them that are shown; all without any.
    pub(super) fn columns(&self) -> &[usize] {
        &self.spec.shown
    }

    /// Takes over changed rows, oldest first.
    pub(super) fn apply<'a>(&mut self, changes: impl Iterator<Item = &'a RowChange>) -> Applied {
        let mut touched = false;
        for change in changes.filter(|change| change.table == self.spec.table.name) {
            if let Some(old) = change.old.as_ref().filter(|row| self.spec.condition.holds(row)) {
                touched |= self.remove(old);
            }
            if let Some(new) = change.new.as_ref().filter(|row| self.spec.condition.holds(row)) {
                touched |= self.insert(new);
            }
        }
        let shown = self.spec.offset + self.spec.limit;
        if self.rows.len() < shown && !self.complete {
            return Applied::Short;
        }
        if self.rows.len() > self.wanted() {
            self.rows.truncate(self.wanted());
            self.complete = false;
        }
        if touched { Applied::Changed } else { Applied::Same }
    }

    /// Whether the place is one of those that are shown, or before them.
    fn remove(&mut self, row: &[Value]) -> bool {
        // A row that is not among those that are kept stands behind them.
        let Ok(at) = self.find(row) else { return false };
        self.rows.remove(at);
        at < self.spec.offset + self.spec.limit
    }

    fn insert(&mut self, row: &[Value]) -> bool {
        let at = self.find(row).unwrap_or_else(|at| at);
        if at == self.rows.len() && !self.complete {
            // Others, which are not kept, may stand before it.
            return false;
        }
        self.rows.insert(at, row.to_vec());
        at < self.spec.offset + self.spec.limit
    }

    fn find(&self, row: &[Value]) -> Result<usize, usize> {
        self.rows.binary_search_by(|other| self.compare(other, row))
    }

    fn compare(&self, left: &[Value], right: &[Value]) -> Ordering {
        let by = |(column, descending): &(usize, bool)| {
            let order = compare_values(&left[*column], &right[*column]);
            if *descending { order.reverse() } else { order }
        };
        self.spec.order.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}
