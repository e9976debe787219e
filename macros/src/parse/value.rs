//! `#[derive(ColumnValue)]`

use syn::{Data, DataEnum, DataStruct, DeriveInput, Fields, Member};

use super::{bare, name_or, refuse_attributes, refuse_generics};
use crate::{
    errors::Errors,
    keys::{self, CRATE, Crate, Known},
    message,
    model::{ColumnValue, ValueKind, ValueVariant},
};

const TYPE: &[Known] = &[CRATE];
const VARIANT: &[Known] = &[Known::once("name", "name = \"open\"")];

/// Reads a column type.
pub(crate) fn value(input: &DeriveInput, errors: &mut Errors) -> Option<ColumnValue> {
    refuse_generics(input, "ColumnValue", errors);
    let mut krate = None;
    keys::read(&input.attrs, "column", TYPE, errors, &mut |found, _| {
        krate = Some(keys::crate_path(found)?);
        Ok(())
    });
    let kind = match &input.data {
        Data::Enum(data) => unit_enum(data, errors),
        Data::Struct(data) => newtype(data, errors),
        Data::Union(_) => None,
    };
    if kind.is_none() {
        errors.at(&input.ident, message::not_a_value(&input.ident));
    }
    Some(ColumnValue { krate: Crate::new(krate), ident: input.ident.clone(), kind: kind? })
}

fn unit_enum(data: &DataEnum, errors: &mut Errors) -> Option<ValueKind> {
    let mut variants = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            errors.at(&variant.ident, message::value_variant_has_fields(&variant.ident));
        }
        let mut name = None;
        keys::read(&variant.attrs, "column", VARIANT, errors, &mut |found, _| {
            name = Some(found.string()?);
            Ok(())
        });
        let (name, span) = name_or(name, || bare(&variant.ident), &variant.ident);
        variants.push(ValueVariant { ident: variant.ident.clone(), name, span });
    }
    Some(ValueKind::Enum(variants))
}

fn newtype(data: &DataStruct, errors: &mut Errors) -> Option<ValueKind> {
    let mut fields = data.fields.iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    refuse_attributes(&field.attrs, "column", "the field of a newtype", errors);
    let member = field.ident.clone().map_or(Member::Unnamed(0.into()), Member::Named);
    Some(ValueKind::Newtype { member, ty: Box::new(field.ty.clone()) })
}
