//! Rows on their way into a result: hashed, and kept ones instead of SQLite's.

use crate::{
    error::QueryErrorKind,
    query::{EachRow, Reads, RowRef, Statement, push_value},
    value::Value,
};

/// A hash of every value that a query reads, so that results are compared without asking their types for equality.
pub(crate) struct Hashed {
    hasher: blake3::Hasher,
    row: Vec<u8>,
}

impl Hashed {
    pub(crate) fn new() -> Self {
        Self { hasher: blake3::Hasher::new(), row: Vec::new() }
    }

    /// Reads that are hashed on their way.
    pub(crate) fn reads<'a>(&'a mut self, on: &'a mut dyn Reads) -> impl Reads + 'a {
        HashedReads { hashed: self, on }
    }

    pub(crate) fn digest(&self) -> blake3::Hash {
        self.hasher.finalize()
    }
}

struct HashedReads<'a> {
    hashed: &'a mut Hashed,
    on: &'a mut dyn Reads,
}

impl Reads for HashedReads<'_> {
    fn rows(&mut self, statement: &Statement<'_>, each: &mut EachRow<'_>) -> Result<(), QueryErrorKind> {
        let Hashed { hasher, row: bytes } = &mut *self.hashed;
        // A tuple has several statements.
        hasher.update(b"statement");
        self.on.rows(statement, &mut |row| {
            bytes.clear();
            bytes.push(b'(');
            row.values().for_each(|value| push_value(bytes, value));
            hasher.update(bytes);
            each(row)
        })
    }
}

/// Rows that are there already: the answer to whatever is asked.
pub(super) struct KeptRows<'a> {
    pub(super) rows: &'a [Vec<Value>],
    /// The columns that are shown; all without any.
    pub(super) columns: &'a [usize],
}

impl Reads for KeptRows<'_> {
    fn rows(&mut self, _: &Statement<'_>, each: &mut EachRow<'_>) -> Result<(), QueryErrorKind> {
        for row in self.rows {
            if !each(&RowRef::new(row, self.columns))? {
                break;
            }
        }
        Ok(())
    }
}
