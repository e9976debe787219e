//! The sync server of larder: one agreed order per store, kept durably, for larder's clients and LiveStore's.
//!
//! Two doors lead to one log: WebSocket and HTTP, both on any path (see [`larder_wire`] for what is said there). The binary
//! `larder-server` is this library with flags; an app that needs its own rules embeds it:
//!
//! ```no_run
//! use std::sync::Arc;
//! use larder_server::{OpenToAll, Server, Settings, SqliteStorage};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let storage = SqliteStorage::open("data".as_ref())?;
//! let server = Server::start(Settings::default(), Arc::new(storage), Arc::new(OpenToAll), "127.0.0.1:0").await?;
//! println!("listening on {}", server.address());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Storage`] is where logs live: [`SqliteStorage`], [`MemoryStorage`], or yours, which [`conformance`] tests.
//! - [`Authorize`] decides who may do what, for each connection and again for each push and pull: [`Rules`] from a TOML file, or yours.
//! - [`Settings`] are the limits.

pub mod conformance;

mod auth;
mod clock;
mod config;
mod connection;
mod doors;
mod hub;
mod metrics;
mod server;
mod settings;
mod storage;

pub use auth::{
    Access, Authorize, JwtConfig, OpenToAll, Permit, Refused, RuleConfig, Rules, RulesConfig, RulesError, Secret, Verb,
};
pub use config::{Config, ConfigError, LimitsConfig};
pub use server::{Server, StartError};
pub use settings::{Settings, SettingsError};
pub use storage::{
    Append, AppendError, BoxFuture, MemoryStorage, Page, PageSize, Restored, SqliteStorage, Storage, StorageError,
    backup, restore,
};
