//! Conditions on the rows of one table.

use std::{fmt, marker::PhantomData, ops};

use crate::{
    table::Table,
    value::{Value, ValueError},
};

/// A condition on rows of table `T`: `Issue::STATUS.eq(Status::Open).and(Issue::ASSIGNEE.is_null())`.
///
/// A condition holds or does not, there is no third way: a comparison with `NULL` does not hold, and its negation does.
pub struct Predicate<T> {
    pub(crate) condition: Condition,
    table: PhantomData<fn() -> T>,
}

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `=`, where `NULL` equals `NULL`
    Eq,
    /// `<>`, where `NULL` differs from every value
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `LIKE`
    Like,
}

/// A condition without its table's type, in postfix order: chains of any length are built, cloned and dropped without recursion.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Condition {
    pub(crate) steps: Vec<Step>,
    pub(crate) error: Option<ValueError>,
}

/// A test of one column, or what joins the tests before it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// The column compares so with the value.
    Compare { column: usize, comparison: Comparison, value: Value },
    /// The column is `NULL`.
    Null { column: usize },
    /// The column equals one of the values.
    AnyOf { column: usize, values: Vec<Value> },
    /// Not the last condition.
    Not,
    /// The last two conditions.
    And,
    /// One of the last two conditions.
    Or,
}

impl Condition {
    fn join(mut self, mut other: Self, step: Step) -> Self {
        self.steps.append(&mut other.steps);
        self.steps.push(step);
        self.error = self.error.or(other.error);
        self
    }

    pub(crate) fn and(self, other: Self) -> Self {
        self.join(other, Step::And)
    }
}

impl<T> Predicate<T> {
    fn new(step: Result<Step, ValueError>) -> Self {
        let condition = match step {
            Ok(step) => Condition { steps: vec![step], error: None },
            // The query that it is used in answers the error.
            Err(error) => Condition { steps: vec![Step::AnyOf { column: 0, values: Vec::new() }], error: Some(error) },
        };
        Self { condition, table: PhantomData }
    }

    pub(crate) fn compare(column: usize, comparison: Comparison, value: Result<Value, ValueError>) -> Self {
        Self::new(value.map(|value| Step::Compare { column, comparison, value }))
    }

    pub(crate) fn null(column: usize, is: bool) -> Self {
        let null = Self::new(Ok(Step::Null { column }));
        if is { null } else { !null }
    }

    pub(crate) fn any_of(column: usize, values: Result<Vec<Value>, ValueError>) -> Self {
        Self::new(values.map(|values| Step::AnyOf { column, values }))
    }

    /// Both hold.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.condition = self.condition.and(other.condition);
        self
    }

    /// At least one holds.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.condition = self.condition.join(other.condition, Step::Or);
        self
    }

    /// It does not hold; also written `!predicate`.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "`!` is there, too; a chain reads better with a method")]
    pub fn not(mut self) -> Self {
        self.condition.steps.push(Step::Not);
        self
    }
}

impl<T> ops::Not for Predicate<T> {
    type Output = Self;

    fn not(self) -> Self {
        Self::not(self)
    }
}

impl<T> Clone for Predicate<T> {
    fn clone(&self) -> Self {
        Self { condition: self.condition.clone(), table: PhantomData }
    }
}

impl<T: Table> fmt::Debug for Predicate<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rendered = super::render::Rendered::default();
        rendered.condition(&self.condition, super::Names::of(T::schema(), &[]), 0);
        formatter.debug_struct("Predicate").field("sql", &rendered.sql).field("params", &rendered.params).finish()
    }
}
