//! SQL of `queries { .. }`, checked while the app is compiled: by real SQLite, on the tables of the schema.

mod check;
mod database;
mod observe;
mod parameters;
mod place;
mod samples;
mod scan;
mod shape;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use check::{Checked, Complaint, ResultColumn};
pub(crate) use database::{Database, is_json};
pub(crate) use parameters::{Bound, Parameter};
pub(crate) use shape::{Storage, TableShape};
