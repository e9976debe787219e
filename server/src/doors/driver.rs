//! What both doors do with a connection's actions.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::http::HeaderMap;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use larder_wire::{RefusalKind, StoreId};
use tokio::time::Instant;

use super::Shared;
use crate::{
    auth::{self, Access},
    connection::{Action, Connection, Done, Now},
    hub::Mailbox,
    metrics::Count,
    storage::BoxFuture,
};

/// Carries out actions and collects what became of them.
pub(super) struct Driver {
    shared: Arc<Shared>,
    headers: Arc<HeaderMap>,
    opened: Instant,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    following: Following,
    /// The last refusal that was counted.
    pub(super) refused: Option<RefusalKind>,
}

/// What a connection follows, until it ends, however it ends.
struct Following {
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    stores: BTreeSet<StoreId>,
    live_pulls: i64,
}

impl Drop for Following {
    fn drop(&mut self) {
        for store in &self.stores {
            self.shared.hub.unfollow(store, &self.mailbox);
        }
        self.shared.hub.metrics.count(Count::LivePulls { change: -self.live_pulls });
    }
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, headers: HeaderMap, opened: Instant) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let following = Following { shared: shared.clone(), mailbox, stores: BTreeSet::new(), live_pulls: 0 };
        Self { shared, headers: Arc::new(headers), opened, work: FuturesUnordered::new(), following, refused: None }
    }

    pub(super) fn now(&self) -> Now {
        Now { at: self.opened.elapsed(), revision: self.shared.authorize.revision() }
    }

    pub(super) fn mailbox(&self) -> Arc<Mailbox> {
        self.following.mailbox.clone()
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.work.is_empty()
    }

    /// What became of the next action that ends; waits for ever where there is none.
    pub(super) async fn next(&mut self) -> Done {
        match self.work.next().await {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }

    /// Begins everything that a connection wants done.
    pub(super) fn carry_out(&mut self, connection: &mut Connection) {
        for action in connection.take_actions() {
            self.begin(action);
        }
    }

    fn begin(&mut self, action: Action) {
        let (hub, shared) = (self.shared.hub.clone(), self.shared.clone());
        match action {
            Action::Authorize { ticket, verb, store, payload } => {
                let headers = self.headers.clone();
                self.work.push(Box::pin(async move {
                    let revision = shared.authorize.revision();
                    let access = Access { verb, store: Some(&store), payload: payload.as_deref(), headers: &headers };
                    let answer = auth::ask(&*shared.authorize, access).await;
                    Done::Authorized { ticket, revision, answer }
                }));
            }
            Action::Push { ticket, store, backend_id, batch } => {
                let push = hub.push(store, backend_id, batch);
                self.work.push(Box::pin(async move { Done::Pushed { ticket, outcome: push.await } }));
            }
            Action::Pull { ticket, store, backend_id, after } => {
                let pull = hub.pull(store, backend_id, after, self.shared.settings.page());
                self.work.push(Box::pin(async move { Done::Pulled { ticket, outcome: pull.await } }));
            }
            Action::Follow(store) => {
                hub.follow(&store, &self.following.mailbox);
                self.following.stores.insert(store);
            }
            Action::Unfollow(store) => {
                hub.unfollow(&store, &self.following.mailbox);
                self.following.stores.remove(&store);
            }
            Action::Count(count) => {
                match count {
                    Count::Refused(kind) => self.refused = Some(kind),
                    Count::LivePulls { change } => self.following.live_pulls += change,
                    _ => {}
                }
                hub.metrics.count(count);
            }
        }
    }
}

/// How often a connection looks at the time.
pub(super) fn beat(shared: &Shared) -> Duration {
    let shortest = shared.settings.unauthenticated.min(shared.settings.slow_reader);
    (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1))
}
