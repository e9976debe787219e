//! The requests of a connection: what each of them is, and whether it is within bounds.

use std::{collections::BTreeMap, sync::Arc};

use larder_wire::{Call, Cursor, Exit, Payload, Peer, Refusal, RefusalKind, Request, RequestId, StoreId, Transport};

use super::{Action, Connection, Now};
use crate::auth::{Refused as NotPermitted, Verb};

/// The longest name of a backend that is looked at, in bytes. Each pull and push keeps it until it is answered.
const BACKEND_ID: usize = 1024;

/// Pings of a connection that may wait.
const PINGS: usize = 8;

/// Which pings wait for an answer of the rules. Who may not is not told that a server is there for others.
pub(super) type Pings = BTreeMap<u64, RequestId>;

/// What to tell who asks for something that is not begun.
type Refused = (RefusalKind, String);

impl Connection {
    pub(super) fn request(&mut self, request: Request, now: Now) {
        let Request { id, store_id, payload, call, .. } = request;
        match self.bounded(&store_id, payload, &call) {
            Ok((store, payload)) => self.begin(id, store, payload, call, now),
            Err((kind, said)) => self.refuse(id, &call, kind, said, now),
        }
    }

    /// The store and who asks, if the request may be begun.
    fn bounded(
        &mut self,
        store_id: &str,
        payload: Option<Payload>,
        call: &Call,
    ) -> Result<(StoreId, Option<Arc<Payload>>), Refused> {
        // A TypeScript client's URL says which store; what its messages say is not looked at.
        let store = match &self.opening.store {
            Some(store) if self.opening.peer == Peer::TypeScript => store.clone(),
            _ => StoreId::new(store_id).map_err(|error| (RefusalKind::Invalid, error.to_string()))?,
        };
        if self.stopping {
            return Err((RefusalKind::Unavailable, "the server is stopping; connect again in a moment".to_owned()));
        }
        let too_large = |said: String| Err((RefusalKind::TooLarge, said));
        let most = self.settings.stores_per_connection;
        if !self.stores.contains_key(&store) && self.stores.len() >= most {
            let said = format!("{store} would be one of more than {most} stores of this connection; open another");
            return Err((RefusalKind::Full, said));
        }
        let met = match call {
            Call::Pull { cursor: Some(Cursor { backend_id, .. }), .. } => backend_id.len(),
            Call::Push { backend_id: Some(backend_id), .. } => backend_id.len(),
            _ => 0,
        };
        if met > BACKEND_ID {
            return too_large(format!(
                "the backend's id has {met} bytes, at most {BACKEND_ID} are taken; it is not this server's, ask without it"
            ));
        }
        match payload.map(|payload| self.payloads.keep(payload)).transpose() {
            Ok(payload) => Ok((store, payload.or_else(|| self.opening.payload.clone()))),
            Err(said) => too_large(said),
        }
    }

    fn begin(&mut self, id: RequestId, store: StoreId, payload: Option<Arc<Payload>>, call: Call, now: Now) {
        match call {
            Call::Ping => self.begin_ping(id, store, payload, now),
            Call::Pull { cursor, live } => {
                // Whatever the tag says: an answer over HTTP ends.
                let live = live && self.opening.door == Transport::WebSocket;
                self.begin_pull(id, store, payload, cursor, live, now);
            }
            Call::Push { batch, backend_id } => self.begin_push(id, store, payload, backend_id, batch, now),
        }
    }

    fn begin_ping(&mut self, id: RequestId, store: StoreId, payload: Option<Arc<Payload>>, now: Now) {
        if self.pings.len() >= PINGS {
            let said = "too many pings are waiting; wait for their answers".to_owned();
            return self.refuse_as(id, false, RefusalKind::TooFast, said, now);
        }
        let ticket = self.ticket();
        self.pings.insert(ticket, id);
        self.actions.push(Action::Authorize { ticket, verb: Verb::Connect, store, payload });
    }

    pub(super) fn ping_authorized(&mut self, id: RequestId, refused: Option<NotPermitted>, now: Now) {
        match refused {
            None => self.exit(id, Exit::Pong, now),
            Some(refused) => {
                let Refusal { kind, message, .. } = refused.into();
                self.refuse_as(id, false, kind, message, now);
            }
        }
    }
}
