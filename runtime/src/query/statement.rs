//! A statement to run: text, parameters, and what its rows are to be.

use crate::value::ValueRef;

/// One statement that reads.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The text.
    pub sql: &'a str,
    /// Its parameters.
    pub params: Params<'a>,
    /// Who wrote the text.
    pub origin: Origin,
    /// The row type's name, for messages.
    pub row: &'static str,
    /// The columns that the row type asks for by name; empty when it asks by position.
    pub columns: &'static [&'static str],
}

/// Who wrote the text of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The typed builder: the text is trusted and lists the row's columns in order.
    Builder,
    /// The app: SQLite's authorizer looks at it, and columns are found by name.
    App,
}

/// The parameters of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Params<'a> {
    /// In the order of `?`.
    Ordered(&'a [ValueRef<'a>]),
    /// By name, without the colon.
    Named(&'a [(&'static str, ValueRef<'a>)]),
}
