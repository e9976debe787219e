//! The pages of a pull between the connection that brings them and the store that takes them.
//!
//! The connection waits for no store: if one takes too little, its pull is given up, what has come stays, and what comes behind it is asked for
//! when that is taken.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use larder_wire::Limits;
use tokio::sync::Notify;

use super::super::asking::ended;
use crate::sync::{BackendError, PullPage};

/// Pages of a pull that wait to be taken, at most, and bytes of them. larder's server sends 8 before it hears that some were taken, of at
/// most 910 kB each.
const PAGES: usize = 64;
const BYTES: usize = 8 * Limits::BATCH_BYTES;

/// Bytes that wait on one connection, at most, whatever pulls they are of; and one page of each pull beside.
const ALL_BYTES: usize = 4 * BYTES;

/// What comes next of a pull.
#[derive(Debug)]
pub(in super::super) enum Next {
    Page(PullPage),
    /// It was given up, as too much waited; what comes behind the last page is to be asked for.
    GivenUp,
    /// It has ended; without an error because it was not live.
    Ended(Option<BackendError>),
}

/// What waits: pure.
#[derive(Debug, Default)]
struct Queue {
    pages: VecDeque<PullPage>,
    bytes: usize,
    /// Pages that were taken, which the server has not been told of.
    taken: usize,
    /// What comes behind the last page.
    end: Option<Next>,
    /// Nobody takes any more.
    gone: bool,
}

impl Queue {
    /// Whether there was room, with so many bytes that wait on the connection.
    fn put(&mut self, page: PullPage, all: &AtomicUsize) -> bool {
        let (bytes, waiting) = (bytes_of(&page), all.load(Ordering::Relaxed));
        let fits = self.pages.len() < PAGES
            && self.bytes.saturating_add(bytes) <= BYTES
            && waiting.saturating_add(bytes) <= ALL_BYTES;
        // However large a page is, it is the only one then.
        let fits = !self.gone && (fits || self.pages.is_empty());
        if fits {
            self.bytes += bytes;
            all.fetch_add(bytes, Ordering::Relaxed);
            self.pages.push_back(page);
        }
        fits
    }

    fn take(&mut self, all: &AtomicUsize) -> Option<Next> {
        let Some(page) = self.pages.pop_front() else { return self.end.take() };
        let bytes = bytes_of(&page);
        self.bytes -= bytes;
        all.fetch_sub(bytes, Ordering::Relaxed);
        Some(Next::Page(page))
    }

    /// Nobody takes any more.
    fn leave(&mut self, all: &AtomicUsize) {
        self.gone = true;
        all.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
        self.pages.clear();
    }
}

fn bytes_of(page: &PullPage) -> usize {
    let texts = page.events.iter().map(|event| event.name.len() + event.args.as_ref().map_or(0, String::len));
    texts.sum::<usize>() + size_of_val(page.events.as_slice())
}

/// Pulls of a connection of which a page was taken, or that nobody wants any more: each is there once.
#[derive(Debug, Default)]
pub(in super::super) struct Told {
    ids: Mutex<BTreeSet<u64>>,
    news: Notify,
    /// Bytes of pages that wait to be taken.
    bytes: AtomicUsize,
}

impl Told {
    fn tell(&self, id: u64) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        self.news.notify_one();
    }

    /// Waits until there are some.
    pub(super) async fn next(&self) -> BTreeSet<u64> {
        loop {
            let ids = std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner));
            if !ids.is_empty() {
                return ids;
            }
            self.news.notified().await;
        }
    }
}

struct Shared {
    queue: Mutex<Queue>,
    news: Notify,
    /// Of the connection.
    told: Arc<Told>,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection's side. Dropped, it says that the connection has ended.
pub(in super::super) struct Filled(Arc<Shared>);

/// The store's side. Dropped, it gives the pull up.
pub(in super::super) struct Pages {
    id: u64,
    shared: Arc<Shared>,
    begun: bool,
}

/// Both sides of a pull.
pub(in super::super) fn pages(id: u64, told: Arc<Told>) -> (Filled, Pages) {
    let shared = Arc::new(Shared { queue: Mutex::default(), news: Notify::new(), told });
    (Filled(Arc::clone(&shared)), Pages { id, shared, begun: false })
}

impl Filled {
    /// Whether there was room.
    pub(super) fn put(&self, page: PullPage) -> bool {
        let fits = self.0.queue().put(page, &self.0.told.bytes);
        self.0.news.notify_one();
        fits
    }

    /// Nothing comes any more.
    pub(super) fn end(self, end: Next) {
        self.0.queue().end.get_or_insert(end);
    }

    /// How many pages were taken since this was asked.
    pub(super) fn taken(&self) -> usize {
        std::mem::take(&mut self.0.queue().taken)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.0.queue().gone
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.0.queue().end.get_or_insert_with(|| Next::Ended(Some(ended())));
        self.0.news.notify_one();
    }
}

impl Pages {
    /// What comes next. Whoever asks is done with the page before.
    pub(in super::super) async fn next(&mut self) -> Next {
        if std::mem::take(&mut self.begun) {
            self.shared.queue().taken += 1;
            self.shared.told.tell(self.id);
        }
        loop {
            if let Some(next) = self.shared.queue().take(&self.shared.told.bytes) {
                self.begun = matches!(next, Next::Page(_));
                return next;
            }
            self.shared.news.notified().await;
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.shared.queue().leave(&self.shared.told.bytes);
        self.shared.told.tell(self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::{
        event::{EventNumber, StoredEvent},
        sync::Remaining,
    };

    fn page(number: u64, bytes: usize) -> PullPage {
        let event = StoredEvent {
            number: EventNumber::synced(number),
            name: "n".to_owned(),
            args: Some("x".repeat(bytes)),
            client_id: "c".into(),
            session_id: "s".into(),
            id: None,
        };
        PullPage::new(vec![event], Remaining::Some, "log")
    }

    fn next(pages: &mut Pages) -> Option<u64> {
        match pages.next().now_or_never()? {
            Next::Page(page) => Some(page.events[0].number.global()),
            end => panic!("{end:?}"),
        }
    }

    #[test]
    fn so_many_pages_wait_and_so_many_bytes_and_a_page_that_is_larger_waits_alone() {
        let none = AtomicUsize::new(0);
        let mut queue = Queue::default();
        assert_eq!((0..100).filter(|number| queue.put(page(*number, 10), &none)).count(), PAGES);
        queue.leave(&none);
        assert!(!queue.put(page(0, 1), &none), "nobody takes it any more");
        assert_eq!(none.load(Ordering::Relaxed), 0);
        let mut queue = Queue::default();
        let put = (0..100).filter(|number| queue.put(page(*number, 900_000), &none)).count();
        assert_eq!(put, 9, "those that larder's server sends at once, and a little more");
        assert!(queue.take(&none).is_some() && queue.put(page(9, 900_000), &none), "who takes one makes room for one");
        queue.leave(&none);
        let mut queue = Queue::default();
        assert!(queue.put(page(0, 2 * BYTES), &none) && !queue.put(page(1, 1), &none));
        assert!(queue.take(&none).is_some() && queue.put(page(1, 1), &none));
        assert!(queue.take(&none).is_some() && queue.bytes == 0 && none.load(Ordering::Relaxed) == 0);
    }

    #[test]
    fn many_pulls_that_nobody_takes_from_hold_one_page_each_beside_what_a_connection_may_hold() {
        let told = Arc::new(Told::default());
        let many: Vec<_> = (0..256).map(|id| pages(id, Arc::clone(&told))).collect();
        let held = |pulls: &[(Filled, Pages)]| pulls.iter().map(|(filled, _)| filled.0.queue().bytes).sum::<usize>();
        for (filled, _) in &many {
            while filled.put(page(1, 900_000)) {}
        }
        assert_eq!(held(&many), told.bytes.load(Ordering::Relaxed));
        assert!(held(&many) < ALL_BYTES + 256 * 901_000, "{}", held(&many));
        assert!(many.iter().all(|(filled, _)| filled.0.queue().bytes >= 900_000), "and each goes on");
        let (filled, mut slow) = many.into_iter().next_back().expect("the last one");
        // The others are gone, and what waited for them counts for nothing.
        assert!(filled.put(page(2, 900_000)) && next(&mut slow) == Some(1));
    }

    #[test]
    fn what_has_come_is_taken_before_the_end() {
        let (filled, mut pages) = pages(7, Arc::default());
        assert!((1..=PAGES as u64).all(|number| filled.put(page(number, 1))) && !filled.put(page(0, 1)));
        filled.end(Next::GivenUp);
        assert!((1..=PAGES as u64).all(|number| next(&mut pages) == Some(number)));
        assert!(matches!(pages.next().now_or_never(), Some(Next::GivenUp)));
        let (filled, mut pages) = super::pages(8, Arc::default());
        filled.put(page(1, 1));
        drop(filled);
        assert_eq!(next(&mut pages), Some(1));
        assert!(matches!(pages.next().now_or_never(), Some(Next::Ended(Some(BackendError::Offline { .. })))));
    }

    #[test]
    fn the_connection_hears_of_every_page_that_was_taken_and_of_who_is_gone() {
        let told = Arc::new(Told::default());
        let (filled, mut pages) = pages(7, Arc::clone(&told));
        (1..=3).for_each(|number| assert!(filled.put(page(number, 1))));
        assert_eq!((next(&mut pages), filled.taken()), (Some(1), 0), "it is not done with that");
        assert_eq!((next(&mut pages), next(&mut pages)), (Some(2), Some(3)));
        assert_eq!((filled.taken(), filled.taken()), (2, 0));
        assert_eq!(told.next().now_or_never(), Some(BTreeSet::from([7])));
        assert_eq!(told.next().now_or_never(), None);
        assert!(next(&mut pages).is_none() && !filled.is_gone());
        drop(pages);
        assert!(filled.is_gone());
        assert_eq!(told.next().now_or_never(), Some(BTreeSet::from([7])));
    }
}
