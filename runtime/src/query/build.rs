//! The SQL of a query, from what it asks for.

use super::{
    names::{INNER, Names},
    run::Text,
    spec::{ColumnAt, Expr, Function, GroupSpec, SelectSpec, number},
};
use crate::{error::QueryErrorKind, seeded, table::TableSchema};

impl SelectSpec {
    /// The rows. `most` is a limit of the query itself.
    pub(crate) fn rows(&self, first: &TableSchema, most: Option<u64>) -> Result<Text, QueryErrorKind> {
        self.check()?;
        let mut text = Text::default();
        let names = Names::of(first, &self.joins);
        match (&self.groups, &self.columns) {
            (Some(groups), _) => {
                self.push_groups(&mut text, first, groups, most);
                return Ok(text);
            }
            (None, None) if self.joins.is_empty() => {
                text.push(&first.statements().select);
                self.push_where(&mut text, first);
            }
            (None, columns) => {
                text.push("SELECT ");
                match columns {
                    Some(columns) => push_list(&mut text, names, columns.iter().copied()),
                    None => push_list(&mut text, names, self.all_columns(first)),
                }
                self.push_from(&mut text, first);
            }
        }
        self.push_order(&mut text, first);
        self.push_limit(&mut text, most);
        Ok(text)
    }

    /// All columns of all tables.
    pub(super) fn all_columns<'a>(&'a self, first: &'a TableSchema) -> impl Iterator<Item = Expr> + 'a {
        let names = Names::of(first, &self.joins);
        (0..=self.joins.len()).flat_map(move |place| {
            (0..names.table(place).columns.len()).map(move |column| Expr::Column(ColumnAt { place, column }))
        })
    }

    /// How many rows.
    pub(crate) fn count(&self, first: &TableSchema) -> Result<Text, QueryErrorKind> {
        self.check()?;
        let mut text = Text::default();
        let cut = self.is_cut();
        text.push(if cut { "SELECT count(*) FROM (SELECT 1" } else { "SELECT count(*)" });
        self.push_from(&mut text, first);
        if cut {
            self.push_limit(&mut text, None);
            text.push(")");
        }
        Ok(text)
    }

    /// Whether there is a row.
    pub(super) fn exists(&self, first: &TableSchema) -> Result<Text, QueryErrorKind> {
        self.check()?;
        let mut text = Text::default();
        text.push("SELECT EXISTS (SELECT 1");
        self.push_from(&mut text, first);
        self.push_limit(&mut text, None);
        text.push(")");
        Ok(text)
    }

    /// ` FROM .. WHERE ..`
    fn push_from(&self, text: &mut Text, first: &TableSchema) {
        text.from(Names::of(first, &self.joins));
        self.push_where(text, first);
    }

    /// ` WHERE ..`
    pub(crate) fn push_where(&self, text: &mut Text, first: &TableSchema) {
        let names = Names::of(first, &self.joins);
        let mut before = " WHERE ";
        for (place, condition) in self.conditions().enumerate().filter(|(_, condition)| !condition.steps.is_empty()) {
            text.push(before);
            text.condition(condition, names, place);
            before = " AND ";
        }
    }

    /// ` ORDER BY ..`, down to the primary keys.
    pub(crate) fn push_order(&self, text: &mut Text, first: &TableSchema) {
        let names = Names::of(first, &self.joins);
        let terms = self.whole_order(first);
        push_terms(text, names, terms.iter().map(|term| (Expr::Column(term.column), term.descending)));
    }

    /// ` LIMIT ? OFFSET ?`, where `most` is a limit of the query itself.
    pub(crate) fn push_limit(&self, text: &mut Text, most: Option<u64>) {
        push_limit(text, self.limit.into_iter().chain(most).min(), self.offset);
    }

    fn push_groups(&self, text: &mut Text, first: &TableSchema, groups: &GroupSpec, most: Option<u64>) {
        let names = Names::of(first, &self.joins);
        let inner = groups.columns();
        // What is cut away of the rows is no part of any group.
        let is_cut = self.is_cut() && !seeded::bug("limit-ignored-in-groups");
        let names = if is_cut { names.around(&inner) } else { names };
        text.push_grouped(names, groups, most, |text| {
            if is_cut {
                text.push(" FROM (SELECT ");
                self.push_inner(text, first, &inner);
                self.push_limit(text, None);
                text.push(")");
            } else {
                self.push_from(text, first);
            }
        });
    }

    /// The rows that groups are made of, under names of their own.
    pub(super) fn push_inner(&self, text: &mut Text, first: &TableSchema, columns: &[ColumnAt]) {
        let names = Names::of(first, &self.joins);
        if columns.is_empty() {
            text.push("1");
        }
        for (index, column) in columns.iter().enumerate() {
            text.push(if index == 0 { "" } else { ", " });
            text.expr(names, Expr::Column(*column));
            text.push(&format!(" AS {INNER}{index}"));
        }
        self.push_from(text, first);
        self.push_order(text, first);
    }
}

impl Text {
    /// Groups of the rows that `from` names.
    pub(super) fn push_grouped(
        &mut self,
        names: Names<'_>,
        groups: &GroupSpec,
        most: Option<u64>,
        from: impl FnOnce(&mut Self),
    ) {
        self.push("SELECT ");
        push_list(self, names, groups.keys.iter().chain(&groups.wanted).copied());
        from(self);
        if groups.keys.is_empty() {
            return;
        }
        self.push(" GROUP BY ");
        push_list(self, names, groups.keys.iter().copied());
        push_terms(self, names, groups.whole_order());
        push_limit(self, groups.limit.into_iter().chain(most).min(), groups.offset);
    }

    /// ` LIMIT ?`
    pub(super) fn push_rows(&mut self, limit: u64) {
        push_limit(self, Some(limit), 0);
    }
}

impl GroupSpec {
    /// Every column that is needed of the rows, once.
    pub(super) fn columns(&self) -> Vec<ColumnAt> {
        let all = self.keys.iter().chain(&self.wanted).chain(self.order.iter().map(|(expr, _)| expr));
        let mut columns: Vec<ColumnAt> = Vec::new();
        for column in all.filter_map(|expr| expr.column()) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns
    }

    /// The order's terms, down to the keys: no two groups agree in all of them.
    fn whole_order(&self) -> impl Iterator<Item = (Expr, bool)> {
        let by_order = self.order.iter().map(|(expr, descending)| match expr {
            // Rows of a group may differ in a column that is no key: the group's first row in this order stands for it.
            Expr::Column(column) if !self.keys.contains(expr) => {
                (Expr::Of(if *descending { Function::Max } else { Function::Min }, *column), *descending)
            }
            _ => (*expr, *descending),
        });
        let given = |key: &&Expr| self.order.iter().all(|(expr, _)| expr != *key);
        by_order.chain(self.keys.iter().filter(given).map(|key| (*key, false)))
    }
}

fn push_list(text: &mut Text, names: Names<'_>, list: impl Iterator<Item = Expr>) {
    for (index, expr) in list.enumerate() {
        text.push(if index == 0 { "" } else { ", " });
        text.expr(names, expr);
    }
}

fn push_terms(text: &mut Text, names: Names<'_>, terms: impl Iterator<Item = (Expr, bool)>) {
    for (index, (expr, descending)) in terms.enumerate() {
        text.push(if index == 0 { " ORDER BY " } else { ", " });
        text.expr(names, expr);
        if descending {
            text.push(" DESC");
        }
    }
}

fn push_limit(text: &mut Text, limit: Option<u64>, offset: u64) {
    if limit.is_none() && offset == 0 {
        return;
    }
    // SQLite knows no OFFSET without LIMIT.
    text.push(" LIMIT ");
    text.value(&number(limit.unwrap_or(u64::MAX)));
    if offset > 0 {
        text.push(" OFFSET ");
        text.value(&number(offset));
    }
}
