//! The builder's part of one store, and what is asked of the table in which the parts meet.

use super::{Part, Text};
use crate::{
    error::QueryErrorKind,
    query::{
        ColumnAt, SelectSpec,
        names::{INNER, Names},
        spec::Expr,
    },
    seeded,
    table::TableSchema,
};

/// The table in which the parts meet.
const UNION: &str = "larder_union";

/// The number of a row's store.
const STORE: &str = "larder_store";

impl SelectSpec {
    /// What one store answers: the columns that are needed, of the rows that can count.
    pub(super) fn union_part(&self, first: &TableSchema, most: Option<u64>) -> Result<Part, QueryErrorKind> {
        self.check()?;
        let columns = self.needed(first);
        let mut text = Text::default();
        text.push("SELECT ");
        self.push_inner(&mut text, first, &columns);
        let most = if self.groups.is_some() { None } else { most };
        if let Some(limit) = self.limit.into_iter().chain(most).min() {
            // Whatever the other stores have, rows behind these are behind as many of this one. Grouped rows are cut before they are grouped.
            text.push_rows(limit.saturating_add(if seeded::bug("offset-in-each-store") { 0 } else { self.offset }));
        }
        Ok(part(columns.len().max(1), text))
    }

    /// The rows of the union, each with the number of its store behind its columns; or its groups.
    pub(super) fn union_rows(&self, first: &TableSchema, most: Option<u64>) -> Result<Text, QueryErrorKind> {
        self.check()?;
        let columns = self.needed(first);
        let names = Names::of(first, &self.joins).around(&columns);
        let mut text = Text::default();
        if let Some(groups) = &self.groups {
            let mut of = format!("(SELECT * FROM {UNION}");
            let cut = self.is_cut() && !seeded::bug("limit-ignored-in-union");
            if cut {
                of.push_str(&self.union_order(first, names));
            }
            text.push_grouped(names, groups, most, |text| {
                text.push(" FROM ");
                text.push(&of);
                if cut {
                    self.push_limit(text, None);
                }
                text.push(")");
            });
            return Ok(text);
        }
        text.push("SELECT ");
        for wanted in self.wanted(first) {
            text.expr(names, wanted);
            text.push(", ");
        }
        text.push(&format!("{STORE} FROM {UNION}"));
        text.push(&self.union_order(first, names));
        self.push_limit(&mut text, most);
        Ok(text)
    }

    /// The order of all rows; those that agree in everything come in the order of their stores.
    fn union_order(&self, first: &TableSchema, names: Names<'_>) -> String {
        let mut order = String::from(" ORDER BY ");
        for term in self.whole_order(first) {
            names.push(&mut order, term.column);
            order.push_str(if term.descending { " DESC, " } else { ", " });
        }
        order.push_str(STORE);
        order
    }

    /// How many rows one store has, as far as they can count.
    pub(super) fn union_count_part(&self, first: &TableSchema) -> Result<Part, QueryErrorKind> {
        let limit = self.limit.map(|limit| limit.saturating_add(self.offset));
        let rows = Self { limit, offset: 0, ..self.clone() };
        Ok(part(1, rows.count(first)?))
    }

    /// How many rows there are of those that the stores have counted, within limit and offset.
    pub(super) fn union_count(&self) -> Result<Text, QueryErrorKind> {
        self.check()?;
        let mut text = Text::default();
        text.push("SELECT max(0, min(ifnull(sum(larder_0), 0) - ");
        text.value(&crate::query::spec::number(self.offset));
        text.push(", ");
        text.value(&crate::query::spec::number(self.limit.unwrap_or(u64::MAX)));
        text.push(&format!(")) FROM {UNION}"));
        Ok(text)
    }

    /// What a row of the result holds, in order.
    pub(super) fn wanted(&self, first: &TableSchema) -> Vec<Expr> {
        match &self.columns {
            Some(columns) => columns.clone(),
            None => self.all_columns(first).collect(),
        }
    }

    /// Every column that is needed of the rows, once.
    fn needed(&self, first: &TableSchema) -> Vec<ColumnAt> {
        let mut needed = match &self.groups {
            Some(groups) => groups.columns(),
            None => Vec::new(),
        };
        let wanted = if self.groups.is_some() { Vec::new() } else { self.wanted(first) };
        let order = self.whole_order(first).into_iter().map(|term| term.column);
        let order = order.filter(|_| self.groups.is_none() || self.is_cut());
        for column in wanted.into_iter().filter_map(Expr::column).chain(order) {
            if !needed.contains(&column) {
                needed.push(column);
            }
        }
        needed
    }
}

fn part(columns: usize, text: Text) -> Part {
    let names: Vec<String> = (0..columns).map(|index| format!("{INNER}{index}")).collect();
    let places = vec!["?"; columns + 1].join(", ");
    Part {
        // Columns without a type keep every value as it is.
        ddl: format!(
            "CREATE TABLE {UNION} ({STORE} INTEGER, {}); CREATE INDEX {UNION}_index ON {UNION} ({STORE})",
            names.join(", ")
        ),
        insert: format!("INSERT INTO {UNION} VALUES ({places})"),
        delete: format!("DELETE FROM {UNION} WHERE {STORE} = ?"),
        text: Some(text),
    }
}
