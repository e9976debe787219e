//! The readers: a few connections that take turns, on threads that may block.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use larder_wire::{Event, EventId, Metadata, PulledEvent, StoreId};
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::schema::{Number, failed, open_reader};
use crate::{
    clock,
    storage::{
        Page, PageSize, StorageError,
        encoded::{encoded_size, take_page},
    },
};

/// Connections that read at once.
const AT_ONCE: usize = 4;

/// Connections to one file, opened when they are wanted.
pub(super) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    free: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { shared: Arc::new(Shared { path, free: Mutex::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) }) }
    }

    /// Refuses reads from now on and lets go of the file.
    pub(super) fn close(&self) {
        self.shared.turns.close();
        self.shared.free().clear();
    }

    pub(super) async fn head(&self, store: &StoreId) -> Result<u64, StorageError> {
        let id = store.as_str().to_owned();
        self.on_one(move |connection| Ok(find(connection, &id)?.map_or(0, |(_, head)| head))).await
    }

    pub(super) async fn read(&self, store: &StoreId, after: u64, size: PageSize) -> Result<Page, StorageError> {
        let id = store.as_str().to_owned();
        self.on_one(move |connection| page(connection, &id, after, size)).await
    }

    async fn on_one<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let shared = self.shared.clone();
        let turn = shared.turns.clone().acquire_owned().await.map_err(|_| StorageError::Closed)?;
        let work = move || {
            // It lasts as long as the work, which goes on when nobody waits for it any more.
            let _turn = turn;
            let free = shared.free().pop();
            let connection = free.map_or_else(|| open_reader(&shared.path), Ok).map_err(ReadError::Sqlite)?;
            let read = run(&connection);
            let mut free = shared.free();
            if read.is_ok() && !shared.turns.is_closed() {
                free.push(connection);
            }
            read
        };
        let read = tokio::task::spawn_blocking(work).await.map_err(|error| StorageError::Failed(error.to_string()))?;
        read.map_err(|error| match error {
            ReadError::Sqlite(error) => failed(&error),
            ReadError::Damaged(what) => StorageError::Damaged(what),
        })
    }
}

impl Shared {
    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum ReadError {
    Sqlite(rusqlite::Error),
    Damaged(String),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<(i64, u64)>> {
    connection
        .prepare_cached("SELECT number, head FROM stores WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get::<_, Number>(1)?.0)))
        .optional()
}

fn page(connection: &Connection, id: &str, after: u64, size: PageSize) -> Result<Page, ReadError> {
    // Both are of one state.
    let transaction = connection.unchecked_transaction()?;
    let Some((store, head)) = find(&transaction, id)? else { return Ok(Page { events: Vec::new(), head: 0 }) };
    let mut statement = transaction.prepare_cached(
        "SELECT number, name, args, client, session, id, created FROM events WHERE store = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let mut rows = statement.query((store, Number(after), Number(size.events.max(1) as u64)))?;
    let (mut events, mut bytes) = (Vec::new(), 0_usize);
    while bytes <= size.bytes
        && let Some(row) = rows.next()?
    {
        let pulled = event(row)?;
        bytes = bytes.saturating_add(encoded_size(&pulled.event));
        events.push(Arc::new(pulled));
    }
    whole(&events, after, head)?;
    Ok(Page { events: take_page(events.into_iter(), size), head })
}

/// A log has no holes: a page follows what was read before, and is only empty at the head.
fn whole(events: &[Arc<PulledEvent>], after: u64, head: u64) -> Result<(), ReadError> {
    let follows = events.iter().zip(after.saturating_add(1)..).all(|(pulled, number)| pulled.event.seq_num == number);
    if follows && (!events.is_empty() || after >= head) {
        return Ok(());
    }
    Err(ReadError::Damaged(format!("the events after e{after} are not all there, though its head is e{head}")))
}

fn event(row: &Row<'_>) -> Result<PulledEvent, ReadError> {
    let Number(number) = row.get(0)?;
    let damaged = |what: &str| ReadError::Damaged(format!("e{number} has {what}"));
    let args: Option<String> = row.get(2)?;
    let args = args.map(RawValue::from_string).transpose().map_err(|_| damaged("arguments that are no JSON"))?;
    let event = Event {
        name: row.get(1)?,
        args,
        seq_num: number,
        parent_seq_num: number.checked_sub(1).ok_or_else(|| damaged("no event before it"))?,
        client_id: row.get(3)?,
        session_id: row.get(4)?,
        id: row.get::<_, Option<[u8; 16]>>(5)?.map(EventId),
    };
    Ok(PulledEvent { event, metadata: Some(Metadata { created_at: clock::iso(row.get(6)?) }) })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    #[tokio::test]
    async fn reads_that_nobody_waits_for_any_more_keep_their_turns_until_they_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.sqlite");
        super::super::schema::open_log(&path).expect("a log");
        let readers = Readers::new(path);
        let mut ends = Vec::new();
        for _ in 0..AT_ONCE {
            let (end, ended) = mpsc::channel::<()>();
            ends.push(end);
            let read = readers.on_one(move |_| {
                let _ = ended.recv();
                Ok(())
            });
            assert!(read.now_or_never().is_none(), "it has begun, and nobody waits for it");
        }
        assert_eq!(readers.shared.turns.available_permits(), 0);
        assert!(readers.on_one(|_| Ok(())).now_or_never().is_none(), "the fifth waits its turn");
        drop(ends);
        let more = join_all((0..20).map(|_| readers.on_one(|_| Ok(())))).await;
        assert!(more.iter().all(Result::is_ok));
        assert!(readers.shared.free().len() <= AT_ONCE);
    }
}
