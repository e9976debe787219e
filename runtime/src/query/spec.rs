//! What a query of the builder asks for, without its types: the tables, the rows, and what is wanted of them.

use super::{names::Names, predicate::Condition};
use crate::{
    error::QueryErrorKind,
    table::TableSchema,
    value::{Value, ValueError},
};

/// What a query asks for, without its types. The first table is handed in: it is known where the query's type is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SelectSpec {
    /// On rows of the first table.
    pub(crate) condition: Condition,
    /// Further tables, in the order in which they were joined.
    pub(crate) joins: Vec<JoinSpec>,
    pub(crate) order: Vec<Term>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
    /// The columns that are wanted; without, all columns of all tables.
    pub(crate) columns: Option<Vec<Expr>>,
    /// What is wanted is something of each group.
    pub(crate) groups: Option<Box<GroupSpec>>,
}

/// A table that is joined to those before it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JoinSpec {
    pub(crate) table: &'static TableSchema,
    /// Rows without one of this table stay.
    pub(crate) left: bool,
    /// The table's column.
    pub(crate) column: usize,
    /// The column of a table before it that is the same.
    pub(crate) equals: ColumnAt,
    /// On rows of this table.
    pub(crate) condition: Condition,
}

impl JoinSpec {
    /// An inner join.
    pub(super) fn of(table: &'static TableSchema, column: usize, equals: ColumnAt) -> Self {
        Self { table, left: false, column, equals, condition: Condition::default() }
    }
}

/// A column of one of the query's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnAt {
    /// The table's place, 0 for the first.
    pub(crate) place: usize,
    /// The column's, in the table.
    pub(crate) column: usize,
}

/// A term of the order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) column: ColumnAt,
    pub(crate) descending: bool,
}

/// Groups of the rows: those that agree in all keys; without keys, all rows, even if there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupSpec {
    pub(crate) keys: Vec<Expr>,
    pub(crate) wanted: Vec<Expr>,
    /// Of the groups, and whether descending.
    pub(crate) order: Vec<(Expr, bool)>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
}

/// What stands in one column of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    /// A column.
    Column(ColumnAt),
    /// How many rows there are.
    Rows,
    /// Something of all values that a column has.
    Of(Function, ColumnAt),
}

/// An aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// How many are not `NULL`.
    Count,
    /// The sum of integers; 0 of none.
    Sum,
    /// The sum of floats; 0 of none.
    Total,
    /// The mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

impl Expr {
    pub(crate) fn column(self) -> Option<ColumnAt> {
        match self {
            Self::Column(column) | Self::Of(_, column) => Some(column),
            Self::Rows => None,
        }
    }
}

impl SelectSpec {
    /// A number of rows; an error is that of the query.
    pub(crate) fn rows_or_error(&mut self, rows: Result<u64, ValueError>) -> u64 {
        rows.unwrap_or_else(|error| {
            self.condition.error.get_or_insert(error);
            0
        })
    }

    /// Only rows whose part of the table at `place` meets `condition`, too.
    pub(crate) fn restrict(&mut self, place: usize, condition: Condition) {
        let of = match place.checked_sub(1).and_then(|join| self.joins.get_mut(join)) {
            Some(join) => &mut join.condition,
            None => &mut self.condition,
        };
        let mut before = std::mem::take(of);
        let error = before.error.take();
        let mut both = if before.steps.is_empty() { condition } else { before.and(condition) };
        both.error = error.or(both.error);
        *of = both;
    }

    /// Adds a term to the order.
    pub(crate) fn order_by(&mut self, term: Term) {
        // Rows that are equal by a column stay equal when ordered by it again.
        if self.order.iter().all(|other| other.column != term.column) {
            self.order.push(term);
        }
    }

    /// The error that the query answers whatever the tables hold.
    pub(crate) fn check(&self) -> Result<(), QueryErrorKind> {
        let error = self.conditions().find_map(|condition| condition.error.clone());
        error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Those of all tables, in order.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        [&self.condition].into_iter().chain(self.joins.iter().map(|join| &join.condition))
    }

    /// Whether the query is about rows of the first table alone.
    pub(crate) fn is_plain(&self) -> bool {
        self.joins.is_empty() && self.groups.is_none()
    }

    /// Whether there are rows that count for nothing.
    pub(crate) fn is_cut(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }

    /// The order's terms, down to the primary keys of all tables, in the direction of the last one: an index has it in that order, and no
    /// two rows are equal.
    pub(crate) fn whole_order(&self, first: &TableSchema) -> Vec<Term> {
        let names = Names::of(first, &self.joins);
        let descending = self.order.last().is_some_and(|term| term.descending);
        let mut order = self.order.clone();
        for place in 0..=self.joins.len() {
            for column in names.table(place).primary_key {
                let column = ColumnAt { place, column: *column };
                if self.order.iter().all(|term| term.column != column) {
                    order.push(Term { column, descending });
                }
            }
        }
        order
    }
}

/// A number of rows as a value. There are never more than this.
pub(super) fn number(rows: u64) -> Value {
    Value::Integer(i64::try_from(rows).unwrap_or(i64::MAX))
}
