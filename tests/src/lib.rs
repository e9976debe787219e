//! What the tests of larder share: small stores, and registries that come and go over one data dir.

pub mod lab;
pub mod notebook;
