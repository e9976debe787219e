//! The process that asks for more stores than it may have open files for: it keeps all that it gets, until one is refused.
//!
//! `files_child DIR`: prints how many it got and why it got no more; then lets go of all but the first, and prints how many of ten more it
//! got.

use std::io::Write as _;

use larder::{StoreHandle, StoreRegistry};
use larder_tests::ledger::{LedgerEvent, LedgerStore, Mix};

/// More than it may have, by far.
const CAPACITY: usize = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(directory) = std::env::args().nth(1) else { return Err("usage: files_child DIR".into()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let registry = StoreRegistry::builder().data_dir(&directory).capacity(CAPACITY).build()?;
        let mut stores: Vec<StoreHandle<LedgerStore>> = Vec::new();
        let mut mix = Mix::new(0);
        let refused = loop {
            match registry.get::<LedgerStore>(&format!("ledger:{}", stores.len())).await {
                Ok(store) => stores.push(store),
                Err(error) => break error,
            }
        };
        writeln!(std::io::stdout(), "{}\n{refused:?}\n{refused}", stores.len())?;
        stores.truncate(1);
        stores[0].commit(LedgerEvent::booked(1, &mut mix))?;
        registry.clear().await.map_err(|errors| format!("{errors:?}"))?;
        let mut again = 0;
        for number in 0..10 {
            let store = registry.get::<LedgerStore>(&format!("ledger:{number}")).await?;
            store.commit(LedgerEvent::booked(2, &mut mix))?;
            again += 1;
            registry.evict::<LedgerStore>(&format!("ledger:{number}")).await?;
        }
        writeln!(std::io::stdout(), "{again}")?;
        Ok(())
    })
}
