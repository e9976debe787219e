//! Tables and rows.

use proc_macro2::Span;
use syn::{Attribute, Ident, Type, Visibility};

use crate::keys::Crate;

/// A `#[derive(Table)]` struct.
pub(crate) struct Table {
    pub(crate) krate: Crate,
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) columns: Vec<Column>,
    /// Whether every attribute of the columns could be read.
    pub(crate) understood: bool,
    pub(crate) unique: Vec<FieldList>,
    pub(crate) indexes: Vec<FieldList>,
}

impl Table {
    /// The columns of the primary key, in order.
    pub(crate) fn primary_key(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.primary_key)
    }

    /// Where the fields stand; unknown ones, which `check` reports, are left out.
    pub(crate) fn positions(&self, fields: &FieldList) -> Vec<usize> {
        fields.iter().filter_map(|field| self.columns.iter().position(|column| column.ident == *field)).collect()
    }
}

/// Fields of the struct, as `index(a, b)` names them.
pub(crate) type FieldList = Vec<Ident>;

/// One field.
pub(crate) struct Column {
    pub(crate) ident: Ident,
    /// `Issue::OPENED_AT`.
    pub(crate) constant: Ident,
    pub(crate) vis: Visibility,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) ty: Type,
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) primary_key: bool,
    pub(crate) reference: Option<Reference>,
    pub(crate) default: Option<DefaultValue>,
}

/// `references(Issue, on_delete = cascade)`
pub(crate) struct Reference {
    pub(crate) table: Type,
    pub(crate) on_delete: OnDelete,
    /// The whole value, for messages.
    pub(crate) span: Span,
}

/// What a delete of the referenced row does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDelete {
    Restrict,
    Cascade,
    SetNull,
}

/// `default = ..`, as an SQL literal.
pub(crate) struct DefaultValue {
    pub(crate) sql: String,
    pub(crate) literal: DefaultLiteral,
    pub(crate) span: Span,
}

/// What the literal is: the column's type says whether it fits.
pub(crate) enum DefaultLiteral {
    Integer(i64),
    /// Finite.
    Real(f64),
    Bool,
    Text {
        text: String,
        is_json: bool,
    },
}

/// A `#[derive(Row)]` struct.
pub(crate) struct RowStruct {
    pub(crate) krate: Crate,
    pub(crate) ident: Ident,
    pub(crate) columns: Vec<Column>,
}
