//! A schema without its types: what the non-generic store works with.

use std::{collections::HashSet, fmt, sync::Arc};

use super::{Fingerprint, Materializer, StoreSchema, fingerprint, order};
use crate::{
    definition::{SOURCE, StoreDefinition},
    error::LoadError,
    event::{Event, EventContext, EventInfo},
    storage::sqlite::Connection,
    store::{Applied, ApplyStored, ProjectStored, SOURCES_DDL, Unapplied, apply_stored, project_stored},
    table::TableSchema,
};

/// A schema without its types, checked, its tables parents first. Made once per load.
pub(crate) struct SchemaModel {
    definition: &'static str,
    type_name: &'static str,
    tables: Vec<&'static TableSchema>,
    fingerprint: Fingerprint,
    apply: ApplyStored,
    /// Of a projection: applies a source's event.
    project: Option<ProjectStored>,
}

impl SchemaModel {
    /// The model of a definition's schema.
    ///
    /// # Errors
    /// [`LoadError::Schema`] for what the compiler cannot see: references to missing tables or in a circle, names used twice.
    pub(crate) fn of<D: StoreDefinition>() -> Result<Arc<Self>, LoadError> {
        let invalid = |message| LoadError::Schema { definition: D::NAME, message };
        let events = <<D::Schema as StoreSchema>::Event as Event>::EVENTS;
        let tables = order::parents_first(D::Schema::tables()).map_err(invalid)?;
        check_events(events).map_err(invalid)?;
        check_sources(&tables, D::__PROJECTION).map_err(invalid)?;
        let source = <D::Schema as Materializer>::__SOURCE;
        let canonical = fingerprint::canonical(&tables, events, D::Schema::VERSION, source);
        Ok(Arc::new(Self {
            definition: D::NAME,
            type_name: std::any::type_name::<D>(),
            tables,
            fingerprint: Fingerprint::of(&canonical),
            // What a projection has read is not in its own log.
            apply: if D::__PROJECTION { |_, _, _, _| Ok(Applied::Yes) } else { apply_stored::<D::Schema> },
            project: D::__PROJECTION.then_some(project_stored::<D::Schema>),
        }))
    }

    /// The definition's name.
    pub(crate) fn definition(&self) -> &'static str {
        self.definition
    }

    /// The definition's Rust type with its path, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// The tables, parents before the tables that reference them.
    pub(crate) fn tables(&self) -> &[&'static TableSchema] {
        &self.tables
    }

    /// Applies one stored event to the tables.
    pub(crate) fn apply(
        &self,
        name: &str,
        args: Option<&str>,
        about: &EventContext,
        connection: &mut Connection,
    ) -> Result<Applied, Unapplied> {
        (self.apply)(name, args, about, connection)
    }

    /// Applies one stored event of a projection's source to the rows of that source.
    pub(crate) fn project(
        &self,
        source: &str,
        event: (&str, Option<&str>),
        about: &EventContext,
        connection: &mut Connection,
    ) -> Result<Applied, Unapplied> {
        self.project.map_or(Ok(Applied::Unknown), |project| project(source, event, about, connection))
    }

    /// What a file of this schema has beside its tables, made anew with them.
    pub(crate) fn more_ddl(&self) -> &'static str {
        if self.project.is_some() { SOURCES_DDL } else { "" }
    }

    /// What the tables of this schema are known by.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for SchemaModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SchemaModel").field("definition", &self.definition).finish_non_exhaustive()
    }
}

fn check_sources(tables: &[&TableSchema], is_projection: bool) -> Result<(), String> {
    for table in tables {
        if is_projection && table.columns[0].ty.encoding != SOURCE {
            return Err(format!("`{}` has no source, and a projection's tables have; leave it out", table.name));
        }
        let (name, has_source) = (table.name, table.columns.iter().any(|column| column.ty.encoding == SOURCE));
        if !is_projection && has_source {
            return Err(format!(
                "table `{name}` has a column `SourceId`, which belongs to projections; take a `String` or a typed id"
            ));
        }
        if is_projection && table.primary_key.first() != Some(&0) {
            return Err(format!(
                "the primary key of table `{name}` of a projection begins with its source; make `source` a `primary_key`"
            ));
        }
        if is_projection && !table.unique.is_empty() {
            return Err(format!(
                "table `{name}` of a projection has a unique constraint, by which sources could refuse each other's rows; leave it out"
            ));
        }
    }
    Ok(())
}

fn check_events(events: &[EventInfo]) -> Result<(), String> {
    let mut names = HashSet::new();
    for name in events.iter().flat_map(|event| std::iter::once(event.name).chain(event.from.iter().copied())) {
        if !names.insert(name) {
            return Err(format!("two events are named `{name}`; give each its own name"));
        }
    }
    Ok(())
}
