//! Conditions as SQL that SQLite takes whatever their size: balanced expressions, parameters while there are any, then literals.

use super::{
    literal,
    logic::{Logic, NodeKind},
    names::Names,
    predicate::{Comparison, Condition, Step},
    spec::{ColumnAt, Expr, Function},
};
use crate::value::Value;

/// SQLite takes 32,766 parameters. Beyond this many, values are written into the text.
const MAX_PARAMS: usize = 30_000;

/// Longer lists of `in_` are written into the text: each length would be a statement of its own anyhow.
const MAX_LIST_PARAMS: usize = 1_000;

/// SQLite takes expressions 1,000 levels deep. A deeper condition becomes a flat `CASE`, which uses no index.
const MAX_DEPTH: usize = 200;

/// SQL text and its parameters.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    pub(crate) sql: String,
    pub(crate) params: Vec<Value>,
}

impl Rendered {
    /// Adds a condition on the table at `place`, in parentheses where it needs them; `1` for one that every row meets.
    pub(crate) fn condition(&mut self, condition: &Condition, names: Names<'_>, place: usize) {
        match Logic::of(condition) {
            None => self.sql.push('1'),
            Some(logic) => Writer { out: self, logic: &logic, names, place }.node(0),
        }
    }

    /// Adds a column, or an aggregate.
    pub(crate) fn expr(&mut self, names: Names<'_>, expr: Expr) {
        let (before, column, after) = match expr {
            Expr::Column(column) => ("", column, ""),
            Expr::Rows => return self.sql.push_str("count(*)"),
            Expr::Of(Function::Count, column) => ("count(", column, ")"),
            // Of no values SQLite's sum is `NULL`.
            Expr::Of(Function::Sum, column) => ("ifnull(sum(", column, "), 0)"),
            Expr::Of(Function::Total, column) => ("total(", column, ")"),
            Expr::Of(Function::Avg, column) => ("avg(", column, ")"),
            Expr::Of(Function::Min, column) => ("min(", column, ")"),
            Expr::Of(Function::Max, column) => ("max(", column, ")"),
        };
        self.sql.push_str(before);
        names.push(&mut self.sql, column);
        self.sql.push_str(after);
    }

    /// Adds a value: a parameter, or a literal once there are many.
    pub(crate) fn value(&mut self, value: &Value) {
        if self.params.len() < MAX_PARAMS {
            self.sql.push('?');
            self.params.push(value.clone());
        } else {
            literal::push(&mut self.sql, value);
        }
    }
}

struct Writer<'a, 'b> {
    out: &'b mut Rendered,
    logic: &'b Logic<'a>,
    names: Names<'b>,
    place: usize,
}

impl Writer<'_, '_> {
    /// Recurses as deep as the SQL is: at most `MAX_DEPTH` levels, or the logarithm of the tests within a `CASE`.
    fn node(&mut self, node: usize) {
        let deep = self.logic.nodes[node].depth > MAX_DEPTH;
        match &self.logic.nodes[node].kind {
            NodeKind::Test { step, negated } => self.test(step, *negated),
            NodeKind::List { .. } if deep => self.case(node),
            NodeKind::List { all, parts } => self.balanced(*all, parts),
        }
    }

    fn balanced(&mut self, all: bool, parts: &[usize]) {
        match parts {
            [] => self.push(if all { "1" } else { "0" }),
            [only] => self.node(*only),
            _ => {
                let (left, right) = parts.split_at(parts.len() / 2);
                self.push("(");
                self.balanced(all, left);
                self.push(if all { " AND " } else { " OR " });
                self.balanced(all, right);
                self.push(")");
            }
        }
    }

    /// From the top down along the largest part, the first list whose other parts decide it gives the answer. Every part left aside has
    /// at most half of the tests, so that a `CASE` within a `CASE` is rare and shallow.
    fn case(&mut self, node: usize) {
        self.push("(CASE");
        let mut at = node;
        while let NodeKind::List { all, parts } = &self.logic.nodes[at].kind {
            let Some(largest) = parts.iter().copied().max_by_key(|part| self.logic.nodes[*part].tests) else { break };
            let others: Vec<usize> = parts.iter().copied().filter(|part| *part != largest).collect();
            self.push(" WHEN ");
            self.balanced(*all, &others);
            self.push(if *all { " IS NOT TRUE THEN 0" } else { " THEN 1" });
            at = largest;
        }
        self.push(" ELSE ");
        self.node(at);
        self.push(" END)");
    }

    /// A test; where it does not hold, its SQL may be `NULL` instead of false.
    fn test(&mut self, step: &Step, negated: bool) {
        match step {
            Step::Compare { column, comparison, value } => self.compare(*column, *comparison, value, negated),
            Step::Null { column } => self.is_null(*column, !negated),
            Step::AnyOf { column, values } => self.any_of(*column, values, negated),
            Step::Not | Step::And | Step::Or => {}
        }
    }

    fn compare(&mut self, column: usize, comparison: Comparison, value: &Value, negated: bool) {
        use Comparison::{Eq, Ge, Gt, Le, Like, Lt, Ne};
        let nullable = self.is_nullable(column);
        let is_null = *value == Value::Null;
        let operator = match (comparison, negated) {
            (Eq, false) | (Ne, true) if is_null => return self.is_null(column, true),
            (Eq, true) | (Ne, false) if is_null => return self.is_null(column, false),
            // Nothing is less or greater than NULL, or like it.
            _ if is_null => return self.push(if negated { "1" } else { "0" }),
            (Eq, false) | (Ne, true) => "=",
            (Eq, true) | (Ne, false) if nullable => "IS NOT",
            (Eq, true) | (Ne, false) => "<>",
            (Lt, false) | (Ge, true) => "<",
            (Le, false) | (Gt, true) => "<=",
            (Gt, false) | (Le, true) => ">",
            (Ge, false) | (Lt, true) => ">=",
            (Like, false) => "LIKE",
            (Like, true) => "NOT LIKE",
        };
        let or_null = negated && nullable && !matches!(comparison, Eq | Ne);
        self.open_or_null(or_null);
        self.column(column);
        self.push(" ");
        self.push(operator);
        self.push(" ");
        self.out.value(value);
        self.close_or_null(or_null, column);
    }

    fn any_of(&mut self, column: usize, values: &[Value], negated: bool) {
        let has_null = values.contains(&Value::Null);
        let mut others = values.iter().filter(|value| **value != Value::Null).peekable();
        if others.peek().is_none() {
            return match has_null {
                true => self.is_null(column, !negated),
                false => self.push(if negated { "1" } else { "0" }),
            };
        }
        let or_null = if negated { !has_null && self.is_nullable(column) } else { has_null };
        self.open_or_null(or_null);
        self.column(column);
        self.push(if negated { " NOT IN (" } else { " IN (" });
        self.list(others.collect());
        self.push(")");
        self.close_or_null(or_null, column);
    }

    /// A list of parameters is filled up to a power of two, so that few statements serve all lengths.
    fn list(&mut self, mut values: Vec<&Value>) {
        let filled = values.len().next_power_of_two();
        let as_params = values.len() <= MAX_LIST_PARAMS && self.out.params.len() + filled <= MAX_PARAMS;
        if let (true, Some(last)) = (as_params, values.last().copied()) {
            values.resize(filled, last);
        }
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            match as_params {
                true => self.out.value(value),
                false => literal::push(&mut self.out.sql, value),
            }
        }
    }

    fn is_null(&mut self, column: usize, is: bool) {
        self.column(column);
        self.push(if is { " IS NULL" } else { " IS NOT NULL" });
    }

    fn open_or_null(&mut self, or_null: bool) {
        if or_null {
            self.push("(");
        }
    }

    fn close_or_null(&mut self, or_null: bool, column: usize) {
        if or_null {
            self.push(" OR ");
            self.is_null(column, true);
            self.push(")");
        }
    }

    fn column(&mut self, column: usize) {
        self.names.push(&mut self.out.sql, ColumnAt { place: self.place, column });
    }

    fn is_nullable(&self, column: usize) -> bool {
        self.names.is_nullable(ColumnAt { place: self.place, column })
    }

    fn push(&mut self, sql: &str) {
        self.out.sql.push_str(sql);
    }
}
