//! Who has shown events that a rebase may undo: streams with pending events.

use std::sync::{Arc, PoisonError, Weak, atomic::Ordering};

use crate::{
    event::EventNumber,
    primitives::{Mutex, atomic::AtomicI64},
    storage::eventlog::{number_at, place_of},
};

/// Nothing was undone.
const NONE: i64 = i64::MAX;

/// The streams of a store that show pending events.
#[derive(Debug, Default)]
pub(crate) struct Undos {
    streams: Mutex<Vec<Weak<AtomicI64>>>,
}

/// From where on a stream's events were undone since it last asked, however many rebases that were.
#[derive(Debug)]
pub(super) struct Undo(Arc<AtomicI64>);

impl Undos {
    pub(super) fn listen(&self) -> Undo {
        let first = Arc::new(AtomicI64::new(NONE));
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&first));
        Undo(first)
    }

    /// Everything from `first` on was undone. To be called before anybody sees the head of after that.
    pub(super) fn undone(&self, first: EventNumber) {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.iter().filter_map(Weak::upgrade).for_each(|stream| {
            stream.fetch_min(place_of(first), Ordering::SeqCst);
        });
    }
}

impl Undo {
    /// The first event that was undone since the last call, if one was.
    pub(super) fn take(&self) -> Option<EventNumber> {
        number_at(Some(self.0.swap(NONE, Ordering::SeqCst)).filter(|place| *place != NONE)?, 0)
    }
}
