//! The process that has a store open while another one wants it: it commits one event, prints `open`, and waits for ever.
//!
//! `hold_child DIR N`: the store is `ledger:N`.

use std::io::Write as _;

use larder::StoreRegistry;
use larder_tests::ledger::{LedgerEvent, LedgerStore, Mix};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(number)) = (arguments.next(), arguments.next()) else {
        return Err("usage: hold_child DIR N".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let registry = StoreRegistry::builder().data_dir(&directory).build()?;
        let store = registry.get::<LedgerStore>(&format!("ledger:{number}")).await?;
        store.commit(LedgerEvent::booked(1, &mut Mix::new(0)))?;
        writeln!(std::io::stdout(), "open")?;
        std::io::stdout().flush()?;
        std::future::pending().await
    })
}
