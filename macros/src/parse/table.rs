//! `#[derive(Table)]` and `#[derive(Row)]`.

use proc_macro2::Span;
use syn::{
    DeriveInput, Field, Ident, Lit, LitStr, Path, Token, Type, ext::IdentExt, parse::ParseStream, spanned::Spanned,
};

use super::{bare, docs, name_or, named_fields, refuse_generics, snake_case};
use crate::{
    errors::Errors,
    keys::{self, CRATE, Crate, Found, Known},
    message,
    model::{Column, DefaultLiteral, DefaultValue, FieldList, OnDelete, Reference, RowStruct, Table},
    sql,
};

const TABLE: &[Known] = &[
    Known::once("name", "name = \"issues\""),
    Known::many("index", "index(field, ..)"),
    Known::many("unique", "unique(field, ..)"),
    CRATE,
];

const COLUMN: &[Known] = &[
    Known::once("primary_key", "primary_key"),
    Known::once("unique", "unique"),
    Known::once("index", "index"),
    Known::once("references", "references(Table)"),
    Known::once("default", "default = 0"),
    Known::once("name", "name = \"opened_at\""),
];

const ROW: &[Known] = &[CRATE];
const ROW_COLUMN: &[Known] = &[Known::once("name", "name = \"opened_at\"")];

/// Reads a table.
pub(crate) fn table(input: &DeriveInput, errors: &mut Errors) -> Option<Table> {
    refuse_generics(input, "Table", errors);
    let (mut name, mut krate, mut unique, mut indexes) = (None, None, Vec::new(), Vec::new());
    keys::read(&input.attrs, "table", TABLE, errors, &mut |found, _| {
        match found.key.to_string().as_str() {
            "name" => name = Some(found.string()?),
            "index" => indexes.push(found.items()?),
            "unique" => unique.push(found.items()?),
            _ => krate = Some(keys::crate_path(found)?),
        }
        Ok(())
    });
    let fields = named_fields(input, "Table", errors)?;
    let before = errors.count();
    let columns = fields.iter().filter_map(|field| column(field, &mut unique, &mut indexes, errors)).collect();
    let understood = errors.count() == before;
    let (name, name_span) = name_or(name, || snake_case(&bare(&input.ident)), &input.ident);
    Some(Table {
        krate: Crate::new(krate),
        ident: input.ident.clone(),
        vis: input.vis.clone(),
        name,
        name_span,
        columns,
        understood,
        unique,
        indexes,
    })
}

fn column(
    field: &Field,
    unique: &mut Vec<FieldList>,
    indexes: &mut Vec<FieldList>,
    errors: &mut Errors,
) -> Option<Column> {
    let ident = field.ident.as_ref()?;
    let (mut name, mut primary_key, mut reference, mut default) = (None, false, None, None);
    keys::read(&field.attrs, "table", COLUMN, errors, &mut |found, _| {
        match found.key.to_string().as_str() {
            "primary_key" => {
                primary_key = true;
                found.flag()?;
            }
            "unique" => found.flag().map(|()| unique.push(vec![spanned(ident, found)]))?,
            "index" => found.flag().map(|()| indexes.push(vec![spanned(ident, found)]))?,
            "references" => reference = Some(read_reference(found)?),
            "default" => default = Some(read_default(found)?),
            _ => name = Some(found.string()?),
        }
        Ok(())
    });
    Some(Column { primary_key, reference, default, ..plain_column(field, ident, name) })
}

/// The field, underlined where its index is asked for.
fn spanned(field: &Ident, found: &Found<'_>) -> Ident {
    let mut field = field.clone();
    field.set_span(found.key.span());
    field
}

fn plain_column(field: &Field, ident: &Ident, name: Option<LitStr>) -> Column {
    let (name, name_span) = name_or(name, || bare(ident), ident);
    Column {
        ident: ident.clone(),
        constant: constant(ident),
        vis: field.vis.clone(),
        docs: docs(&field.attrs),
        ty: field.ty.clone(),
        name,
        name_span,
        primary_key: false,
        reference: None,
        default: None,
    }
}

/// `opened_at` as `OPENED_AT`.
pub(crate) fn constant(field: &Ident) -> Ident {
    let capitals = syn::parse_str::<Ident>(&bare(field).to_uppercase());
    // Capitals of some letters are no identifier; the check of SQL names refuses such a field anyway.
    capitals.map_or_else(|_| field.clone(), |capitals| Ident::new(&capitals.to_string(), field.span()))
}

/// `references(Issue)`, `references(Issue, on_delete = cascade)`
fn read_reference(found: &Found<'_>) -> syn::Result<Reference> {
    found.list(|content| {
        let table: Path = content
            .call(Path::parse_mod_style)
            .map_err(|error| syn::Error::new(error.span(), message::wrong_value(&found.key, found.usage)))?;
        let mut reference = Reference {
            span: table.span(),
            table: Type::Path(syn::TypePath { attrs: Vec::new(), qself: None, path: table }),
            on_delete: OnDelete::Restrict,
        };
        if content.is_empty() {
            return Ok(reference);
        }
        content.parse::<Token![,]>()?;
        if !content.is_empty() {
            (reference.on_delete, reference.span) = read_action(content)?;
        }
        content.parse::<Option<Token![,]>>()?;
        Ok(reference)
    })
}

fn read_action(content: ParseStream<'_>) -> syn::Result<(OnDelete, Span)> {
    let key = content.call(Ident::parse_any)?;
    if key != "on_delete" {
        return Err(syn::Error::new(key.span(), message::unknown_in_references(&key.to_string())));
    }
    content.parse::<Token![=]>()?;
    let action = content.call(Ident::parse_any)?;
    let on_delete = match action.to_string().as_str() {
        "restrict" => OnDelete::Restrict,
        "cascade" => OnDelete::Cascade,
        "set_null" => OnDelete::SetNull,
        other => return Err(syn::Error::new(action.span(), message::unknown_action(other))),
    };
    Ok((on_delete, action.span()))
}

fn read_default(found: &Found<'_>) -> syn::Result<DefaultValue> {
    let expression: syn::Expr = found.value()?;
    let span = expression.span();
    let refuse = || syn::Error::new_spanned(&expression, message::bad_default());
    let (literal, sign) = match &expression {
        syn::Expr::Lit(literal) => (&literal.lit, ""),
        syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), expr, .. }) => match &**expr {
            syn::Expr::Lit(literal) if matches!(literal.lit, Lit::Int(_) | Lit::Float(_)) => (&literal.lit, "-"),
            _ => return Err(refuse()),
        },
        _ => return Err(refuse()),
    };
    let signed = |digits: &str| format!("{sign}{digits}");
    let (sql, literal) = match literal {
        Lit::Int(number) => {
            let digits = signed(number.base10_digits());
            let value = digits.parse().map_err(|_| refuse())?;
            (digits, DefaultLiteral::Integer(value))
        }
        Lit::Float(number) => {
            let digits = signed(number.base10_digits());
            let value: f64 = digits.parse().map_err(|_| refuse())?;
            if !value.is_finite() {
                return Err(refuse());
            }
            (digits, DefaultLiteral::Real(value))
        }
        Lit::Bool(value) => (i32::from(value.value).to_string(), DefaultLiteral::Bool),
        Lit::Str(text) if text.value().contains('\0') => return Err(refuse()),
        Lit::Str(text) => {
            let text = text.value();
            let is_json = sql::is_json(&text);
            (format!("'{}'", text.replace('\'', "''")), DefaultLiteral::Text { text, is_json })
        }
        _ => return Err(refuse()),
    };
    Ok(DefaultValue { sql, literal, span })
}

/// Reads a row.
pub(crate) fn row(input: &DeriveInput, errors: &mut Errors) -> Option<RowStruct> {
    refuse_generics(input, "Row", errors);
    let mut krate = None;
    keys::read(&input.attrs, "row", ROW, errors, &mut |found, _| {
        krate = Some(keys::crate_path(found)?);
        Ok(())
    });
    let fields = named_fields(input, "Row", errors)?;
    let columns = fields.iter().filter_map(|field| row_column(field, errors)).collect();
    Some(RowStruct { krate: Crate::new(krate), ident: input.ident.clone(), columns })
}

fn row_column(field: &Field, errors: &mut Errors) -> Option<Column> {
    let ident = field.ident.as_ref()?;
    let mut name = None;
    keys::read(&field.attrs, "row", ROW_COLUMN, errors, &mut |found, _| {
        name = Some(found.string()?);
        Ok(())
    });
    Some(plain_column(field, ident, name))
}
