//! What a live query has not looked at yet, and who waits for it.

use std::{
    sync::{Arc, PoisonError},
    task::Waker,
};

use hashbrown::HashMap;

use crate::{
    change::ChangeRecord,
    primitives::{Mutex, MutexGuard},
};

/// Changed rows kept for a query that nobody polls; with more it runs again.
const KEPT_ROWS: usize = 1_000;

/// What happened since a query was last run.
#[derive(Debug, Default)]
pub(super) enum News {
    /// Nothing that can change its result.
    #[default]
    None,
    /// These commits.
    Commits { records: Vec<Arc<ChangeRecord>>, rows: usize },
    /// It is to run again.
    Unknown,
}

/// What commits know of one live query. Nothing of the app's stands in it, so that it may be used under locks.
#[derive(Debug)]
pub(super) struct Inbox {
    /// The query's rows are kept, so that the records are worth keeping, too.
    keeps: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    news: News,
    wakers: HashMap<u64, Waker>,
}

impl Inbox {
    pub(super) fn new(keeps: bool) -> Self {
        Self { keeps, state: Mutex::default() }
    }

    /// A commit changed rows that the query reads; who waits is to be woken without any lock.
    pub(super) fn add(&self, record: &Arc<ChangeRecord>, woken: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.news = match std::mem::take(&mut state.news) {
            News::None if self.keeps => News::with(Vec::new(), 0, record),
            News::Commits { records, rows } => News::with(records, rows, record),
            News::None | News::Unknown => News::Unknown,
        };
        woken.extend(state.wakers.drain().map(|(_, waker)| waker));
    }

    /// What happened is not known.
    pub(super) fn forget(&self, woken: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.news = News::Unknown;
        woken.extend(state.wakers.drain().map(|(_, waker)| waker));
    }

    /// Nothing happened, and yet who waits is to look again.
    pub(super) fn wake(&self) {
        let wakers: Vec<Waker> = self.lock().wakers.drain().map(|(_, waker)| waker).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The query runs again the next time that somebody asks.
    pub(super) fn retry(&self) {
        self.lock().news = News::Unknown;
    }

    pub(super) fn take(&self) -> News {
        std::mem::take(&mut self.lock().news)
    }

    /// Wakes `waker` at the next news. Look for news after this call, not before, or some are missed.
    pub(super) fn watch(&self, who: u64, waker: &Waker) {
        let before = self.lock().wakers.insert(who, waker.clone());
        // A waker is the executor's code.
        drop(before);
    }

    pub(super) fn leave(&self, who: u64) {
        let before = self.lock().wakers.remove(&who);
        drop(before);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    fn with(mut records: Vec<Arc<ChangeRecord>>, mut rows: usize, record: &Arc<ChangeRecord>) -> Self {
        if !records.last().is_some_and(|last| Arc::ptr_eq(last, record)) {
            rows += record.rows.len();
            records.push(Arc::clone(record));
        }
        // All rows of a record are held, whichever the query reads.
        if rows > KEPT_ROWS { Self::Unknown } else { Self::Commits { records, rows } }
    }
}
