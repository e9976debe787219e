//! `#[derive(StoreSchema)]`

use syn::{Data, DeriveInput, LitInt, Type};

use super::{refuse_attributes, refuse_generics};
use crate::{
    errors::Errors,
    keys::{self, CRATE, Crate, Known},
    message,
    model::Schema,
};

const SCHEMA: &[Known] = &[
    Known::once("events", "events = IssueEvent"),
    Known::once("tables", "tables(Issue, Comment)"),
    Known::once("documents", "documents(View)"),
    Known::once("version", "version = 1"),
    CRATE,
];

/// Reads a schema.
pub(crate) fn schema(input: &DeriveInput, errors: &mut Errors) -> Option<Schema> {
    refuse_generics(input, "StoreSchema", errors);
    let (mut events, mut tables, mut version, mut krate): (Option<Type>, Vec<Type>, u32, _) =
        (None, Vec::new(), 0, None);
    let mut documents = Vec::new();
    let mut events_were_tried = false;
    keys::read(&input.attrs, "schema", SCHEMA, errors, &mut |found, _| {
        match found.key.to_string().as_str() {
            "events" => {
                events_were_tried = true;
                events = Some(found.value()?);
            }
            "tables" => tables = found.items()?,
            "documents" => documents = found.items()?,
            "version" => {
                let number: LitInt = found.value()?;
                version = number.base10_parse().map_err(|_| syn::Error::new(number.span(), message::bad_version()))?;
            }
            _ => krate = Some(keys::crate_path(found)?),
        }
        Ok(())
    });
    if let Data::Struct(data) = &input.data {
        for field in &data.fields {
            refuse_attributes(&field.attrs, "schema", "a field of a schema", errors);
        }
    }
    if let Data::Enum(data) = &input.data {
        for variant in &data.variants {
            refuse_attributes(&variant.attrs, "schema", "a variant of a schema", errors);
        }
    }
    if !events_were_tried {
        errors.at(&input.ident, message::no_events(&input.ident));
    }
    Some(Schema {
        krate: Crate::new(krate),
        vis: input.vis.clone(),
        ident: input.ident.clone(),
        events: events?,
        tables,
        documents,
        version,
    })
}

/// The events as far as they could be read, for the stub.
pub(crate) fn events_as_written(input: &DeriveInput) -> Option<Type> {
    let mut events = None;
    keys::read(&input.attrs, "schema", SCHEMA, &mut Errors::default(), &mut |found, _| {
        if found.key == "events" {
            events = Some(found.value()?);
        }
        Ok(())
    });
    events
}
