//! What earlier commands have left unsent, in stores that nobody has opened since.

use std::{collections::HashMap, time::Duration};

use larder::{InitialSync, StoreOptions, StoredStore, SyncError, SyncPhase, prelude::*};

use super::Sharing;
use crate::{
    failure::Failure,
    stores::{IssueStore, WorkspaceStore},
};

/// Stores that are sent at the same time.
const TOGETHER: usize = 32;

impl Sharing {
    /// Sends what is left, for so long at most; which closed stores have how many events that the server does not have then.
    pub(in crate::commands) async fn send_rest(
        &self,
        registry: &StoreRegistry,
        patience: Duration,
    ) -> Result<Unsent, Failure> {
        if self.server.is_none() {
            return Ok(Unsent::new());
        }
        let sending = async {
            send::<WorkspaceStore>(registry).await?;
            send::<IssueStore>(registry).await
        };
        if self.is_there()
            && let Ok(sent) = tokio::time::timeout(patience, sending).await
        {
            sent?;
        }
        let mut unsent = Unsent::new();
        note::<WorkspaceStore>(&mut unsent, left::<WorkspaceStore>(registry).await?);
        note::<IssueStore>(&mut unsent, left::<IssueStore>(registry).await?);
        Ok(unsent)
    }
}

/// How many events of which store the server does not have.
pub(in crate::commands) type Unsent = HashMap<(&'static str, StoreId), u64>;

fn note<D: StoreDefinition>(unsent: &mut Unsent, left: Vec<StoredStore<D::Id>>) {
    unsent.extend(left.into_iter().filter_map(|stored| Some(((D::NAME, stored.id), stored.unsent?))));
}

/// The closed stores of a definition that have something unsent, or may have, because their process was killed.
async fn left<D: StoreDefinition>(registry: &StoreRegistry) -> Result<Vec<StoredStore<D::Id>>, Failure> {
    let mut stored = registry.stored::<D>().await?;
    stored.retain(|stored| stored.unsent != Some(0) && stored.key.as_ref().is_ok_and(|key| !registry.has::<D>(key)));
    Ok(stored)
}

async fn send<D: StoreDefinition>(registry: &StoreRegistry) -> Result<(), Failure> {
    for left in left::<D>(registry).await?.chunks(TOGETHER) {
        let send = |key: &D::Id| {
            let skip = StoreOptions::new().initial_sync(InitialSync::Skip);
            let get = registry.get::<D>(key).existing().options(skip);
            tokio::spawn(async move {
                match get.await {
                    Ok(store) => sent(&store).await,
                    // The other process that has it open sends it.
                    Err(LoadError::Locked { .. }) => {}
                    Err(error) => eprintln!("issues: {error}"),
                }
            })
        };
        let sends: Vec<_> = left.iter().filter_map(|stored| stored.key.as_ref().ok()).map(send).collect();
        for send in sends {
            send.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        }
    }
    Ok(())
}

/// Waits until the server has all of a store, or has said that it takes nothing.
async fn sent<D: StoreDefinition>(store: &StoreHandle<D>) {
    let mut changes = store.watch_sync();
    loop {
        let status = store.sync_status();
        let is_refused = matches!(status.last_error, Some(SyncError::Unauthorized { .. }));
        if status.pending == 0 || is_refused || status.phase == SyncPhase::Stopped || changes.next().await.is_none() {
            return;
        }
    }
}
