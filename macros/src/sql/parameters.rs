//! A query's parameters: each is declared and used, and is compared with a column of its type.

use std::ops::Range;

use proc_macro2::Ident;
use syn::{Type, ext::IdentExt};

use super::{
    Complaint, Database,
    database::Reads,
    place::Place,
    words::{Kind, Word},
};
use crate::{message, model::QueryFn, suggest::closest};

/// A declared parameter, and what its place in the text says of its type.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) bound: Vec<Bound>,
}

/// What a parameter is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It is compared with this column of this table.
    Column(String, String),
    /// It counts rows: after `LIMIT` or `OFFSET`.
    Count,
}

/// Checks that the parameters of the text and of the function are the same.
pub(super) fn check(
    database: &mut Database,
    query: &QueryFn,
    sql: &str,
    words: &[Word],
) -> Result<Vec<Parameter>, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let declared: Vec<String> = query.parameters.iter().map(|(name, _)| name.unraw().to_string()).collect();
    let mut used: Vec<&str> = Vec::new();
    // By the text: of `?9`, SQLite counts nine.
    for word in words.iter().filter(|word| word.kind == Kind::Parameter) {
        if used.contains(&word.text.as_str()) {
            continue;
        }
        used.push(&word.text);
        let place = Place::at(sql, word.at);
        let message = match word.text.strip_prefix(':') {
            None => message::sql_parameter_without_name(&query.ident, &place),
            Some(plain) if !declared.iter().any(|name| name == plain) => {
                let meant = closest(plain, declared.iter().map(String::as_str));
                message::sql_parameter_undeclared(&query.ident, plain, meant, &place)
            }
            Some(_) => continue,
        };
        complaints.push(Complaint { span: query.sql.span(), message });
    }
    for (name, _) in &query.parameters {
        let text = format!(":{}", name.unraw());
        // Where a misspelt one is used instead, saying that is enough.
        if complaints.is_empty() && !used.contains(&text.as_str()) {
            complaints.push(Complaint { span: name.span(), message: message::sql_parameter_unused(name) });
        }
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let mut parameter = |(name, ty): &(Ident, Type)| {
        let text = format!(":{}", name.unraw());
        let places = words.iter().enumerate().filter(|(_, word)| word.kind == Kind::Parameter && word.text == text);
        let bound = places.filter_map(|(at, _)| database.bound(sql, side(words, at)?)).collect();
        Parameter { name: name.clone(), ty: ty.clone(), bound }
    };
    Ok(query.parameters.iter().map(&mut parameter).collect())
}

impl Database {
    /// What a parameter is bound to, if that is a column of a table.
    ///
    /// A name may be another column's, or one that the query gives to an expression. SQLite knows: without the column it reads that
    /// column once less.
    fn bound(&mut self, sql: &str, side: Side) -> Option<Bound> {
        let Side::Column(place) = side else { return Some(Bound::Count) };
        let without = format!("{}NULL{}", &sql[..place.start], &sql[place.end..]);
        let (with, _) = self.prepare(sql);
        let (without, prepared) = self.prepare(&without);
        prepared.ok()?;
        let times = |reads: &Reads, read: &(String, String)| reads.iter().filter(|found| *found == read).count();
        let mut gone = with.different_reads();
        gone.retain(|read| times(&without.reads, read) < times(&with.reads, read));
        match gone.as_slice() {
            [(table, column)] => Some(Bound::Column(table.clone(), column.clone())),
            _ => None,
        }
    }
}

/// What stands on the other side of a comparison with a parameter.
#[derive(Debug, PartialEq, Eq)]
enum Side {
    /// A name, qualified or not, at this place.
    Column(Range<usize>),
    /// Nothing: the parameter counts rows.
    Count,
}

const COMPARISONS: &[&str] = &["=", "==", "<>", "!=", "<", "<=", ">", ">=", "IS", "LIKE", "GLOB"];
const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "||", "->", "&", "|", "COLLATE"];

fn side(words: &[Word], at: usize) -> Option<Side> {
    let word = |place: Option<usize>| place.and_then(|place| words.get(place));
    let is = |place: Option<usize>, any: &[&str]| word(place).is_some_and(|word| any.iter().any(|text| word.is(text)));
    let back = |count: usize| at.checked_sub(count);
    if is(back(1), &["LIMIT", "OFFSET"]) {
        return Some(Side::Count);
    }
    // The parameter is the whole of its side.
    if is(Some(at + 1), ARITHMETIC) || is(back(1), ARITHMETIC) {
        return None;
    }
    let column = if is(back(1), COMPARISONS) || (is(back(1), &["NOT"]) && is(back(2), &["IS"])) {
        let mut end = back(2);
        while is(end, &["NOT", "IS"]) {
            end = end.and_then(|end| end.checked_sub(1));
        }
        end
    } else if is(back(1), &["BETWEEN"]) {
        back(2)
    } else if is(back(1), &["AND"]) && is(back(3), &["BETWEEN"]) {
        back(4)
    } else if let Some(list) = list_start(words, at) {
        list.checked_sub(if is(list.checked_sub(1), &["NOT"]) { 2 } else { 1 })
    } else if is(Some(at + 1), COMPARISONS) {
        return column_from(words, at + 2);
    } else {
        None
    };
    column_up_to(words, column?)
}

/// Where `IN` stands, if the parameter at `at` is one of its list.
fn list_start(words: &[Word], at: usize) -> Option<usize> {
    let listed = |word: &Word| word.kind != Kind::Name && !word.is("(") && !word.is(")");
    let open = (0..at).rev().find(|place| !listed(&words[*place]))?;
    let before = open.checked_sub(1)?;
    (words[open].is("(") && words[before].is("IN")).then_some(before)
}

/// The name whose last word is at `end`.
fn column_up_to(words: &[Word], end: usize) -> Option<Side> {
    let name = words.get(end).filter(|word| word.kind == Kind::Name)?;
    let qualified = end >= 2 && words[end - 1].is(".") && words[end - 2].kind == Kind::Name;
    let start = if qualified { end - 2 } else { end };
    let before = start.checked_sub(1).and_then(|before| words.get(before));
    if before.is_some_and(|word| ARITHMETIC.iter().any(|text| word.is(text))) {
        return None;
    }
    Some(Side::Column(words[start].at..name.end))
}

/// The name whose first word is at `start`.
fn column_from(words: &[Word], start: usize) -> Option<Side> {
    let first = words.get(start).filter(|word| word.kind == Kind::Name)?;
    let qualified = words.get(start + 1).is_some_and(|word| word.is("."));
    let end = if qualified { start + 2 } else { start };
    let after = words.get(end + 1);
    if after.is_some_and(|word| word.is("(") || ARITHMETIC.iter().any(|text| word.is(text))) {
        return None;
    }
    let name = words.get(end).filter(|word| word.kind == Kind::Name)?;
    Some(Side::Column(first.at..name.end))
}

#[cfg(test)]
mod tests {
    use super::{super::words::words, Kind, Side, side};

    fn sides(sql: &str) -> Vec<Option<&str>> {
        let words = words(sql);
        let places = words.iter().enumerate().filter(|(_, word)| word.kind == Kind::Parameter);
        let text = |side| match side {
            Side::Column(place) => &sql[place],
            Side::Count => "count",
        };
        places.map(|(at, _)| side(&words, at).map(text)).collect()
    }

    #[test]
    fn what_a_parameter_is_compared_with() {
        for sql in [
            "a = :p",
            "a IS :p",
            "a IS NOT :p",
            "a NOT LIKE :p",
            ":p <= a",
            "a BETWEEN :p AND 5",
            "a IN (1, :p)",
            "a NOT IN (:p)",
            "a BETWEEN 1 AND :p",
        ] {
            assert_eq!(sides(sql), [Some("a")], "{sql}");
        }
        assert_eq!(sides("a BETWEEN :p AND :q LIMIT :r OFFSET :s").last(), Some(&Some("count")));
        assert_eq!(sides("u.b = :p AND :q < \"v\" . [b]"), [Some("u.b"), Some("\"v\" . [b]")]);
    }

    #[test]
    fn what_is_not_certain_is_not_said() {
        for sql in ["lower(a) = :p", "1 + a = :p", "a = :p + 1", ":p = a + 1", "f(a, :p)", ":p", "a || :p = 'x'"] {
            assert_eq!(sides(sql), [None], "{sql}");
        }
    }
}
