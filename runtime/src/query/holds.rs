//! Conditions in Rust: whether one holds for a row that a commit changed, without asking SQLite.

use std::cmp::Ordering;

use super::predicate::{Comparison, Condition, Step};
use crate::{table::TableSchema, value::Value};

impl Condition {
    /// Whether the condition holds for a row with these values, in column order. It answers what SQLite would.
    pub(crate) fn holds(&self, row: &[Value]) -> bool {
        let mut stack: Vec<bool> = Vec::new();
        for step in &self.steps {
            let holds = match step {
                Step::Compare { column, comparison, value } => compares(*comparison, &row[*column], value),
                Step::Null { column } => row[*column] == Value::Null,
                Step::AnyOf { column, values } => values.iter().any(|value| is_equal(&row[*column], value)),
                // Predicates are made of whole parts, so that the stack is never short.
                Step::Not => !stack.pop().unwrap_or(false),
                Step::And => pop_two(&mut stack, |left, right| left && right),
                Step::Or => pop_two(&mut stack, |left, right| left || right),
            };
            stack.push(holds);
        }
        stack.pop().unwrap_or(true)
    }

    /// Whether the condition holds where a left join found no row, and all columns are `NULL`.
    pub(super) fn holds_of_no_row(&self, table: &TableSchema) -> bool {
        self.holds(&vec![Value::Null; table.columns.len()])
    }

    /// The columns that it tests.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().filter_map(|step| match step {
            Step::Compare { column, .. } | Step::Null { column } | Step::AnyOf { column, .. } => Some(*column),
            Step::Not | Step::And | Step::Or => None,
        })
    }
}

fn pop_two(stack: &mut Vec<bool>, join: impl FnOnce(bool, bool) -> bool) -> bool {
    let right = stack.pop().unwrap_or(false);
    let left = stack.pop().unwrap_or(false);
    join(left, right)
}

fn compares(comparison: Comparison, found: &Value, wanted: &Value) -> bool {
    match comparison {
        Comparison::Eq => return is_equal(found, wanted),
        Comparison::Ne => return !is_equal(found, wanted),
        // Nothing is less or greater than NULL, or like it.
        _ if *found == Value::Null || *wanted == Value::Null => return false,
        Comparison::Like => return is_like(found, wanted),
        _ => {}
    }
    let order = compare_values(found, wanted);
    match comparison {
        Comparison::Lt => order.is_lt(),
        Comparison::Le => order.is_le(),
        Comparison::Gt => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn is_equal(left: &Value, right: &Value) -> bool {
    compare_values(left, right).is_eq()
}

/// SQLite's order of values: `NULL`, numbers, texts by their bytes, blobs. Columns of `STRICT` tables hold one type and `NULL`, so that
/// integers and floats never meet.
pub(crate) fn compare_values(left: &Value, right: &Value) -> Ordering {
    let class = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
        // Never NaN; `-0.0` equals `0.0`.
        (Value::Real(left), Value::Real(right)) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
        (Value::Text(left), Value::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Value::Blob(left), Value::Blob(right)) => left.cmp(right),
        (left, right) => class(left).cmp(&class(right)),
    }
}

fn is_like(found: &Value, pattern: &Value) -> bool {
    let (Value::Text(found), Value::Text(pattern)) = (found, pattern) else { return false };
    // SQLite's `LIKE` ends at a NUL.
    let visible = |text: &str| text.split('\0').next().unwrap_or_default().chars().collect::<Vec<_>>();
    like(&visible(pattern), &visible(found))
}

/// `%` is any text, `_` any one character, ASCII letters match in either case. On a mismatch only the last `%` takes one more
/// character, so the time is that of the product of the lengths at most.
fn like(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut seen, mut retry) = (0, 0, None);
    while seen < text.len() {
        match pattern.get(at) {
            Some('%') => {
                at += 1;
                retry = Some((at, seen));
            }
            Some(wanted) if *wanted == '_' || wanted.eq_ignore_ascii_case(&text[seen]) => {
                (at, seen) = (at + 1, seen + 1);
            }
            _ => match retry {
                Some((after, taken)) => {
                    (at, seen) = (after, taken + 1);
                    retry = Some((after, seen));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '%')
}
