//! Handles of loaded stores beside hits of a `moka` cache.

use std::sync::Arc;

use larder::prelude::*;
use moka::sync::Cache;
use tokio::runtime::Runtime;

use crate::{
    app::MemoryStore,
    lab::runtime,
    measure::{Outcome, Plan, Took, Watch, compare},
    report::{Bar, Row},
};

/// Calls in one turn.
const CALLS: u32 = 20_000;

struct Registry {
    runtime: Runtime,
    registry: StoreRegistry,
    ids: Vec<StoreId>,
    /// Holds the stores, where a row says so.
    held: Vec<StoreHandle<MemoryStore>>,
    cache: Cache<StoreId, Arc<StoreId>>,
}

impl Registry {
    fn of(stores: usize) -> Outcome<Self> {
        let runtime = runtime()?;
        let registry = runtime.block_on(async { StoreRegistry::builder().in_memory().capacity(stores).build() })?;
        let ids = (0..stores).map(|store| format!("workspace:{store}").parse()).collect::<Result<Vec<StoreId>, _>>()?;
        let held = runtime.block_on(async {
            let mut held = Vec::with_capacity(stores);
            for id in &ids {
                held.push(registry.get::<MemoryStore>(id).await?);
            }
            Ok::<_, larder::LoadError>(held)
        })?;
        let cache = Cache::new(stores as u64);
        ids.iter().for_each(|id| cache.insert(id.clone(), Arc::new(id.clone())));
        Ok(Self { runtime, registry, ids, held, cache })
    }

    /// `get`, clone, drop of both.
    fn calls(&self) -> Outcome<Took> {
        self.runtime.block_on(async {
            let watch = Watch::start();
            for call in 0..CALLS {
                let store = self.registry.get::<MemoryStore>(self.id(call)).await?;
                drop(store.clone());
            }
            Ok(watch.stop(CALLS))
        })
    }

    /// The same of the cache.
    fn hits(&self) -> Outcome<Took> {
        Took::of(CALLS, || {
            for call in 0..CALLS {
                let hit = self.cache.get(self.id(call)).ok_or("the cache lost an entry")?;
                drop(Arc::clone(&hit));
            }
            Ok(())
        })
    }

    /// A hundred ids in turn, however many there are: what is slower among many is the look-up, not the caches of the processor.
    fn id(&self, call: u32) -> &StoreId {
        &self.ids[call as usize % 100 * (self.ids.len() / 100)]
    }
}

/// `get` of a loaded store, held and not held.
pub(crate) fn rows(plan: Plan) -> Outcome<Vec<Row>> {
    let mut registry = Registry::of(100)?;
    let held = compare(plan, &mut registry, |registry| registry.calls(), |registry| registry.hits())?;
    registry.held.clear();
    let last = compare(plan, &mut registry, |registry| registry.calls(), |registry| registry.hits())?;
    let note = "a `moka::sync::Cache` hit by the same key, `Arc` clone and drop; 100 entries each";
    Ok(vec![
        Row::compared("get of a held store, clone, drop", Bar::Ratio(2.0), held, note),
        Row::compared("last drop and get again, clone, drop", Bar::Ratio(3.0), last, note),
    ])
}

/// What a store in memory takes, with some room.
const BYTES_OF_A_STORE: usize = 160 * 1024;

/// The same among many loaded stores: beside `moka` with as many entries, and beside larder itself with 100. Where the machine has not the
/// memory for so many, it says so and measures nothing.
pub(crate) fn many(plan: Plan, stores: usize, works: [&'static str; 2]) -> Outcome<Vec<Row>> {
    let wanted = stores * BYTES_OF_A_STORE;
    let free = free_bytes()?;
    if free < wanted {
        let note = format!("not measured: it takes {} MiB, and {} MiB are free", wanted >> 20, free >> 20);
        return Ok(works.map(|work| Row::missing(work, &note)).into());
    }
    let mut both = (Registry::of(100)?, Registry::of(stores)?);
    let compared = compare(plan, &mut both, |both| both.1.calls(), |both| both.1.hits())?;
    let growth = compare(plan, &mut both, |both| both.1.calls(), |both| both.0.calls())?;
    let moka = compare(plan, &mut both, |both| both.1.hits(), |both| both.0.hits())?;
    let note = format!("the `moka` cache has as many entries; its hits take {:.2} times the time with 100", moka.ratio);
    Ok(vec![
        Row::compared(works[0], Bar::Ratio(2.0), compared, &note),
        // "No slower" within what two measurements of the same differ by.
        Row::compared(works[1], Bar::Ratio(1.1), growth, "larder itself with 100 entries"),
    ])
}

/// Memory that the system can still give.
fn free_bytes() -> Outcome<usize> {
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:")).ok_or("no MemAvailable")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
}
