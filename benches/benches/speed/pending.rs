//! A store with 100,000 events that its backend does not have: what it takes of memory at rest, while others' events come, and while it sends.
//! In a process of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::stream::{self, StreamExt};
use larder::{
    BackendError, BoxFuture, BoxStream, Event, EventId, EventNumber, PullPage, PullRequest, PushAnswer, PushRequest,
    Remaining, StoreOptions, StoredEvent, SyncBackend, prelude::*,
};
use larder_benches::heap;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    app::{IssueEvent, IssueStore, opened},
    lab::runtime,
    many::{Child, spawn},
    measure::Outcome,
    report::{Bar, Row, Unit},
};

/// Events that are pending.
const PENDING: i64 = 100_000;
/// Events of a commit.
const AT_ONCE: i64 = 100;
/// Events of somebody else that come first.
const FOREIGN: u64 = 100;
/// A store is idle when no call came for a whole second.
const UNTIL_IDLE: Duration = Duration::from_millis(2_600);

/// Most that the pending events of an idle store take.
const MOST_AT_REST: f64 = 256.0 * 1024.0;
/// Most that a rebase of all of them, and sending them, take at any time.
const MOST_AT_WORK: f64 = 8.0 * 1024.0 * 1024.0;

/// Bytes more than an idle store with few events has.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Found {
    at_rest: f64,
    rebased: f64,
    sent: f64,
}

pub(crate) fn rows() -> Outcome<Vec<Row>> {
    let Found { at_rest, rebased, sent } = spawn(Child::Pending, None)?;
    let row = |work, bytes, most| Row::number(work, Unit::Bytes, bytes, None, Bar::Most(most));
    Ok(vec![
        row("100,000 pending events, at rest: allocated", at_rest, MOST_AT_REST)
            .note("more than the same store with 3 events has; the events are in its file"),
        row("100,000 pending events, rebased: at most", rebased, MOST_AT_WORK)
            .note("behind 100 events of somebody else"),
        row("100,000 pending events, sent: at most", sent, MOST_AT_WORK).note("until all are confirmed"),
    ])
}

/// A backend that keeps nothing but its head, so that all memory is the client's. It begins with some events of somebody else.
struct Sink {
    head: AtomicU64,
    open: watch::Sender<bool>,
    takes: AtomicBool,
}

impl Sink {
    fn foreign() -> Result<Vec<StoredEvent>, BackendError> {
        let (event, name) = (opened(PENDING), IssueEvent::EVENTS[opened(PENDING).index()].name);
        let args = event.encode().map_err(|error| BackendError::Other(error.into()))?;
        let one = |global: u64| StoredEvent {
            number: EventNumber::synced(global),
            name: name.to_owned(),
            args: args.clone(),
            client_id: "another".into(),
            session_id: "session".into(),
            id: Some(EventId(u128::from(global))),
        };
        Ok((1..=FOREIGN).map(one).collect())
    }
}

impl SyncBackend for Sink {
    fn identity(&self) -> &str {
        "sink"
    }

    fn connected(&self) -> bool {
        *self.open.borrow()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        let mut open = self.open.subscribe();
        Box::pin(async move {
            let _ = open.changed().await;
        })
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let events = if request.after < FOREIGN { Self::foreign() } else { Ok(Vec::new()) };
        let first = stream::iter([events.map(|events| PullPage::new(events, Remaining::Nothing, "log"))]);
        Box::pin(first.chain(stream::pending()))
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        let answer = match self.head.load(Ordering::SeqCst) {
            _ if !self.takes.load(Ordering::SeqCst) => Err(BackendError::Offline { reason: "not yet".to_owned() }),
            head if head == request.expected_head => {
                self.head.fetch_add(request.events.len() as u64, Ordering::SeqCst);
                Ok(PushAnswer::Accepted { backend_id: "log".to_owned() })
            }
            head => Ok(PushAnswer::Ahead { head }),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn bytes((rust, sqlite): (i64, i64)) -> f64 {
    (rust + sqlite) as f64
}

/// In the child.
pub(crate) fn measure() -> Outcome<Found> {
    let folder = tempfile::tempdir()?;
    let runtime = runtime()?;
    let sink = Arc::new(Sink {
        head: AtomicU64::new(FOREIGN),
        open: watch::Sender::new(false),
        takes: AtomicBool::new(false),
    });
    let options = StoreOptions::new().sync(Arc::clone(&sink) as Arc<dyn SyncBackend>);
    let registry =
        runtime.block_on(async { StoreRegistry::builder().data_dir(folder.path()).defaults(options).build() })?;
    let id = "workspace:1".parse::<StoreId>()?;
    let store = runtime.block_on(registry.get::<IssueStore>(&id))?;
    for number in 0..3 {
        store.commit(opened(number))?;
    }
    thread::sleep(UNTIL_IDLE);
    let before = bytes(heap::allocated());
    for first in (3..PENDING).step_by(AT_ONCE as usize) {
        let last = (first + AT_ONCE).min(PENDING);
        store.commit((first..last).map(opened).collect::<Vec<_>>())?;
    }
    thread::sleep(UNTIL_IDLE);
    let at_rest = bytes(heap::allocated()) - before;
    heap::watch();
    sink.open.send_replace(true);
    until(|| store.sync_status().confirmed.global() == FOREIGN)?;
    let rebased = bytes(heap::most()) - before;
    heap::watch();
    sink.takes.store(true, Ordering::SeqCst);
    until(|| store.sync_status().pending == 0)?;
    let sent = bytes(heap::most()) - before;
    if sink.head.load(Ordering::SeqCst) != FOREIGN + PENDING as u64 {
        return Err(format!("the backend ends at {}", sink.head.load(Ordering::SeqCst)).into());
    }
    drop(store);
    runtime.block_on(registry.shutdown(Duration::from_secs(60)));
    Ok(Found { at_rest, rebased, sent })
}

fn until(is_so: impl Fn() -> bool) -> Outcome<()> {
    for _ in 0..60_000 {
        if is_so() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err("it does not end".into())
}
