//! Somebody who watches a client's process from its beginning: what live queries, a stream of the log and receipts must say.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
};

use futures_util::{FutureExt, StreamExt};
use larder::{EventId, EventNumber, LogChange, Receipt, StoredEvent, SyncError};

use super::app::{App, Changes, Lively};

pub(super) struct Witness {
    live: Vec<(Lively, String)>,
    changes: Changes,
    /// The log, as the changes have told it.
    log: Vec<StoredEvent>,
    /// Where pending events stood last.
    pending: BTreeMap<EventId, EventNumber>,
    promises: Vec<Promise>,
    /// An event was taken back and shown again as it was.
    undone_in_vain: bool,
    /// A pending event had another number as if it had not been moved.
    uncounted: Option<(EventNumber, EventNumber)>,
}

/// A receipt that has not been confirmed yet.
struct Promise {
    ids: Vec<EventId>,
    confirmed: Pin<Box<dyn Future<Output = Result<(), SyncError>>>>,
}

impl Witness {
    pub(super) fn of(store: &dyn App) -> Self {
        let live = store.live().into_iter().map(|live| (live, String::new())).collect();
        let (log, pending, promises, undone_in_vain, uncounted) = Default::default();
        let mut witness = Self { live, changes: store.changes(), log, pending, promises, undone_in_vain, uncounted };
        witness.follow(store);
        witness
    }

    /// A commit has returned, and nothing has happened since.
    pub(super) fn committed(&mut self, store: &dyn App, receipt: Receipt) {
        self.follow(store);
        let of_commit = |event: &&StoredEvent| receipt.numbers().contains(&event.number);
        let synced = self.log.iter().filter(of_commit).filter(|event| !event.number.is_client_only());
        let ids = synced.map(|event| event.id.unwrap()).collect();
        self.promises.push(Promise { ids, confirmed: Box::pin(async move { receipt.confirmed().await }) });
    }

    /// All is as it must be at this moment; `agreed` are the events that the server ever had. A log `begins_anew` where the server's may have
    /// become another one.
    pub(super) fn look(&mut self, store: &dyn App, agreed: &BTreeSet<EventId>, begins_anew: bool) {
        for ((live, shown), fresh) in self.live.iter_mut().zip(store.fresh()) {
            while let Some(next) = live.next().now_or_never() {
                *shown = next.unwrap();
            }
            assert_eq!(*shown, fresh, "a live query");
        }
        self.follow(store);
        let mut changes = store.changes();
        let fresh = std::iter::from_fn(|| changes.next().now_or_never().flatten());
        let log: Vec<_> = self.log.iter().cloned().map(LogChange::Event).collect();
        assert_eq!(log, fresh.collect::<Vec<_>>(), "a stream of the log");
        if !begins_anew {
            assert!(!self.undone_in_vain, "an event was undone that stays");
            assert_eq!(self.uncounted, None, "an event was moved, and its generation says nothing of it");
        }
        let gone: BTreeSet<_> = store.quarantined().iter().filter_map(|event| event.id).collect();
        self.promises.retain_mut(|promise| match promise.confirmed.as_mut().now_or_never() {
            None => true,
            Some(Ok(())) => {
                assert!(
                    promise.ids.iter().all(|id| agreed.contains(id)),
                    "a receipt is confirmed, and the event is not"
                );
                false
            }
            Some(Err(SyncError::Quarantined { .. })) => {
                let is_known = |id| gone.contains(id) || agreed.contains(id);
                assert!(promise.ids.iter().any(is_known), "a receipt says that an event is quarantined that is not");
                false
            }
            Some(Err(error)) => panic!("a receipt: {error}"),
        });
    }

    /// Whether all receipts are answered.
    pub(super) fn is_answered(&self) -> bool {
        self.promises.is_empty()
    }

    /// Hears what became of the log.
    fn follow(&mut self, store: &dyn App) {
        let mut undone = None;
        while let Some(change) = self.changes.next().now_or_never() {
            match change.unwrap() {
                LogChange::Undone(first) => {
                    let left = self.log.iter().take_while(|event| event.number < first).count();
                    undone = self.log.drain(left..).next();
                }
                LogChange::Event(event) => {
                    self.undone_in_vain |= undone.take().is_some_and(|undone: StoredEvent| undone == event);
                    self.log.push(event);
                }
                _ => panic!("something new"),
            }
        }
        let confirmed = store.status().confirmed.global();
        for event in self.log.iter().filter(|event| event.number.global() > confirmed) {
            let (Some(id), number) = (event.id, event.number) else { continue };
            let before = self.pending.insert(id, number).unwrap_or(number);
            let is_moved = before.without_generation() != number.without_generation();
            if is_moved && number.generation() <= before.generation() {
                self.uncounted = Some((before, number));
            }
        }
    }
}
