//! What a query reads, and what makes it the same as another: what live queries are told apart and woken by.

use super::{
    names::Names,
    predicate::Condition,
    run::Text,
    spec::{ColumnAt, SelectSpec},
};
use crate::{
    error::QueryErrorKind,
    seeded,
    table::TableSchema,
    value::{Value, ValueRef},
};

/// What a query says of itself to live queries.
#[derive(Debug, Default)]
pub struct Description {
    /// Text and parameters: equal queries of one Rust type have equal bytes, others have other ones.
    identity: Vec<u8>,
    reads: Vec<TableRead>,
    statements: usize,
    /// Of a query that is one statement over one table, cut to some rows.
    window: Option<WindowSpec>,
}

/// What a query reads of one table.
#[derive(Clone, Debug)]
pub(crate) struct TableRead {
    /// The SQL name.
    pub(crate) table: &'static str,
    pub(crate) rows: RowsRead,
    pub(crate) columns: ColumnsRead,
}

/// Which rows a query reads.
#[derive(Clone, Debug)]
pub(crate) enum RowsRead {
    /// The one with this primary key.
    Key(Vec<Value>),
    /// Those that meet the condition.
    Matching(Condition),
    /// It is not known.
    Any,
}

/// Which columns a query reads of the rows.
#[derive(Clone, Debug)]
pub(crate) enum ColumnsRead {
    /// All of them.
    All,
    /// Those with these SQL names; without any, only whether there are rows counts.
    Named(&'static [&'static str]),
    /// Those at these places in the table; without any, only whether there are rows counts.
    At(Vec<usize>),
}

/// The first rows of one table by an order: what can be kept up to date from changed rows alone.
#[derive(Clone, Debug)]
pub(crate) struct WindowSpec {
    pub(crate) table: &'static TableSchema,
    pub(crate) condition: Condition,
    /// Column, and whether descending; ends with the primary key, so that no two rows are equal.
    pub(crate) order: Vec<(usize, bool)>,
    pub(crate) offset: usize,
    pub(crate) limit: usize,
    /// The columns that are shown; all without any.
    pub(crate) shown: Vec<usize>,
}

/// Longer windows are asked of SQLite again instead of being kept.
const MAX_WINDOW: u64 = 1_000;

impl Description {
    pub(crate) fn identity(&self) -> &[u8] {
        &self.identity
    }

    pub(crate) fn into_parts(self) -> (Vec<TableRead>, Option<WindowSpec>) {
        // Only a query that is nothing but the window is kept: of a tuple all parts are one state.
        let alone = self.statements == 1;
        (self.reads, self.window.filter(|_| alone))
    }

    /// Adds a statement of the builder; one that is not valid answers its error whatever the tables hold.
    pub(crate) fn built<E: std::fmt::Display>(&mut self, text: &Result<Text, E>) {
        match text {
            Ok(text) => self.statement(text.sql(), text.params().into_iter()),
            Err(error) => {
                self.statements += 1;
                self.part(b'!', error.to_string().as_bytes());
            }
        }
    }

    /// Adds a statement and its parameters.
    pub(crate) fn statement<'a>(&mut self, sql: &str, params: impl Iterator<Item = ValueRef<'a>>) {
        self.statements += 1;
        self.part(b'?', sql.as_bytes());
        params.for_each(|param| self.value(param));
    }

    pub(crate) fn value(&mut self, value: ValueRef<'_>) {
        push_value(&mut self.identity, value);
    }

    pub(crate) fn part(&mut self, tag: u8, bytes: &[u8]) {
        push_part(&mut self.identity, tag, bytes);
    }

    pub(crate) fn read(&mut self, table: &'static str, rows: RowsRead, columns: ColumnsRead) {
        self.reads.push(TableRead { table, rows, columns });
    }

    /// Adds what is wanted of rows. `most` is a limit of the query itself.
    pub(crate) fn select(&mut self, spec: &SelectSpec, first: &'static TableSchema, most: Option<u64>) {
        self.built(&spec.rows(first, most));
        let order = || spec.whole_order(first).into_iter().map(|term| term.column);
        let columns = match (&spec.groups, &spec.columns) {
            (Some(groups), _) if spec.is_cut() => Some(groups.columns().into_iter().chain(order()).collect()),
            (Some(groups), _) => Some(groups.columns()),
            (None, Some(columns)) => Some(columns.iter().filter_map(|expr| expr.column()).chain(order()).collect()),
            (None, None) => None,
        };
        self.read_tables(spec, first, columns);
        self.window = spec.window(first, most);
    }

    /// Adds rows that are counted or looked for.
    pub(crate) fn rows_of(
        &mut self,
        spec: &SelectSpec,
        first: &'static TableSchema,
        text: &Result<Text, QueryErrorKind>,
    ) {
        self.built(text);
        self.read_tables(spec, first, Some(Vec::new()));
    }

    /// What is read of each table: these columns, or all of them.
    fn read_tables(&mut self, spec: &SelectSpec, first: &'static TableSchema, columns: Option<Vec<ColumnAt>>) {
        let names = Names::of(first, &spec.joins);
        let on =
            spec.joins.iter().enumerate().flat_map(|(index, join)| {
                [ColumnAt { place: index + 1, column: join.column }, join.equals].into_iter()
            });
        let columns = columns.map(|columns| columns.into_iter().chain(on).collect::<Vec<_>>());
        for (place, condition) in spec.conditions().enumerate() {
            let table = if place == 0 { first } else { spec.joins[place - 1].table };
            let may_have_none = place > 0 && spec.joins[place - 1].left && !seeded::bug("absence-unread");
            let is_certain = !may_have_none || !condition.holds_of_no_row(table);
            let rows = if is_certain { RowsRead::Matching(condition.clone()) } else { RowsRead::Any };
            let columns = columns.as_ref().map(|columns| {
                let read = columns.iter().filter(|column| column.place == place).map(|column| column.column);
                // Which of the rows count is not decided by the rows alone.
                let tested = condition.columns().filter(|_| !is_certain);
                read.chain(tested).collect()
            });
            self.read(names.table(place).name, rows, columns.map_or(ColumnsRead::All, ColumnsRead::At));
        }
    }
}

impl SelectSpec {
    fn window(&self, first: &'static TableSchema, most: Option<u64>) -> Option<WindowSpec> {
        let limit = self.limit.into_iter().chain(most).min()?;
        let whole = self.is_plain() && self.check().is_ok() && limit.saturating_add(self.offset) <= MAX_WINDOW;
        whole.then(|| WindowSpec {
            table: first,
            condition: self.condition.clone(),
            order: self.whole_order(first).iter().map(|term| (term.column.column, term.descending)).collect(),
            offset: usize::try_from(self.offset).unwrap_or(usize::MAX),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            shown: self.columns.iter().flatten().filter_map(|expr| expr.column()).map(|at| at.column).collect(),
        })
    }
}

/// A value's type and content, so that no two rows of values have the same bytes.
pub(crate) fn push_value(bytes: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => bytes.push(b'n'),
        ValueRef::Integer(number) => push_part(bytes, b'i', &number.to_le_bytes()),
        ValueRef::Real(number) => push_part(bytes, b'r', &number.to_bits().to_le_bytes()),
        ValueRef::Text(text) => push_part(bytes, b't', text.as_bytes()),
        ValueRef::Blob(blob) => push_part(bytes, b'b', blob),
    }
}

fn push_part(into: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    into.push(tag);
    into.extend((bytes.len() as u64).to_le_bytes());
    into.extend(bytes);
}
