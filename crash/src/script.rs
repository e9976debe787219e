//! Workloads as scripts: what happens, step by step; run once to record it, or with faults.

use std::sync::Arc;

use crate::{ledger::Booking, server::Ordered, synced::SYNCED};

/// The generation of the app that opens a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// The first release.
    #[default]
    First,
    /// The same events in other tables: opening rebuilds.
    Second,
    /// Another event, which old ones are upgraded to: opening rebuilds.
    Third,
}

/// What the workload does or was told, in the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A store is about to be opened.
    Opens {
        /// Its id.
        store: String,
        /// By which app.
        generation: Generation,
    },
    /// A commit returned.
    Acknowledged {
        /// The store's id.
        store: String,
        /// Who booked.
        writer: i64,
        /// The commit's last counter.
        counter: i64,
    },
    /// A change of the settings returned.
    Set {
        /// The store's id.
        store: String,
        /// Which change.
        counter: i64,
    },
    /// The projection is about to be opened.
    Projects,
    /// A backup returned.
    BackedUp {
        /// The store's id.
        store: String,
        /// The backup, below the root.
        path: String,
    },
    /// The server of the synced ledger has ordered events, of this client or of others.
    Ordered {
        /// The events.
        events: Vec<Ordered>,
    },
    /// The import of the example is about to begin, or to go on.
    Imports {
        /// Its lines.
        text: Arc<str>,
    },
    /// It is done with these many of its lines: each is in both of its stores.
    Imported {
        /// How many.
        lines: usize,
    },
}

/// One step of a workload.
#[derive(Clone, Debug)]
pub enum Step {
    /// Opens a store, or gets it again.
    Open {
        /// Its id.
        store: &'static str,
        /// By which app.
        generation: Generation,
    },
    /// One commit.
    Commit {
        /// The store's id.
        store: &'static str,
        /// Its bookings.
        bookings: Vec<Booking>,
    },
    /// Commits of several threads at once, one booking each.
    Group {
        /// The store's id.
        store: &'static str,
        /// The bookings of each thread.
        threads: Vec<Vec<Booking>>,
    },
    /// A change of the store's client document.
    Set {
        /// The store's id.
        store: &'static str,
        /// Which change, from 1 on.
        counter: i64,
    },
    /// The synced ledger has a connection for a while.
    Sync {
        /// The store's id.
        store: &'static str,
    },
    /// Another client of its server books, each booking by itself.
    Foreign {
        /// Its bookings.
        bookings: Vec<Booking>,
    },
    /// The projection of all ledgers takes over what they have.
    Project,
    /// A backup into a new file.
    Backup {
        /// The store's id.
        store: &'static str,
        /// The file's name, beside the data dir.
        name: &'static str,
    },
    /// The import of `examples/issues`, as that program runs it.
    Import {
        /// Its lines.
        text: Arc<str>,
    },
    /// Nothing for some seconds: the registry's maintenance runs.
    Idle,
    /// The stores are closed, and the registry.
    Shutdown,
}

impl Step {
    /// The ledger that it is about.
    pub(crate) fn store(&self) -> Option<&'static str> {
        match self {
            Self::Open { store, .. }
            | Self::Commit { store, .. }
            | Self::Group { store, .. }
            | Self::Set { store, .. }
            | Self::Sync { store }
            | Self::Backup { store, .. } => Some(store),
            Self::Foreign { .. } => Some(SYNCED),
            Self::Import { .. } | Self::Project | Self::Idle | Self::Shutdown => None,
        }
    }
}
