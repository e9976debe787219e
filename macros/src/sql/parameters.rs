//! A query's parameters: each is declared and used, and is compared with a column of its type.

use proc_macro2::Ident;
use rusqlite::Connection;
use syn::{Type, ext::IdentExt};

use super::{
    Complaint,
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
    sqlite: &Connection,
    query: &QueryFn,
    sql: &str,
    words: &[Word],
    reads: &Reads,
) -> Result<Vec<Parameter>, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let used = used(sqlite, sql);
    let declared: Vec<String> = query.parameters.iter().map(|(name, _)| name.unraw().to_string()).collect();
    for name in &used {
        let at = words
            .iter()
            .find(|word| word.kind == Kind::Parameter && name.as_ref().is_none_or(|name| word.text == *name));
        let place = Place::at(sql, at.map_or(0, |word| word.at));
        let plain = name.as_deref().and_then(|name| name.strip_prefix(':'));
        let message = match plain {
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
        if complaints.is_empty() && !used.iter().flatten().any(|used| *used == text) {
            complaints.push(Complaint { span: name.span(), message: message::sql_parameter_unused(name) });
        }
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let parameter = |(name, ty): &(Ident, Type)| {
        let text = format!(":{}", name.unraw());
        let places = words.iter().enumerate().filter(|(_, word)| word.kind == Kind::Parameter && word.text == text);
        let bound = places.filter_map(|(at, _)| bound(words, at, reads)).collect();
        Parameter { name: name.clone(), ty: ty.clone(), bound }
    };
    Ok(query.parameters.iter().map(parameter).collect())
}

/// The parameters in the order of the text; `None` for one without a name.
fn used(sqlite: &Connection, sql: &str) -> Vec<Option<String>> {
    let Ok(statement) = sqlite.prepare(sql) else { return Vec::new() };
    (1..=statement.parameter_count()).map(|at| statement.parameter_name(at).map(str::to_owned)).collect()
}

const COMPARISONS: &[&str] = &["=", "==", "<>", "!=", "<", "<=", ">", ">=", "IS", "LIKE", "GLOB"];
const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "||", "->", "&", "|", "COLLATE"];

fn bound(words: &[Word], at: usize, reads: &Reads) -> Option<Bound> {
    let word = |place: Option<usize>| place.and_then(|place| words.get(place));
    let is = |place: Option<usize>, any: &[&str]| word(place).is_some_and(|word| any.iter().any(|text| word.is(text)));
    let back = |count: usize| at.checked_sub(count);
    if is(back(1), &["LIMIT", "OFFSET"]) {
        return Some(Bound::Count);
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
        return column_from(words, at + 2, reads);
    } else {
        None
    };
    column_up_to(words, column?, reads)
}

/// Where `IN` stands, if the parameter at `at` is one of its list.
fn list_start(words: &[Word], at: usize) -> Option<usize> {
    let listed = |word: &Word| word.kind != Kind::Name && !word.is("(") && !word.is(")");
    let open = (0..at).rev().find(|place| !listed(&words[*place]))?;
    let before = open.checked_sub(1)?;
    (words[open].is("(") && words[before].is("IN")).then_some(before)
}

/// The column whose last word is at `end`.
fn column_up_to(words: &[Word], end: usize, reads: &Reads) -> Option<Bound> {
    let name = words.get(end).filter(|word| word.kind == Kind::Name)?;
    let qualified = end >= 2 && words[end - 1].is(".") && words[end - 2].kind == Kind::Name;
    let start = if qualified { end - 2 } else { end };
    let before = start.checked_sub(1).and_then(|before| words.get(before));
    if before.is_some_and(|word| ARITHMETIC.iter().any(|text| word.is(text))) {
        return None;
    }
    column(reads, qualified.then(|| words[start].text.as_str()), &name.text)
}

/// The column whose first word is at `start`.
fn column_from(words: &[Word], start: usize, reads: &Reads) -> Option<Bound> {
    let first = words.get(start).filter(|word| word.kind == Kind::Name)?;
    let qualified = words.get(start + 1).is_some_and(|word| word.is("."));
    let end = if qualified { start + 2 } else { start };
    let after = words.get(end + 1);
    if after.is_some_and(|word| word.is("(") || ARITHMETIC.iter().any(|text| word.is(text))) {
        return None;
    }
    let name = words.get(end).filter(|word| word.kind == Kind::Name)?;
    column(reads, qualified.then_some(first.text.as_str()), &name.text)
}

/// The one column that is read under this name; `None` where several are, or none.
fn column(reads: &Reads, table: Option<&str>, name: &str) -> Option<Bound> {
    let same = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
    let named: Vec<_> = reads.iter().filter(|(_, column)| same(column, name)).collect();
    let of_table = table.and_then(|table| named.iter().find(|(found, _)| same(found, table)));
    match (of_table, named.as_slice()) {
        (Some((table, column)), _) | (None, [(table, column)]) => Some(Bound::Column(table.clone(), column.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::words::words, Bound, Kind, bound};

    fn bounds(sql: &str) -> Vec<Option<String>> {
        let reads = [("t", "a"), ("t", "b"), ("u", "b")].map(|(table, column)| (table.to_owned(), column.to_owned()));
        let words = words(sql);
        let places = words.iter().enumerate().filter(|(_, word)| word.kind == Kind::Parameter);
        places
            .map(|(at, _)| {
                bound(&words, at, &reads.to_vec()).map(|bound| match bound {
                    Bound::Column(table, column) => format!("{table}.{column}"),
                    Bound::Count => "count".to_owned(),
                })
            })
            .collect()
    }

    #[test]
    fn what_a_parameter_is_compared_with() {
        let a = || Some("t.a".to_owned());
        for sql in [
            "a = :p",
            "a IS :p",
            "a IS NOT :p",
            "a NOT LIKE :p",
            ":p <= a",
            "x.a > :p",
            "a BETWEEN :p AND 5",
            "a IN (1, :p)",
            "a NOT IN (:p)",
            "\"a\" = :p",
            "a BETWEEN 1 AND :p",
        ] {
            assert_eq!(bounds(sql), [a()], "{sql}");
        }
        assert_eq!(bounds("a BETWEEN :p AND :q LIMIT :r OFFSET :s").last(), Some(&Some("count".to_owned())));
        assert_eq!(bounds("u.b = :p"), [Some("u.b".to_owned())]);
    }

    #[test]
    fn what_is_not_certain_is_not_said() {
        for sql in [
            "b = :p",
            "lower(a) = :p",
            "1 + a = :p",
            "a = :p + 1",
            ":p = a + 1",
            "c = :p",
            "f(a, :p)",
            ":p",
            "a || :p = 'x'",
        ] {
            assert_eq!(bounds(sql), [None], "{sql}");
        }
    }
}
