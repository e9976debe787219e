//! Filters, orders and limits at random, for the builder and for the model.

use larder::{ColumnValue, FromTables, Includes, Order, Position, Predicate, Select, prelude::*};
use proptest::prelude::*;

use super::{
    model::{Cell, Column, Joined},
    team::{Person, State, Step, Task},
};

/// What is asked of the rows of a query.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) person: Option<Test>,
    pub(super) task: Option<Test>,
    pub(super) step: Option<Test>,
    pub(super) order: Vec<(Column, bool)>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
    /// Of groups: limit, offset, and whether the largest come first.
    pub(super) groups: (Option<u64>, u64, bool),
}

/// A condition on one table.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Is(Column, Op, Cell),
    In(Column, Vec<Cell>),
    Null(Column),
    Both(Box<Test>, Box<Test>),
    Either(Box<Test>, Box<Test>),
    Not(Box<Test>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Test {
    pub(super) fn holds(&self, row: &Joined) -> bool {
        match self {
            Self::Is(column, op, wanted) => {
                let found = row.cell(*column);
                let (order, null) = (found.order(wanted), found == Cell::Null || *wanted == Cell::Null);
                match op {
                    Op::Eq => order.is_eq(),
                    Op::Ne => order.is_ne(),
                    Op::Lt => !null && order.is_lt(),
                    Op::Le => !null && order.is_le(),
                    Op::Gt => !null && order.is_gt(),
                    Op::Ge => !null && order.is_ge(),
                }
            }
            Self::In(column, cells) => cells.contains(&row.cell(*column)),
            Self::Null(column) => row.cell(*column) == Cell::Null,
            Self::Both(left, right) => left.holds(row) && right.holds(row),
            Self::Either(left, right) => left.holds(row) || right.holds(row),
            Self::Not(part) => !part.holds(row),
        }
    }

    fn predicate<T>(&self, leaf: &impl Fn(&Self) -> Predicate<T>) -> Predicate<T> {
        match self {
            Self::Both(left, right) => left.predicate(leaf).and(right.predicate(leaf)),
            Self::Either(left, right) => left.predicate(leaf).or(right.predicate(leaf)),
            Self::Not(part) => !part.predicate(leaf),
            _ => leaf(self),
        }
    }

    fn column(&self) -> Option<Column> {
        match self {
            Self::Is(column, ..) | Self::In(column, _) | Self::Null(column) => Some(*column),
            _ => None,
        }
    }
}

trait FromCell {
    fn from_cell(cell: &Cell) -> Self;
}

impl FromCell for i64 {
    fn from_cell(cell: &Cell) -> Self {
        if let Cell::Integer(number) = cell { *number } else { 0 }
    }
}

impl FromCell for i32 {
    fn from_cell(cell: &Cell) -> Self {
        Self::try_from(i64::from_cell(cell)).unwrap_or(i32::MAX)
    }
}

impl FromCell for bool {
    fn from_cell(cell: &Cell) -> Self {
        *cell == Cell::Integer(1)
    }
}

impl FromCell for f64 {
    fn from_cell(cell: &Cell) -> Self {
        if let Cell::Real(number) = cell { *number } else { 0.0 }
    }
}

impl FromCell for String {
    fn from_cell(cell: &Cell) -> Self {
        if let Cell::Text(text) = cell { text.clone() } else { Self::new() }
    }
}

impl FromCell for State {
    fn from_cell(cell: &Cell) -> Self {
        if *cell == Cell::Text("Open".to_owned()) { Self::Open } else { Self::Done }
    }
}

impl<V: FromCell> FromCell for Option<V> {
    fn from_cell(cell: &Cell) -> Self {
        (*cell != Cell::Null).then(|| V::from_cell(cell))
    }
}

fn leaf<T: Table, V: ColumnValue + FromCell, To>(column: larder::Column<T, V, To>, test: &Test) -> Predicate<T> {
    match test {
        Test::Is(_, op, cell) => {
            let value = V::from_cell(cell);
            match op {
                Op::Eq => column.eq(value),
                Op::Ne => column.ne(value),
                Op::Lt => column.lt(value),
                Op::Le => column.le(value),
                Op::Gt => column.gt(value),
                Op::Ge => column.ge(value),
            }
        }
        Test::In(_, cells) => column.in_(cells.iter().map(V::from_cell)),
        _ => column.is_null(),
    }
}

fn toward<T: Table, V, To>(column: larder::Column<T, V, To>, descending: bool) -> Order<T> {
    if descending { column.desc() } else { column.asc() }
}

/// What is asked of one table, wherever it stands in a query.
macro_rules! asked_of {
    ($($module:ident $table:ident: $first:ident $first_constant:ident $(, $column:ident $constant:ident)*;)+) => {$(
        pub(super) mod $module {
            use super::*;

            pub(in super::super) const COLUMNS: &[Column] = &[Column::$first $(, Column::$column)*];

            pub(in super::super) fn holds(ask: &Ask, row: &Joined) -> bool {
                ask.$module.as_ref().is_none_or(|test| test.holds(row))
            }

            pub(in super::super) fn filtered<Src, P>(query: Select<Src>, ask: &Ask) -> Select<Src>
            where
                Src: Includes<$table, P>,
                P: Position,
            {
                let predicate = |test: &Test| match test.column() {
                    $(Some(Column::$column) => leaf($table::$constant, test),)*
                    _ => leaf($table::$first_constant, test),
                };
                match &ask.$module {
                    Some(test) => query.filter(test.predicate(&predicate)),
                    None => query,
                }
            }

            pub(in super::super) fn ordered<Src, P>(query: Select<Src>, (column, descending): (Column, bool)) -> Select<Src>
            where
                Src: FromTables + Includes<$table, P>,
                P: Position,
            {
                match column {
                    Column::$first => query.order_by(toward($table::$first_constant, descending)),
                    $(Column::$column => query.order_by([toward($table::$constant, descending)]),)*
                    _ => query,
                }
            }
        }
    )+};
}

asked_of!(
    person Person: PersonId ID, PersonName NAME, PersonAge AGE;
    task Task: TaskId ID, TaskOwner OWNER, TaskState STATE, TaskPoints POINTS, TaskEffort EFFORT;
    step Step: StepTask TASK, StepAt AT, StepDone DONE;
);

/// A value that the column may have.
fn cell(column: Column) -> BoxedStrategy<Cell> {
    let number = || (0..5_i64).prop_map(Cell::Integer);
    match column {
        Column::PersonAge | Column::TaskOwner => prop_oneof![Just(Cell::Null), number()].boxed(),
        Column::TaskEffort => {
            prop_oneof![Just(Cell::Null), (-3..4_i64).prop_map(|n| Cell::Real(n as f64 / 2.0))].boxed()
        }
        Column::PersonName | Column::StepAt => {
            prop::sample::select(vec!["", "a", "b", "B"]).prop_map(|text| Cell::Text(text.to_owned())).boxed()
        }
        Column::TaskState => {
            prop::sample::select(vec!["Open", "a'done"]).prop_map(|text| Cell::Text(text.to_owned())).boxed()
        }
        Column::StepDone => (0..2_i64).prop_map(Cell::Integer).boxed(),
        _ => number().boxed(),
    }
}

fn test(columns: &'static [Column]) -> impl Strategy<Value = Test> {
    let op = prop::sample::select(vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge]);
    let leaf = prop::sample::select(columns).prop_flat_map(move |column| {
        prop_oneof![
            4 => (op.clone(), cell(column)).prop_map(move |(op, cell)| Test::Is(column, op, cell)),
            1 => prop::collection::vec(cell(column), 0..4).prop_map(move |cells| Test::In(column, cells)),
            1 => Just(Test::Null(column)),
        ]
    });
    leaf.prop_recursive(3, 8, 2, |part| {
        prop_oneof![
            (part.clone(), part.clone()).prop_map(|(left, right)| Test::Both(left.into(), right.into())),
            (part.clone(), part.clone()).prop_map(|(left, right)| Test::Either(left.into(), right.into())),
            part.prop_map(|part| Test::Not(part.into())),
        ]
    })
}

fn limit() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![4 => Just(None), 3 => (0..6_u64).prop_map(Some), 1 => Just(Some(u64::MAX))]
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0), 2 => 0..4_u64, 1 => Just(u64::MAX)]
}

pub(super) fn ask() -> impl Strategy<Value = Ask> {
    let columns: Vec<Column> = [person::COLUMNS, task::COLUMNS, step::COLUMNS].concat();
    let order = prop::collection::vec((prop::sample::select(columns), any::<bool>()), 0..4);
    let tests = (
        prop::option::of(test(person::COLUMNS)),
        prop::option::of(test(task::COLUMNS)),
        prop::option::weighted(0.3, test(step::COLUMNS)),
    );
    (tests, order, limit(), offset(), (limit(), offset(), any::<bool>())).prop_map(
        |((person, task, step), order, limit, offset, groups)| Ask { person, task, step, order, limit, offset, groups },
    )
}
