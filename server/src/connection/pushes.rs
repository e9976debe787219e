//! The pushes of a connection: one at a time a store, in the order in which they came.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use larder_wire::{
    BatchError, Event, Exit, Failure, Payload, Peer, Refusal, RefusalKind, RequestId, StoreId, check_batch,
};

use super::{Action, Connection, MOST_ASKED, Now, UNSETTLED, pulls::Held};
use crate::{
    auth::{Refused, Verb},
    hub::Pushed,
    metrics::Count,
    storage::encoded::encoded_size,
};

/// Pushes of a connection that may wait.
const WAITING: usize = 64;

#[derive(Default)]
pub(super) struct Pushes {
    waiting: BTreeMap<StoreId, VecDeque<Push>>,
    busy: BTreeMap<u64, Push>,
    /// The stores of those that are busy.
    stores: BTreeMap<StoreId, u64>,
    count: usize,
    bytes: usize,
}

struct Push {
    id: RequestId,
    store: StoreId,
    payload: Option<Arc<Payload>>,
    backend_id: Option<String>,
    /// What the client has met, for the answer.
    met: String,
    parent: u64,
    batch: Vec<Event>,
    bytes: usize,
    /// How often the rules were asked.
    asked: u8,
}

impl Pushes {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a ticket is one of a push.
    pub(super) fn has(&self, ticket: u64) -> bool {
        self.busy.contains_key(&ticket)
    }
}

impl Connection {
    pub(super) fn begin_push(
        &mut self,
        id: RequestId,
        store: StoreId,
        payload: Option<Arc<Payload>>,
        backend_id: Option<String>,
        mut batch: Vec<Event>,
        now: Now,
    ) {
        if let Err(error) = check_batch(&batch, &self.settings.wire) {
            let kind = match error {
                BatchError::Gap { .. } => RefusalKind::Invalid,
                _ => RefusalKind::TooLarge,
            };
            return self.refuse_as(id, false, kind, error.to_string(), now);
        }
        let most = self.settings.page_bytes();
        let mut sizes = batch.iter().map(|event| (event.seq_num, encoded_size(event)));
        if let Some((number, bytes)) = sizes.find(|(_, bytes)| *bytes > most) {
            let said = format!(
                "e{number} has {bytes} bytes as JSON, and a message to its readers at most {most}; make its arguments smaller"
            );
            return self.refuse_as(id, false, RefusalKind::TooLarge, said, now);
        }
        if !self.rates.pushes.take(1, now.at) {
            let said = format!("more than {} pushes in a second; push more at once", self.settings.pushes_per_second);
            return self.refuse_as(id, false, RefusalKind::TooFast, said, now);
        }
        let bytes: usize = batch.iter().map(Event::size).sum();
        let most_bytes = self.settings.wire.batch_bytes.saturating_mul(4);
        if self.pushes.count >= WAITING || self.pushes.bytes + bytes > most_bytes {
            let said = "too many pushes are waiting; wait for their answers".to_owned();
            return self.refuse_as(id, false, RefusalKind::TooFast, said, now);
        }
        if self.opening.peer == Peer::TypeScript {
            batch.iter_mut().for_each(|event| event.id = None);
        }
        self.enter(&store);
        self.pushes.count += 1;
        self.pushes.bytes += bytes;
        let met = backend_id.clone().unwrap_or_default();
        let parent = batch.first().map_or(0, |first| first.parent_seq_num);
        let push = Push { id, store: store.clone(), payload, backend_id, met, parent, batch, bytes, asked: 1 };
        self.pushes.waiting.entry(store.clone()).or_default().push_back(push);
        self.next_push(&store);
    }

    fn next_push(&mut self, store: &StoreId) {
        if self.pushes.stores.contains_key(store) {
            return;
        }
        let Some(waiting) = self.pushes.waiting.get_mut(store) else { return };
        let Some(push) = waiting.pop_front() else {
            self.pushes.waiting.remove(store);
            return;
        };
        let ticket = self.ticket();
        let (store, payload) = (push.store.clone(), push.payload.clone());
        self.pushes.stores.insert(store.clone(), ticket);
        self.pushes.busy.insert(ticket, push);
        self.actions.push(Action::Authorize { ticket, verb: Verb::Push, store, payload });
    }

    pub(super) fn push_authorized(&mut self, ticket: u64, answer: Result<Held, Refused>, now: Now) {
        match answer {
            Ok(held) => {
                let Some(push) = self.pushes.busy.get_mut(&ticket) else { return };
                if !held.is_unrevoked(now) && push.asked >= MOST_ASKED {
                    let Some(push) = self.end_push(ticket) else { return };
                    return self.refuse_as(push.id, false, RefusalKind::Unavailable, UNSETTLED.to_owned(), now);
                }
                if !held.is_unrevoked(now) {
                    push.asked += 1;
                    // The rules have changed while they were asked.
                    let (store, payload) = (push.store.clone(), push.payload.clone());
                    return self.actions.push(Action::Authorize { ticket, verb: Verb::Push, store, payload });
                }
                let (store, batch) = (push.store.clone(), std::mem::take(&mut push.batch));
                self.actions.push(Action::Push { ticket, store, backend_id: push.backend_id.take(), batch });
            }
            Err(refused) => {
                let Some(push) = self.end_push(ticket) else { return };
                let Refusal { kind, message, .. } = refused.into();
                self.refuse_as(push.id, false, kind, message, now);
            }
        }
    }

    pub(super) fn push_done(&mut self, ticket: u64, outcome: Pushed, now: Now) {
        let Some(push) = self.end_push(ticket) else { return };
        match outcome {
            Pushed::Done => self.exit(push.id, Exit::Pushed, now),
            Pushed::Ahead { head } => {
                self.count(Count::Ahead);
                let failure = Failure::ServerAhead { minimum_expected: head, provided: push.parent };
                self.exit(push.id, Exit::failure(failure), now);
            }
            Pushed::OtherBackend { expected } => {
                let failure = Failure::BackendIdMismatch { expected: expected.to_string(), received: push.met };
                self.exit(push.id, Exit::failure(failure), now);
            }
            Pushed::Failed(error) => {
                self.count(Count::StorageError);
                self.refuse_as(push.id, false, RefusalKind::Unavailable, error.told().to_owned(), now);
            }
        }
    }

    fn end_push(&mut self, ticket: u64) -> Option<Push> {
        let push = self.pushes.busy.remove(&ticket)?;
        self.pushes.stores.remove(&push.store);
        self.pushes.count -= 1;
        self.pushes.bytes -= push.bytes;
        self.leave(&push.store);
        self.next_push(&push.store);
        Some(push)
    }
}
