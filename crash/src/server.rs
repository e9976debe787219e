//! The server of the synced ledger, in this process: what it has ordered is recorded, so that a stop knows what it had.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::{FutureExt, stream};
use larder::{
    BackendError, BackendSupport, BoxFuture, BoxStream, Event, EventId, EventNumber, PullPage, PullRequest, PushAnswer,
    PushRequest, Remaining, StoredEvent, SyncBackend,
};
use tokio::sync::watch;

use crate::{
    ledger::{Booked, Booking, LedgerDefinition, first},
    script::Note,
    watch as recording,
};

/// The id of its one log, which outlives every process.
const LOG: &str = "the log";

/// Who commits what no client of a recording has committed.
const ANOTHER: &str = "another";

/// An event in the agreed order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ordered {
    name: String,
    args: Option<String>,
    client: String,
    session: String,
    id: Option<u128>,
}

impl Ordered {
    fn of(event: &StoredEvent) -> Self {
        Self {
            name: event.name.clone(),
            args: event.args.clone(),
            client: event.client_id.to_string(),
            session: event.session_id.to_string(),
            id: event.id.map(|id| id.0),
        }
    }

    fn at(&self, global: u64) -> StoredEvent {
        StoredEvent {
            number: EventNumber::synced(global),
            name: self.name.clone(),
            args: self.args.clone(),
            client_id: self.client.as_str().into(),
            session_id: self.session.as_str().into(),
            id: self.id.map(EventId),
        }
    }

    /// Whether a client of the recording has committed it.
    pub(crate) fn is_own(&self) -> bool {
        self.client != ANOTHER
    }

    pub(crate) fn id(&self) -> Option<u128> {
        self.id
    }

    /// The row that it makes at a place.
    pub(crate) fn booked(&self, place: i64) -> Option<Booked> {
        first::Ledger::row(&self.at(place.unsigned_abs()))
    }
}

/// The server.
pub(crate) struct Server {
    /// The folder of the client that is recorded.
    root: PathBuf,
    log: Mutex<Vec<Ordered>>,
    connected: watch::Sender<bool>,
}

impl Server {
    pub(crate) fn new(root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Self { root, log: Mutex::default(), connected: watch::Sender::new(false) }
    }

    pub(crate) fn connect(&self, connected: bool) {
        self.connected.send_replace(connected);
    }

    pub(crate) fn log(&self) -> Vec<Ordered> {
        self.lock().clone()
    }

    /// Goes on from a log.
    pub(crate) fn load(&self, log: &[Ordered]) {
        *self.lock() = log.to_vec();
    }

    /// What another client has committed.
    pub(crate) fn push_foreign(&self, bookings: &[Booking]) {
        let mut log = self.lock();
        let foreign = bookings.iter().map(|booking| {
            let event = first::Ledger::booked(booking);
            let args = event.encode().unwrap_or_else(|error| panic!("a booking is encoded: {error}"));
            let id = u128::from(u32::MAX) + ((booking.writer as u128) << 16) + booking.counter as u128;
            let (client, session) = (ANOTHER.to_owned(), "its session".to_owned());
            Ordered {
                name: first::LedgerEvent::EVENTS[event.index()].name.to_owned(),
                args,
                client,
                session,
                id: Some(id),
            }
        });
        self.order(&mut log, foreign.collect());
    }

    fn order(&self, log: &mut Vec<Ordered>, events: Vec<Ordered>) {
        log.extend_from_slice(&events);
        if let Some(watch) = recording::of_path(&self.root) {
            watch.note(Note::Ordered { events });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Ordered>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SyncBackend for Server {
    fn identity(&self) -> &str {
        "the server"
    }

    fn supports(&self) -> BackendSupport {
        BackendSupport::default().live_pull(false)
    }

    fn connected(&self) -> bool {
        *self.connected.borrow()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        let mut changes = self.connected.subscribe();
        // It ends with the server.
        Box::pin(async move { changes.changed().map(drop).await })
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let log = self.lock();
        let behind = usize::try_from(request.after).unwrap_or(usize::MAX).min(log.len());
        let events = log[behind..].iter().zip(request.after + 1..).map(|(ordered, global)| ordered.at(global));
        let page = PullPage::new(events.collect(), Remaining::Nothing, LOG);
        Box::pin(stream::iter([Ok(page)]))
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        let mut log = self.lock();
        let head = log.len() as u64;
        let answer = if head == request.expected_head {
            self.order(&mut log, request.events.iter().map(Ordered::of).collect());
            PushAnswer::Accepted { backend_id: LOG.to_owned() }
        } else {
            PushAnswer::Ahead { head }
        };
        Box::pin(std::future::ready(Ok(answer)))
    }
}
