//! Typed queries: by key, filter, order, limit, columns, joins, aggregates and groups, count, first, one; raw SQL for the rest; tuples of
//! queries on one snapshot.

mod aggregate;
mod build;
mod by_key;
mod checked;
mod description;
mod fits;
mod group;
mod holds;
mod join;
mod joined;
mod literal;
mod logic;
mod made;
mod names;
mod picked;
mod predicate;
mod render;
mod row;
mod row_count;
mod run;
mod select;
mod source;
mod spec;
mod sql;
mod statement;
mod tables;
mod tuple;
mod union;

pub use aggregate::{Aggregate, AggregateValue, Aggregates, SumColumn, Totals, count};
pub use by_key::{ByKey, OneByKey};
pub(crate) use by_key::{MAX_KEY, key_params, own};
pub use checked::TableReads;
#[doc(hidden)]
pub use checked::{ResultColumn, RowShape, assert_count, assert_parameter, assert_result};
#[doc(hidden)]
pub use description::Description;
pub(crate) use description::{ColumnsRead, RowsRead, TableRead, WindowSpec, push_value};
pub use fits::{Fits, FitsSchema, HasTables};
pub use group::{FirstGroup, GroupTerm, Groups, IntoGroupOrder};
pub(crate) use holds::compare_values;
pub use join::{Itself, JoinColumn, JoinedWith, Referenced, Referencing};
pub use made::{FieldOf, FieldsOf, MadeOf, RowStruct};
use names::Names;
use picked::Exprs;
pub use picked::{Chosen, Made, Picked, Selection, Whole, Yield};
pub(crate) use predicate::Comparison;
pub use predicate::Predicate;
pub(crate) use row::RowSource;
#[doc(hidden)]
pub use row::assert_row;
pub use row::{Row, RowRef};
pub use row_count::RowCount;
pub(crate) use run::Text;
pub use select::{Count, Exists, First, One, Select};
pub(crate) use source::THIS;
pub(crate) use spec::{ColumnAt, SelectSpec, Term};
pub use sql::{ExactlyOne, SqlQuery, SqlShape};
pub use statement::{Origin, Params, Statement};
pub use tables::{At, FromTables, Includes, JoinedTable, Nullable, Position, Required, Yields};
pub use union::UnionQuery;
pub(crate) use union::{Part, Unions};

use crate::error::QueryErrorKind;

/// Something that can be asked of a store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query",
    label = "expected `Table::all()`, `Table::filter(..)`, `Table::by_key(..)`, a query of the store's `queries {{ .. }}`, or a tuple of these"
)]
pub trait Query {
    /// What comes back.
    type Output: Send + Sync + 'static;

    /// Whether the query is one statement, which needs no transaction to see one state.
    #[doc(hidden)]
    const __ONE_STATEMENT: bool = true;

    /// Says what the query reads, and what makes it the same as another.
    #[doc(hidden)]
    fn __describe(&self, into: &mut Description);

    /// Runs the query on one consistent state.
    #[doc(hidden)]
    fn __run(&self, on: &mut dyn Reads) -> Result<Self::Output, QueryErrorKind>;
}

/// Where a query runs: something that holds one consistent state.
pub trait Reads {
    /// The source whose rows alone are there: in the materializer of a projection.
    fn source(&self) -> Option<&str> {
        None
    }

    /// Runs a statement, calls `each` for every row until it answers `false`.
    ///
    /// # Errors
    /// What SQLite refuses, and what `each` returns.
    fn rows(&mut self, statement: &Statement<'_>, each: &mut EachRow<'_>) -> Result<(), QueryErrorKind>;
}

/// What is done with each row of a result: `false` ends the reading.
pub type EachRow<'a> = dyn FnMut(&RowRef<'_>) -> Result<bool, QueryErrorKind> + 'a;

#[cfg(test)]
mod tests;
