//! The process that is killed while it makes new stores.
//!
//! `create_child DIR FIRST`: makes `ledger:FIRST`, `ledger:FIRST+1`, … for ever; one line `<store>` before each, flushed at once.

use std::io::Write as _;

use larder::{GcTime, StoreRegistry};
use larder_tests::ledger::LedgerStore;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(first)) = (arguments.next(), arguments.next()) else {
        return Err("usage: create_child DIR FIRST".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(work(&directory, first.parse()?))
}

async fn work(directory: &str, first: u64) -> Result<(), Box<dyn std::error::Error>> {
    let registry = StoreRegistry::builder().data_dir(directory).build()?;
    let mut begun = std::io::stdout().lock();
    for number in first.. {
        let id = format!("ledger:{number}");
        writeln!(begun, "{id}")?;
        begun.flush()?;
        drop(registry.get::<LedgerStore>(&id).gc_time(GcTime::ZERO).await?);
    }
    Ok(())
}
