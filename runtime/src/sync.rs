//! Where a store's events go: the seam that sync backends implement.

pub(crate) mod state;

use crate::{definition::BoxFuture, error::BoxError, event::StoredEvent, options::Payload};

/// A sync backend, as far as the registry needs it: who it is, whether it can be reached, and where unsent events go.
pub trait SyncBackend: Send + Sync + 'static {
    /// Names the backend, reachable or not: its address. One backend and sync id belong to one definition in a data dir.
    fn identity(&self) -> &str;

    /// Whether it can be reached now.
    fn connected(&self) -> bool;

    /// Resolves when [`connected`](Self::connected) answers something else than at the call.
    fn connection_changed(&self) -> BoxFuture<'static, ()>;

    /// Sends events of one store, oldest first; all or none. Events that the backend has already may come again, when a process or a
    /// store ended before it could note that they were sent: they are known by their ids, and are no error.
    ///
    /// # Errors
    /// Whatever keeps the backend from having them. They stay unsent and are sent again.
    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<(), BoxError>>;
}

/// Events of one store that its backend does not have yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PushRequest<'a> {
    /// The store's id on the wire.
    pub sync_id: &'a str,
    /// The number in the agreed order that the events follow.
    pub expected_head: u64,
    /// The events, oldest first.
    pub events: &'a [StoredEvent],
    /// What the backend is told of who asks, as it stands now.
    pub payload: &'a Payload,
}
