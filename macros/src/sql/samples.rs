//! The values that rows and parameters have while a query is tried.

use std::ops::Range;

use rusqlite::types::Value;

use super::{
    Storage,
    words::{Kind, Word},
};

/// Rows of a table: as many as there are samples of a type, so that a key has each.
pub(super) const ROWS: usize = 32;

/// Rows in which every column has the sample with the row's number, so that rows of tables with the same numbers are found by a join.
const STRAIGHT: usize = 4;

/// How often the rows are mixed.
const ROUNDS: usize = 4;

/// Literals of one kind that are taken from a query.
const LITERALS: usize = 5;

/// Samples of every type.
pub(super) struct Samples {
    texts: List<String>,
    integers: List<i64>,
    reals: List<f64>,
    /// What a column of an unknown type is.
    unknown: Storage,
}

/// Different values, of which the literals are more frequent: a filter of the query may ask for just these.
struct List<T> {
    values: Vec<T>,
    literals: Range<usize>,
}

impl<T: PartialEq> List<T> {
    fn new(
        first: impl IntoIterator<Item = T>,
        literals: impl Iterator<Item = T>,
        more: impl Iterator<Item = T>,
    ) -> Self {
        let mut list = Self { values: Vec::new(), literals: 0..0 };
        first.into_iter().for_each(|value| list.push(value));
        list.literals.start = list.values.len();
        literals.for_each(|value| list.push(value));
        list.literals.end = list.values.len();
        more.for_each(|value| list.push(value));
        list
    }

    fn push(&mut self, value: T) {
        if self.values.len() < ROWS && !self.values.contains(&value) {
            self.values.push(value);
        }
    }
}

impl Samples {
    /// Samples for a query: what it compares with, numbers also by one more and one less, lets rows through its filters.
    pub(super) fn new(words: &[Word], unknown: Storage) -> Self {
        let texts = words.iter().filter(|word| word.kind == Kind::Text).map(|word| word.text.clone()).take(LITERALS);
        let letter = |at: usize| char::from(b'a' + (at % 26) as u8).to_string().repeat(1 + at / 26);
        let numbers: Vec<f64> = numbers(words).into_iter().take(LITERALS).collect();
        let near = |number: &f64| [*number, number - 1.0, number + 1.0];
        let whole = |number: f64| [number.floor() as i64, number.ceil() as i64];
        let row = |at: usize| at as i64 + 1;
        let integers = numbers.iter().flat_map(near).flat_map(whole);
        let reals = numbers.iter().flat_map(near);
        Self {
            texts: List::new([], texts, (0..ROWS).map(letter)),
            integers: List::new((0..3).map(row), integers, (0..2 * ROWS).map(row)),
            reals: List::new([1.5, 2.5, 3.5], reals, (0..2 * ROWS).map(|at| at as f64 + 1.5)),
            unknown,
        }
    }

    /// The sample with this number.
    pub(super) fn value(&self, storage: Storage, at: usize) -> Value {
        match storage {
            Storage::Integer => Value::Integer(self.integers.values[at % ROWS]),
            Storage::Real => Value::Real(self.reals.values[at % ROWS]),
            Storage::Text => Value::Text(self.texts.values[at % ROWS].clone()),
            Storage::Blob => Value::Blob(vec![at as u8]),
            // The unknown is never unknown itself.
            Storage::Unknown => self.value(self.unknown, at),
        }
    }

    /// The sample of a column in a row, so that columns come together in many ways, in each round in others.
    pub(super) fn mixed(&self, storage: Storage, round: usize, place: (usize, usize, usize)) -> Value {
        let (table, column, row) = place;
        if row < STRAIGHT && round == 0 {
            return self.value(storage, row);
        }
        let number = noise(table, column, row * ROUNDS + round);
        let storage = if storage == Storage::Unknown { self.unknown } else { storage };
        let literals = match storage {
            Storage::Text => &self.texts.literals,
            Storage::Integer => &self.integers.literals,
            Storage::Real => &self.reals.literals,
            Storage::Blob | Storage::Unknown => &(0..0),
        };
        let at = match number % 4 {
            0 => number / 4 % ROWS,
            2 | 3 if !literals.is_empty() => literals.start + number / 4 % literals.len(),
            _ => number / 4 % STRAIGHT,
        };
        self.value(storage, at)
    }

    /// How often tables are filled so that different columns come together: once, if the query has nothing that it could ask for.
    pub(super) fn rounds(&self) -> usize {
        if self.texts.literals.len() + self.integers.literals.len() == 0 { 1 } else { ROUNDS }
    }

    /// Whether a column is `NULL` in a row that has some.
    pub(super) fn odd(table: usize, column: usize, row: usize) -> bool {
        noise(column, row, table) % 2 == 1
    }
}

/// Numbers that look like chance and are always the same.
fn noise(first: usize, second: usize, third: usize) -> usize {
    let mut mixed = (first as u32 + 1).wrapping_mul(0x9e37_79b9) ^ (second as u32 + 1).wrapping_mul(0x85eb_ca6b);
    mixed ^= (third as u32 + 1).wrapping_mul(0xc2b2_ae35);
    mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x7feb_352d);
    mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x846c_a68b);
    (mixed >> 8) as usize
}

/// The numbers of the text; one after a minus also below zero.
fn numbers(words: &[Word]) -> Vec<f64> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate().filter(|(_, word)| word.kind == Kind::Number) {
        let Ok(number) = word.text.replace('_', "").parse::<f64>() else { continue };
        found.push(number);
        if at.checked_sub(1).is_some_and(|before| words[before].is("-")) {
            found.push(-number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::words::words, ROWS, Samples, Storage, Value};

    #[test]
    fn literals_and_their_neighbours_are_samples_and_no_sample_comes_twice() {
        let sql = "SELECT 'x' FROM t WHERE a < -100 AND b > 0.5 AND c = 'y' LIMIT 7";
        let samples = Samples::new(&words(sql), Storage::Text);
        let of = |storage| (0..ROWS).map(|at| samples.value(storage, at)).collect::<Vec<_>>();
        for number in [99, 100, 101, -99, -100, -101, 0, 1, 6, 7, 8] {
            assert!(of(Storage::Integer).contains(&Value::Integer(number)), "{number}");
        }
        for number in [0.5, -0.5, 1.5, -100.0] {
            assert!(of(Storage::Real).contains(&Value::Real(number)), "{number}");
        }
        assert_eq!(of(Storage::Text)[..2], ["x", "y"].map(|text| Value::Text(text.to_owned())));
        for storage in [Storage::Integer, Storage::Real, Storage::Text, Storage::Blob, Storage::Unknown] {
            let values = of(storage);
            assert!(values.iter().enumerate().all(|(at, value)| !values[..at].contains(value)), "{storage:?}");
        }
    }
}
