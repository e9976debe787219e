//! The live queries of one store, and which of them a commit can affect.

use std::{
    any::{Any, TypeId},
    sync::{Arc, PoisonError, Weak, atomic::Ordering},
    task::Waker,
};

use hashbrown::HashMap;

use super::{affected::Footprint, news::Inbox};
use crate::{
    change::{ChangeRecord, RowChange},
    primitives::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize},
    },
    query::{RowsRead, TableRead, push_value},
    seeded,
    table::TableSchema,
    value::Value,
};

/// What makes a live query the same as another one: its Rust type, its text and its parameters.
pub(super) type Identity = (TypeId, Vec<u8>);

/// The live queries of one store.
#[derive(Debug, Default)]
pub(crate) struct LiveQueries {
    count: AtomicUsize,
    runs: AtomicU64,
    /// None until there is one: most stores have none.
    index: Mutex<Option<Box<Index>>>,
    /// Woken by commits, once these hold no lock.
    woken: Mutex<Vec<Waker>>,
}

#[derive(Debug, Default)]
struct Index {
    next: u64,
    tables: HashMap<&'static str, TableQueries>,
    inboxes: HashMap<u64, Arc<Inbox>>,
    shared: HashMap<Identity, Weak<dyn Any + Send + Sync>>,
}

/// The live queries that read one table.
#[derive(Debug, Default)]
struct TableQueries {
    /// By primary key: looked up, however many there are.
    keys: HashMap<Vec<u8>, Vec<(u64, Arc<Inbox>)>>,
    /// All others: looked through.
    others: Vec<(u64, Footprint, Arc<Inbox>)>,
}

/// How many live queries a store has, and what they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveStats {
    /// Distinct live queries: equal ones are one.
    pub queries: usize,
    /// How often one of them was run by SQLite since the store was loaded.
    pub runs: u64,
}

impl LiveQueries {
    pub(crate) fn stats(&self) -> LiveStats {
        LiveStats { queries: self.count.load(Ordering::Acquire), runs: self.runs.load(Ordering::Acquire) }
    }

    /// Whether changed rows matter to anybody. One atomic load.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    pub(super) fn note_run(&self) {
        self.runs.fetch_add(1, Ordering::AcqRel);
    }

    /// The live query that is equal to this one, or a new one. `make` is given its number; it runs no code of the app.
    pub(super) fn find_or_insert<L: Any + Send + Sync>(
        &self,
        identity: Identity,
        make: impl FnOnce(u64) -> (Arc<L>, Registration),
    ) -> Arc<L> {
        let mut index = self.lock();
        let index = index.get_or_insert_default();
        let found = index.shared.get(&identity).and_then(Weak::upgrade).map(|found| found.downcast::<L>());
        if let Some(Ok(found)) = found
            && !seeded::bug("equal-queries-not-shared")
        {
            return found;
        }
        index.next += 1;
        let id = index.next;
        let (live, registration) = make(id);
        index.insert(id, registration);
        let shared: Weak<dyn Any + Send + Sync> = Arc::downgrade(&live) as Weak<_>;
        index.shared.insert(identity, shared);
        self.count.store(index.inboxes.len(), Ordering::SeqCst);
        live
    }

    /// Something else than a live query that hears of changed rows, and its number.
    pub(super) fn insert(&self, registration: Registration) -> u64 {
        let mut index = self.lock();
        let index = index.get_or_insert_default();
        index.next += 1;
        let id = index.next;
        index.insert(id, registration);
        self.count.store(index.inboxes.len(), Ordering::SeqCst);
        id
    }

    /// A live query, or what else heard of changed rows, is gone.
    pub(super) fn remove(
        &self,
        id: u64,
        identity: Option<&Identity>,
        footprints: &[(&'static TableSchema, Footprint)],
    ) {
        let mut index = self.lock();
        let Some(index) = index.as_mut() else { return };
        // A query of the same identity may have come since.
        if let Some(identity) = identity
            && index.shared.get(identity).is_some_and(|other| other.strong_count() == 0)
        {
            index.shared.remove(identity);
        }
        index.inboxes.remove(&id);
        for (table, footprint) in footprints {
            if let Some(queries) = index.tables.get_mut(table.name) {
                queries.remove(id, footprint);
            }
        }
        self.count.store(index.inboxes.len(), Ordering::SeqCst);
    }

    /// After COMMIT: marks what the changed rows can affect.
    pub(crate) fn mark(&self, record: &Arc<ChangeRecord>, tables: &[&'static TableSchema]) {
        let mut woken = Vec::new();
        if let Some(index) = &*self.lock() {
            for change in &record.rows {
                let Some(queries) = index.tables.get(change.table) else { continue };
                let Some(table) = tables.iter().find(|table| table.name == change.table) else { continue };
                queries.mark(table, change, record, &mut woken);
            }
        }
        self.keep(woken);
    }

    /// A commit whose rows are not known: all run again.
    pub(crate) fn mark_all(&self) {
        let mut woken = Vec::new();
        self.lock().iter().flat_map(|index| index.inboxes.values()).for_each(|inbox| inbox.forget(&mut woken));
        self.keep(woken);
    }

    /// Wakes whom commits have marked. To be called without any lock: a waker is the executor's code.
    pub(crate) fn wake_marked(&self) {
        if self.any() && !seeded::bug("live-wake-up-lost") {
            let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
            woken.into_iter().for_each(Waker::wake);
        }
    }

    /// Wakes everybody: the store is gone.
    pub(crate) fn wake_all(&self) {
        let inboxes: Vec<_> = self.lock().iter().flat_map(|index| index.inboxes.values()).cloned().collect();
        inboxes.iter().for_each(|inbox| inbox.wake());
    }

    fn keep(&self, mut woken: Vec<Waker>) {
        if !woken.is_empty() {
            self.woken.lock().unwrap_or_else(PoisonError::into_inner).append(&mut woken);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Index>>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How commits find a live query.
pub(super) struct Registration {
    pub(super) inbox: Arc<Inbox>,
    pub(super) footprints: Vec<(&'static TableSchema, Footprint)>,
}

impl Index {
    fn insert(&mut self, id: u64, Registration { inbox, footprints }: Registration) {
        self.inboxes.insert(id, Arc::clone(&inbox));
        for (table, footprint) in footprints {
            let queries = self.tables.entry(table.name).or_default();
            match &footprint.rows {
                RowsRead::Key(key) => {
                    queries.keys.entry(key_bytes(key.iter())).or_default().push((id, Arc::clone(&inbox)));
                }
                _ => queries.others.push((id, footprint, Arc::clone(&inbox))),
            }
        }
    }
}

impl TableQueries {
    fn remove(&mut self, id: u64, footprint: &Footprint) {
        let RowsRead::Key(key) = &footprint.rows else {
            self.others.retain(|(other, _, _)| *other != id);
            return;
        };
        let key = key_bytes(key.iter());
        if let Some(same) = self.keys.get_mut(&key) {
            same.retain(|(other, _)| *other != id);
            if same.is_empty() {
                self.keys.remove(&key);
            }
        }
    }

    fn mark(&self, table: &TableSchema, change: &RowChange, record: &Arc<ChangeRecord>, woken: &mut Vec<Waker>) {
        let (old, new) = (change.old.as_deref(), change.new.as_deref());
        if !self.keys.is_empty() {
            let key = |row: &[Value]| key_bytes(table.primary_key.iter().map(|column| &row[*column]));
            let keys = [old.map(key), new.map(key)];
            let moved = keys[0] != keys[1] && !seeded::bug("new-key-unheard");
            for key in keys.iter().take(if moved { 2 } else { 1 }).flatten() {
                self.keys.get(key).into_iter().flatten().for_each(|(_, inbox)| inbox.add(record, woken));
            }
        }
        for (_, footprint, inbox) in &self.others {
            if footprint.is_affected(table, old, new) {
                inbox.add(record, woken);
            }
        }
    }
}

fn key_bytes<'a>(key: impl Iterator<Item = &'a Value>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    key.for_each(|value| push_value(&mut bytes, value.as_ref()));
    bytes
}

/// Finds tables and columns of what a query reads. A table that the schema does not have never changes.
pub(super) fn footprints(
    reads: Vec<TableRead>,
    tables: &[&'static TableSchema],
) -> Vec<(&'static TableSchema, Footprint)> {
    let find = |name: &str| tables.iter().copied().find(|table| table.name.eq_ignore_ascii_case(name));
    reads.into_iter().filter_map(|read| find(read.table).map(|table| (table, Footprint::new(read, table)))).collect()
}
