//! `issues stats`: opens every store once, and prints what the registry did.

use larder::{SingletonDefinition, StoreDefinition, prelude::*};
use serde::Serialize;

use crate::{
    failure::Failure,
    output::{Grid, Output, bytes, count},
    stores::{IssueStore, SettingsStore, WorkspaceStore},
};

/// How many stores are open at a time: they load side by side, and are asked together.
const TOGETHER: usize = 32;

#[derive(Serialize)]
struct Stats {
    stores: Vec<DefinitionStats>,
    capacity: usize,
    loaded: usize,
    loads: u64,
    hits: u64,
    evictions: u64,
}

#[derive(Serialize, Default)]
struct DefinitionStats {
    definition: &'static str,
    stored: u64,
    loaded: u64,
    events: u64,
    bytes: u64,
}

/// Opens every store, a few at a time, and counts.
pub(super) async fn run(registry: &StoreRegistry, output: &mut Output) -> Result<(), Failure> {
    let mut stores = vec![survey::<WorkspaceStore>(registry).await?, survey::<IssueStore>(registry).await?];
    stores.push(survey_singleton::<SettingsStore>(registry).await?);
    let now = registry.stats();
    for line in &mut stores {
        line.loaded = now.stores.iter().filter(|store| store.name.definition() == line.definition).count() as u64;
    }
    let (loads, hits, evictions) = (now.loads, now.hits, now.evictions);
    let stats = Stats { stores, capacity: now.capacity, loaded: now.stores.len(), loads, hits, evictions };
    if output.is_json() {
        return Ok(output.json(&stats)?);
    }
    let mut grid = Grid::new(&["definition", ">stored", ">loaded", ">events", ">bytes"]);
    for line in &stats.stores {
        let DefinitionStats { definition, stored, loaded, events, bytes: size } = line;
        grid.row([(*definition).to_owned(), count(*stored), count(*loaded), count(*events), bytes(*size)]);
    }
    output.table(&grid)?;
    output.line("")?;
    let mut grid = Grid::new(&["registry", ">"]);
    grid.row(["stores loaded now".into(), format!("{} of {}", count(stats.loaded as u64), stats.capacity)]);
    grid.row(["loads".into(), count(stats.loads)]);
    grid.row(["hits".into(), count(stats.hits)]);
    grid.row(["evictions".into(), count(stats.evictions)]);
    Ok(output.table(&grid)?)
}

async fn survey<D: StoreDefinition>(registry: &StoreRegistry) -> Result<DefinitionStats, Failure> {
    let stored = registry.stored::<D>().await?;
    let mut stats = DefinitionStats { definition: D::NAME, stored: stored.len() as u64, ..DefinitionStats::default() };
    let keys = stored.into_iter().map(|stored| stored.key).collect::<Result<Vec<_>, _>>()?;
    for keys in keys.chunks(TOGETHER) {
        for key in keys {
            registry.preload::<D>(key).detach();
        }
        let mut handles = Vec::with_capacity(keys.len());
        for key in keys {
            handles.push(registry.get::<D>(key).await?);
        }
        add(&mut stats, registry, &handles);
    }
    Ok(stats)
}

async fn survey_singleton<D: SingletonDefinition>(registry: &StoreRegistry) -> Result<DefinitionStats, Failure> {
    let mut stats = DefinitionStats { definition: D::NAME, ..DefinitionStats::default() };
    if !registry.stored::<D>().await?.is_empty() {
        stats.stored = 1;
        add(&mut stats, registry, &[registry.get_singleton::<D>().await?]);
    }
    Ok(stats)
}

/// Adds what the registry says of these stores.
fn add<D: StoreDefinition>(stats: &mut DefinitionStats, registry: &StoreRegistry, handles: &[StoreHandle<D>]) {
    let now = registry.stats();
    for handle in handles {
        if let Some(store) = now.stores.iter().find(|store| store.name == *handle.name()) {
            stats.events += store.events;
            stats.bytes += store.bytes;
        }
    }
}
