//! The rows of a query in plain Rust: what they are joined, filtered, ordered, cut and grouped to.

use std::cmp::Ordering;

use super::team::{Person, State, Step, Task};

/// A value, in SQLite's order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Cell {
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let class = |cell: &Self| match cell {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 1,
            Self::Text(_) => 2,
        };
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => left.cmp(right),
            (Self::Real(left), Self::Real(right)) => left.total_cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            _ => class(self).cmp(&class(other)),
        }
    }
}

/// What a query may yield, as cells.
pub(super) trait Cells {
    fn cells(&self) -> Vec<Cell>;
}

macro_rules! cells {
    ($($type:ty: $value:ident => $cell:expr),+ $(,)?) => {$(
        impl Cells for $type {
            fn cells(&self) -> Vec<Cell> {
                let $value = self.clone();
                vec![$cell]
            }
        }

        impl Cells for Option<$type> {
            fn cells(&self) -> Vec<Cell> {
                self.as_ref().map_or(vec![Cell::Null], Cells::cells)
            }
        }
    )+};
}

cells!(
    i64: value => Cell::Integer(value),
    i32: value => Cell::Integer(value.into()),
    u64: value => Cell::Integer(value as i64),
    f64: value => Cell::Real(value),
    bool: value => Cell::Integer(value.into()),
    String: value => Cell::Text(value),
    State: value => Cell::Text(if value == State::Open { "Open" } else { "a'done" }.to_owned()),
);

macro_rules! tables {
    ($($table:ident $columns:literal: $($field:ident),+;)+) => {$(
        impl Cells for $table {
            fn cells(&self) -> Vec<Cell> {
                [$(self.$field.cells()),+].concat()
            }
        }

        impl Cells for Option<$table> {
            fn cells(&self) -> Vec<Cell> {
                self.as_ref().map_or(vec![Cell::Null; $columns], Cells::cells)
            }
        }
    )+};
}

tables!(
    Person 3: id, name, age;
    Task 5: id, owner, state, points, effort;
    Step 3: task, at, done;
);

macro_rules! tuples {
    ($(($($part:ident $field:tt),+)),+ $(,)?) => {$(
        impl<$($part: Cells),+> Cells for ($($part,)+) {
            fn cells(&self) -> Vec<Cell> {
                [$(self.$field.cells()),+].concat()
            }
        }
    )+};
}

tuples!(
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7),
);

/// A column of one of the tables.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Column {
    PersonId,
    PersonName,
    PersonAge,
    TaskId,
    TaskOwner,
    TaskState,
    TaskPoints,
    TaskEffort,
    StepTask,
    StepAt,
    StepDone,
}

/// A joined row; a table that is not in the query has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Joined {
    pub(super) person: Option<Person>,
    pub(super) task: Option<Task>,
    pub(super) step: Option<Step>,
    /// Whose row it is, where there are many stores.
    pub(super) store: usize,
}

impl Joined {
    pub(super) fn cell(&self, column: Column) -> Cell {
        let of_person = |at: usize| self.person.cells().swap_remove(at);
        let of_task = |at: usize| self.task.cells().swap_remove(at);
        let of_step = |at: usize| self.step.cells().swap_remove(at);
        match column {
            Column::PersonId => of_person(0),
            Column::PersonName => of_person(1),
            Column::PersonAge => of_person(2),
            Column::TaskId => of_task(0),
            Column::TaskOwner => of_task(1),
            Column::TaskState => of_task(2),
            Column::TaskPoints => of_task(3),
            Column::TaskEffort => of_task(4),
            Column::StepTask => of_step(0),
            Column::StepAt => of_step(1),
            Column::StepDone => of_step(2),
        }
    }
}

/// Rows in an order, of which some are left out; `keys` come last, in the direction of the last term.
pub(super) fn arranged(
    mut rows: Vec<Joined>,
    order: &[(Column, bool)],
    keys: &[Column],
    (limit, offset): (Option<u64>, u64),
) -> Vec<Joined> {
    let mut terms: Vec<(Column, bool)> = Vec::new();
    for (column, descending) in order {
        if terms.iter().all(|(other, _)| other != column) {
            terms.push((*column, *descending));
        }
    }
    let last = terms.last().is_some_and(|(_, descending)| *descending);
    let given = |key: &&Column| order.iter().all(|(column, _)| column != *key);
    terms.extend(keys.iter().filter(given).map(|key| (*key, last)));
    rows.sort_by(|left, right| {
        let by = |(column, descending): &(Column, bool)| {
            let order = left.cell(*column).order(&right.cell(*column));
            if *descending { order.reverse() } else { order }
        };
        terms.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    cut(rows, limit, offset)
}

pub(super) fn cut<T>(rows: Vec<T>, limit: Option<u64>, offset: u64) -> Vec<T> {
    let (limit, offset) = (limit.unwrap_or(u64::MAX), usize::try_from(offset).unwrap_or(usize::MAX));
    rows.into_iter().skip(offset).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}

/// Groups of rows that agree in these columns, in ascending order of them.
pub(super) fn groups(rows: &[Joined], keys: &[Column]) -> Vec<Vec<Joined>> {
    let mut groups: Vec<Vec<Joined>> = Vec::new();
    for row in rows {
        let same = |group: &&mut Vec<Joined>| keys.iter().all(|key| group[0].cell(*key) == row.cell(*key));
        match groups.iter_mut().find(same) {
            Some(group) => group.push(row.clone()),
            None => groups.push(vec![row.clone()]),
        }
    }
    groups.sort_by(|left, right| {
        let by = |key: &Column| left[0].cell(*key).order(&right[0].cell(*key));
        keys.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    groups
}

/// The values of a column, without `NULL`.
pub(super) fn values(rows: &[Joined], column: Column) -> Vec<Cell> {
    rows.iter().map(|row| row.cell(column)).filter(|cell| *cell != Cell::Null).collect()
}

/// Their sum; 0 of none, of the kind of `zero`.
pub(super) fn sum(rows: &[Joined], column: Column, zero: Cell) -> Cell {
    values(rows, column).into_iter().fold(zero, |sum, value| match (sum, value) {
        (Cell::Integer(sum), Cell::Integer(value)) => Cell::Integer(sum + value),
        (Cell::Real(sum), Cell::Real(value)) => Cell::Real(sum + value),
        (sum, _) => sum,
    })
}

/// Their mean.
pub(super) fn mean(rows: &[Joined], column: Column) -> Cell {
    let numbers: Vec<f64> = values(rows, column).iter().map(number).collect();
    if numbers.is_empty() { Cell::Null } else { Cell::Real(numbers.iter().sum::<f64>() / numbers.len() as f64) }
}

fn number(cell: &Cell) -> f64 {
    match cell {
        Cell::Integer(number) => *number as f64,
        Cell::Real(number) => *number,
        Cell::Null | Cell::Text(_) => f64::NAN,
    }
}

/// The least of them, or the greatest.
pub(super) fn extreme(rows: &[Joined], column: Column, greatest: bool) -> Cell {
    let values = values(rows, column).into_iter();
    let found = if greatest { values.max_by(Cell::order) } else { values.min_by(Cell::order) };
    found.unwrap_or(Cell::Null)
}
