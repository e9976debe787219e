//! The process that the crash tests kill: it commits for ever and prints every commit that was acknowledged.
//!
//! `crash_child DIR SEED`: one line `<store> <counter>` per commit that returned, flushed at once.

use std::io::Write as _;

use larder::{GcTime, StoreRegistry};
use larder_tests::ledger::{LedgerEvent, LedgerStore, Mix};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(seed)) = (arguments.next(), arguments.next()) else {
        return Err("usage: crash_child DIR SEED".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(work(&directory, Mix::new(seed.parse()?)))
}

async fn work(directory: &str, mut mix: Mix) -> Result<(), Box<dyn std::error::Error>> {
    let registry = StoreRegistry::builder().data_dir(directory).build()?;
    let mut acknowledged = std::io::stdout().lock();
    loop {
        let id = format!("ledger:{}", mix.below(3));
        // A gc time of zero closes the store in between, so that the kill also meets opening and closing files.
        let store = registry.get::<LedgerStore>(&id).gc_time(GcTime::ZERO).await?;
        for _ in 0..=mix.below(8) {
            let next = store.query(LedgerStore::last_counter())?.unwrap_or(0) + 1;
            let size = 1 + mix.below(4);
            let events: Vec<_> = (next..next + size).map(|counter| LedgerEvent::booked(counter, &mut mix)).collect();
            store.commit(events)?;
            writeln!(acknowledged, "{id} {}", next + size - 1)?;
            acknowledged.flush()?;
        }
    }
}
