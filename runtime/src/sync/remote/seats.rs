//! Which connection each store is on: a server takes so many stores of one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most connections to one server.
pub(super) const CONNECTIONS: usize = 8;

/// All connections to a server have as many stores as it takes. It is inside [`BackendError::Other`](crate::BackendError::Other).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{store}` has no place beside the {stores} stores on {connections} connections to {address}; keep fewer stores loaded at once, or raise \
     `stores_per_connection` of the server and of the backend"
)]
#[non_exhaustive]
pub struct TooManyStores {
    /// The store, as it is called on the wire.
    pub store: String,
    /// How many stores have a place.
    pub stores: usize,
    /// On how many connections.
    pub connections: usize,
    /// Where the server is.
    pub address: String,
}

/// The places of a server's connections.
pub(super) struct Seats(Arc<Mutex<Rows>>);

/// One store's place for one request. The store has it as long as it has a request; it goes when the server knows that, too.
pub(super) struct Seat {
    rows: Arc<Mutex<Rows>>,
    /// Which connection.
    pub(super) row: usize,
    store: String,
}

impl Seats {
    /// So many stores a connection, as long as the server does not say that it takes fewer.
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Rows { limit, most: limit, rows: Default::default() })))
    }

    /// A place for a request of a store, on a connection from this one on: beside the store's other requests, or else on the first connection
    /// with room. Without one, how many stores have a place.
    pub(super) fn take(&self, store: &str, from: usize) -> Result<Seat, usize> {
        let mut rows = lock(&self.0);
        match rows.take(store, from) {
            Some(row) => Ok(Seat { rows: Arc::clone(&self.0), row, store: store.to_owned() }),
            None => Err(rows.rows.iter().map(BTreeMap::len).sum()),
        }
    }

    /// The server has said that it takes so many.
    pub(super) fn lower(&self, most: usize) {
        lock(&self.0).lower(most);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.rows).leave(self.row, &self.store);
    }
}

fn lock(rows: &Mutex<Rows>) -> MutexGuard<'_, Rows> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What there is to know: pure.
#[derive(Debug)]
struct Rows {
    limit: usize,
    most: usize,
    /// The requests of each store of each connection.
    rows: [BTreeMap<String, usize>; CONNECTIONS],
}

impl Rows {
    fn take(&mut self, store: &str, from: usize) -> Option<usize> {
        let most = self.most;
        let beside = (from..CONNECTIONS).find(|row| self.rows[*row].contains_key(store));
        let row = beside.or_else(|| (from..CONNECTIONS).find(|row| self.rows[*row].len() < most))?;
        *self.rows[row].entry(store.to_owned()).or_default() += 1;
        Some(row)
    }

    fn leave(&mut self, row: usize, store: &str) {
        let stores = &mut self.rows[row];
        if let Some(requests) = stores.get_mut(store) {
            *requests -= 1;
            if *requests == 0 {
                stores.remove(store);
            }
        }
        // Another server may stand there when somebody asks again.
        if self.rows.iter().all(BTreeMap::is_empty) {
            self.most = self.limit;
        }
    }

    fn lower(&mut self, most: usize) {
        // With none the limit would never be looked at again.
        self.most = self.most.min(most.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::{CONNECTIONS, Rows, Seats};

    fn rows(limit: usize) -> Rows {
        Rows { limit, most: limit, rows: Default::default() }
    }

    #[test]
    fn a_store_is_on_the_first_connection_with_room_and_all_its_requests_are_on_that_one() {
        let mut rows = rows(2);
        let placed: Vec<_> = ["a", "b", "c", "a", "c", "d", "e"].iter().map(|store| rows.take(store, 0)).collect();
        assert_eq!(placed, [0, 0, 1, 0, 1, 1, 2].map(Some));
        rows.leave(0, "a");
        assert_eq!(rows.take("f", 0), Some(2), "a request of a is left");
        rows.leave(0, "a");
        assert_eq!(rows.take("g", 0), Some(0));
    }

    #[test]
    fn beyond_the_last_connection_there_is_no_room() {
        let mut rows = rows(1);
        assert!((0..CONNECTIONS).all(|store| rows.take(&store.to_string(), 0) == Some(store)));
        assert_eq!((rows.take("x", 0), rows.take("3", 0), rows.take("3", 4)), (None, Some(3), None));
        let seats = Seats::new(1);
        let taken: Vec<_> = (0..CONNECTIONS).filter_map(|store| seats.take(&store.to_string(), 0).ok()).collect();
        assert_eq!(seats.take("x", 0).err(), Some(CONNECTIONS));
        drop(taken);
        assert!(seats.take("x", 0).is_ok());
    }

    #[test]
    fn a_server_that_takes_no_store_at_all_is_asked_again() {
        let mut rows = rows(9);
        assert_eq!(rows.take("a", 0), Some(0));
        rows.leave(0, "a");
        // It says so when nobody has a place any more.
        rows.lower(0);
        assert_eq!(rows.take("a", 0), Some(0));
        rows.leave(0, "a");
        assert!(["a", "b", "c"].iter().all(|store| rows.take(store, 0) == Some(0)), "another server may stand there");
    }

    #[test]
    fn what_a_server_takes_is_remembered_as_long_as_any_store_has_a_place() {
        let mut rows = rows(9);
        let stores = ["a", "b", "c", "d"];
        assert!(stores.iter().all(|store| rows.take(store, 0) == Some(0)));
        rows.lower(2);
        for store in ["c", "d"] {
            rows.leave(0, store);
            assert_eq!(rows.take(store, 1), Some(1));
        }
        rows.lower(5);
        assert_eq!(rows.take("e", 0), Some(2), "who says more later was another one");
        [(0, "a"), (0, "b"), (1, "c"), (1, "d"), (2, "e")].into_iter().for_each(|(row, store)| rows.leave(row, store));
        assert!(stores.iter().all(|store| rows.take(store, 0) == Some(0)));
    }
}
