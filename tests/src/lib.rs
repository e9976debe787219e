//! What the tests of larder share: small stores, registries that come and go over one data dir, and a process to kill.

pub mod executor;
pub mod forge;
pub mod hostile;
pub mod lab;
pub mod ledger;
pub mod notebook;
pub mod vault;
