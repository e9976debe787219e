//! The one writer: a thread that appends in groups.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{
    place::Place,
    schema::{Number, failed, poisons},
};
use crate::storage::{Append, AppendError, StorageError};

/// Appends that one transaction takes at most.
const GROUP: usize = 100;

/// Bytes of events after which a group takes no more.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// Groups after which the length of the write-ahead log is looked at.
const GROUPS_PER_LOOK: u64 = 64;

/// Bytes of the write-ahead log that are too many: four times of what SQLite moves into the file by itself.
const LONG: u64 = 64 * 1024 * 1024;

/// How long the writer waits for a lock otherwise, as SQLite's binding does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Appends that wait for the writer; who comes later waits to wait.
const WAITING: usize = 1024;

type Answer = Result<u64, AppendError>;

struct Job {
    append: Append,
    answer: oneshot::Sender<Answer>,
}

/// The way to the thread that writes.
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    healthy: Arc<AtomicBool>,
}

impl Writer {
    /// Starts the thread on a connection.
    pub(super) fn start(connection: Connection, place: Place, healthy: Arc<AtomicBool>) -> Result<Self, StorageError> {
        let (jobs, incoming) = mpsc::channel(WAITING);
        let (end, ended) = oneshot::channel();
        let (alive, is_healthy) = (Alive(healthy.clone()), healthy.clone());
        on_a_thread(move || {
            let _alive = alive;
            Loop { connection, place, healthy, groups: 0, poison: None }.run(incoming);
            let _ = end.send(());
        })?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), ended: Mutex::new(Some(ended)), healthy: is_healthy })
    }

    pub(super) async fn append(&self, append: Append) -> Answer {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let jobs = jobs.ok_or(StorageError::Closed)?;
        let (answer, answered) = oneshot::channel();
        jobs.send(Job { append, answer }).await.map_err(|_| self.gone())?;
        answered.await.map_err(|_| self.gone())?
    }

    /// Why there is no thread any more.
    fn gone(&self) -> StorageError {
        match self.healthy.load(Ordering::Acquire) {
            true => StorageError::Closed,
            false => StorageError::Poisoned("it panicked".to_owned()),
        }
    }

    /// Lets the thread finish what it has, and end.
    pub(super) async fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended {
            let _ = ended.await;
        }
    }
}

fn on_a_thread(run: impl FnOnce() + Send + 'static) -> Result<(), StorageError> {
    let started = std::thread::Builder::new().name("larder-log".to_owned()).spawn(run);
    started.map(drop).map_err(|error| StorageError::Open(format!("no thread for the log: {error}")))
}

/// A server whose writer has panicked takes no pushes, and says so.
struct Alive(Arc<AtomicBool>);

impl Drop for Alive {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(false, Ordering::Release);
        }
    }
}

/// A group: what has arrived, as much as one transaction takes, and nothing is waited for.
fn with_what_is_there(first: Job, incoming: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.append.bytes();
    let mut group = vec![first];
    while group.len() < GROUP && bytes < GROUP_BYTES {
        let Ok(next) = incoming.try_recv() else { break };
        bytes += next.append.bytes();
        group.push(next);
    }
    group
}

struct Loop {
    connection: Connection,
    /// Dropped after the last write: nobody else opens the log before that.
    place: Place,
    groups: u64,
    healthy: Arc<AtomicBool>,
    /// Why nothing is written any more.
    poison: Option<String>,
}

impl Loop {
    fn run(mut self, mut incoming: mpsc::Receiver<Job>) {
        while let Some(first) = incoming.blocking_recv() {
            let group = with_what_is_there(first, &mut incoming);
            self.group(group);
            self.groups += 1;
            if self.groups.is_multiple_of(GROUPS_PER_LOOK) {
                self.shorten();
            }
        }
        if self.poison.is_some() {
            return;
        }
        if let Err(error) = self.place.count(&mut self.connection) {
            tracing::warn!(%error, "a copy of the log that was made since its start will not be noticed");
        }
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the log was closed without a checkpoint; the next start makes up for it");
        }
    }

    /// While somebody always reads, SQLite never begins its write-ahead log anew; then it is made to, between two reads.
    fn shorten(&mut self) {
        let long = std::fs::metadata(self.place.write_ahead_log()).is_ok_and(|file| file.len() > LONG);
        if long && let Err(error) = self.shorten_at_once() {
            tracing::warn!(%error, "the write-ahead log could not be shortened");
        }
    }

    /// Not where somebody reads for long, as a backup does: no push waits for that.
    fn shorten_at_once(&self) -> rusqlite::Result<()> {
        self.connection.busy_timeout(Duration::ZERO)?;
        let shortened = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        self.connection.busy_timeout(PATIENCE)?;
        shortened
    }

    /// Appends a group in one transaction; if that fails, each alone, so that one takes no other along.
    fn group(&mut self, group: Vec<Job>) {
        let appends: Vec<_> = group.iter().map(|job| &job.append).collect();
        let answers = match self.transaction(&appends) {
            Ok(answers) => answers,
            Err(error) if group.len() == 1 => vec![Err(error.into())],
            Err(_) => appends.iter().map(|append| self.alone(append)).collect(),
        };
        for (job, answer) in group.into_iter().zip(answers) {
            // Who no longer waits has its events in the log all the same.
            let _ = job.answer.send(answer);
        }
    }

    fn alone(&mut self, append: &Append) -> Answer {
        self.transaction(&[append])?.pop().unwrap_or(Err(StorageError::Closed.into()))
    }

    /// The answers of all, once they are on disk.
    fn transaction(&mut self, appends: &[&Append]) -> Result<Vec<Answer>, StorageError> {
        if let Some(reason) = &self.poison {
            return Err(StorageError::Poisoned(reason.clone()));
        }
        let written = write(&mut self.connection, appends);
        written.map_err(|error| {
            tracing::error!(%error, "the log could not be written");
            if poisons(&error) {
                self.healthy.store(false, Ordering::Release);
                self.poison = Some(error.to_string());
            }
            failed(&error)
        })
    }
}

fn write(connection: &mut Connection, appends: &[&Append]) -> rusqlite::Result<Vec<Answer>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answers = appends.iter().map(|append| append_one(&transaction, append)).collect::<rusqlite::Result<_>>()?;
    transaction.commit()?;
    Ok(answers)
}

fn append_one(transaction: &Transaction<'_>, append: &Append) -> rusqlite::Result<Answer> {
    let id = append.store.as_str();
    let known = transaction
        .prepare_cached("SELECT number, head FROM stores WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Number>(1)?.0)))
        .optional()?;
    let head = known.map_or(0, |(_, head)| head);
    if head != append.expected_head {
        return Ok(Err(AppendError::Ahead { head }));
    }
    let Some(last) = append.batch.last() else { return Ok(Ok(head)) };
    let store = match known {
        Some((store, _)) => store,
        None => {
            transaction.prepare_cached("INSERT INTO stores (id, head) VALUES (?1, 0)")?.execute([id])?;
            transaction.last_insert_rowid()
        }
    };
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (store, number, name, args, client, session, id, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for pulled in &append.batch {
        let event = &pulled.event;
        insert.execute((
            store,
            Number(event.seq_num),
            &event.name,
            event.args_text(),
            &event.client_id,
            &event.session_id,
            event.id.map(|id| id.0),
            append.created_ms,
        ))?;
    }
    let head = last.event.seq_num;
    transaction.prepare_cached("UPDATE stores SET head = ?2 WHERE number = ?1")?.execute((store, Number(head)))?;
    Ok(Ok(head))
}

#[cfg(test)]
mod tests {
    use larder_wire::{Event, StoreId};

    use super::*;

    fn append(store: &str, head: u64, bytes: usize) -> Append {
        let event = Event {
            name: "x".repeat(bytes),
            args: None,
            seq_num: head + 1,
            parent_seq_num: head,
            client_id: "c".to_owned(),
            session_id: "s".to_owned(),
            id: None,
        };
        Append::new(StoreId::new(store).expect("an id"), head, 0, vec![event])
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_one_that_does_not_fit_and_a_retry_works_when_there_is_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::lock(folder.path()).expect("a place");
        let connection = super::super::schema::open_log(&place.log()).expect("a log");
        connection.execute_batch("PRAGMA max_page_count = 40").expect("a pragma");
        let healthy = Arc::new(AtomicBool::new(true));
        let mut writing = Loop { connection, place, healthy: healthy.clone(), groups: 0, poison: None };
        let (mut jobs, mut answers) = (Vec::new(), Vec::new());
        for (store, bytes) in [("a", 10), ("b", 400_000), ("c", 10)] {
            let (answer, answered) = oneshot::channel();
            jobs.push(Job { append: append(store, 0, bytes), answer });
            answers.push(answered);
        }
        writing.group(jobs);
        let mut ends = Vec::new();
        for answered in answers {
            ends.push(answered.await.expect("an answer"));
        }
        assert_eq!((&ends[0], &ends[2]), (&Ok(1), &Ok(1)), "the others of the group are taken");
        assert!(
            matches!(&ends[1], Err(AppendError::Storage(StorageError::Failed(said))) if said.contains("full")),
            "{ends:?}"
        );
        assert!(healthy.load(Ordering::Acquire), "a full disk passes");
        writing.connection.execute_batch("PRAGMA max_page_count = 4000").expect("a pragma");
        assert_eq!(writing.alone(&append("b", 0, 400_000)), Ok(1));
    }

    #[test]
    fn a_writer_that_panics_leaves_a_server_that_is_not_healthy() {
        for panics in [true, false] {
            let healthy = Arc::new(AtomicBool::new(true));
            let alive = Alive(healthy.clone());
            let (end, ended) = std::sync::mpsc::channel::<()>();
            let run = move || {
                let _end = end;
                let _alive = alive;
                assert!(!panics, "as wanted");
            };
            on_a_thread(run).expect("a thread");
            ended.recv().expect_err("it ends without a word");
            assert_eq!(healthy.load(Ordering::Acquire), !panics);
        }
    }

    #[test]
    fn after_an_error_of_the_disk_nothing_more_is_written_and_the_server_is_not_healthy() {
        let io = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC), None);
        assert!(poisons(&io));
        let full = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
        assert!(!poisons(&full));
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::lock(folder.path()).expect("a place");
        let connection = super::super::schema::open_log(&place.log()).expect("a log");
        let poison = Some(io.to_string());
        let mut writing = Loop { connection, place, healthy: Arc::default(), groups: 0, poison };
        let refused = writing.alone(&append("a", 0, 1)).expect_err("poisoned");
        assert!(matches!(refused, AppendError::Storage(StorageError::Poisoned(_))), "{refused}");
        let rows: i64 =
            writing.connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, 0);
    }

    fn groups(jobs: usize, bytes: usize) -> Vec<usize> {
        let (sender, mut incoming) = mpsc::channel(WAITING);
        for _ in 0..jobs {
            let job = Job { append: append("a", 0, bytes), answer: oneshot::channel().0 };
            assert!(sender.try_send(job).is_ok());
        }
        let mut sizes = Vec::new();
        while let Ok(first) = incoming.try_recv() {
            sizes.push(with_what_is_there(first, &mut incoming).len());
        }
        sizes
    }

    #[test]
    fn a_group_is_what_has_arrived_at_most_100_appends_or_8_mib_and_nothing_is_waited_for() {
        assert_eq!(groups(1, 10), [1]);
        assert_eq!(groups(250, 10), [100, 100, 50]);
        assert_eq!(groups(20, 1024 * 1024), [8, 8, 4]);
    }
}
