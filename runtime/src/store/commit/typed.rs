//! The typed shell of commits: from events to encoded events, and back to the caller when it fails.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
};

use super::{
    CommitWork, Committed, EncodedEvent, Outcome,
    queue::{Job, Ticket, Turn},
};
use crate::{
    clock::{Blocking, Panicked},
    definition::{EventOf, StoreDefinition},
    error::{CommitError, CommitErrorKind},
    event::{Event, EventContext, EventEncodeError, EventInfo, MAX_LABELS},
    primitives::Mutex,
    schema::{Materializer, StoreSchema},
    seeded,
    storage::sqlite::Connection,
    store::{
        Engine, Receipt, deprecated,
        inside::{self, Inside},
        replay::{self, Unapplied},
    },
    telemetry,
};

/// The events of one commit, ready to be committed.
struct TypedWork<S: StoreSchema> {
    /// As their texts say, which is what every rebuild and every other client reads: what these build is the fold of the log, whatever
    /// an app's `Serialize` leaves out.
    events: Vec<S::Event>,
    encoded: Vec<EncodedEvent>,
}

impl<S: Materializer> CommitWork for TypedWork<S> {
    fn events(&self) -> &[EncodedEvent] {
        &self.encoded
    }

    fn materialize(&self, index: usize, about: &EventContext, connection: &mut Connection) -> Result<(), Unapplied> {
        replay::materialize::<S>(connection, |tables| S::materialize(&self.events[index], about, tables))
    }
}

/// Commits events: all or none.
pub(crate) fn commit<D: StoreDefinition>(
    engine: &Arc<Engine>,
    events: Vec<EventOf<D>>,
) -> Result<Receipt, CommitError<EventOf<D>>> {
    let span = engine.timed(telemetry::commit(engine.name(), events.len()));
    let _entered = span.enter();
    match ready::<D::Schema>(engine, &events).and_then(|work| run(engine, work)) {
        Ok(committed) => {
            events.iter().for_each(|event| deprecated::warn_once(engine.name(), &EventOf::<D>::EVENTS[event.index()]));
            Ok(Receipt::new(engine, committed))
        }
        Err(kind) => Err(given_back(*kind, events)),
    }
}

/// The caller has the events again.
fn given_back<E>(kind: CommitErrorKind, mut events: Vec<E>) -> CommitError<E> {
    if seeded::bug("events-given-back-reversed") {
        events.reverse();
    }
    CommitError::new(kind, events)
}

/// A commit from inside of the store would wait for itself.
fn not_inside(engine: &Engine) -> Result<(), Box<CommitErrorKind>> {
    let inside = match inside::inside(engine.address()) {
        None => return Ok(()),
        Some(Inside::Materializer) => "its own materializer",
        Some(Inside::Read | Inside::ReadAlone) => "a `read` of it",
    };
    Err(Box::new(CommitErrorKind::Reentrant { store: engine.store(), inside }))
}

/// Checks, encodes and reads back; nothing is touched yet.
fn ready<S: Materializer>(
    engine: &Arc<Engine>,
    events: &[S::Event],
) -> Result<Box<dyn CommitWork + Send>, Box<CommitErrorKind>> {
    check(engine, events.len())?;
    let mut work =
        TypedWork::<S> { events: Vec::with_capacity(events.len()), encoded: Vec::with_capacity(events.len()) };
    for event in events {
        let info: &'static EventInfo = &<S::Event as Event>::EVENTS[event.index()];
        let args = encode(engine, info, &mut || event.encode())?;
        read_back(engine, info, &mut || {
            let event = S::Event::decode(info.name, args.as_deref()).map_err(EventEncodeError::NotReadable)?;
            work.events.push(event.ok_or(EventEncodeError::Unnamed)?);
            Ok(())
        })?;
        work.encoded.push(EncodedEvent { info, args });
    }
    telemetry::ended("encode");
    Ok(Box::new(work))
}

/// Whether so many events may be committed now, and from here.
fn check(engine: &Engine, count: usize) -> Result<(), Box<CommitErrorKind>> {
    check_caller(engine)?;
    let limit = engine.shared.options.limits.max_commit_events;
    if count > limit {
        return Err(Box::new(CommitErrorKind::TooManyEvents { store: engine.store(), count, limit }));
    }
    Ok(())
}

/// Whether a commit may come now, and from here.
fn check_caller(engine: &Engine) -> Result<(), Box<CommitErrorKind>> {
    engine.check_write()?;
    not_inside(engine)?;
    engine.note_call();
    Ok(())
}

/// The text of an event's arguments, which is not too long.
fn encode(
    engine: &Engine,
    info: &'static EventInfo,
    encode: &mut dyn FnMut() -> Result<Option<String>, EventEncodeError>,
) -> Result<Option<String>, Box<CommitErrorKind>> {
    let args = unless_it_panics(encode).map_err(|source| not_encoded(engine, info, source))?;
    let (bytes, limit) = (args.as_ref().map_or(0, String::len), engine.shared.options.limits.max_event_bytes);
    if bytes > limit {
        let (store, event) = (engine.store(), info.name);
        return Err(Box::new(CommitErrorKind::EventTooLarge { store, event, bytes, limit }));
    }
    check_labels(engine, info)?;
    Ok(args)
}

/// Whether a sync server takes the name and the ids. Those that larder makes are far from the limit.
fn check_labels(engine: &Engine, info: &'static EventInfo) -> Result<(), Box<CommitErrorKind>> {
    let (client, session) = (&engine.shared.client.id, &engine.shared.session_id);
    let (bytes, limit) = (info.name.len() + client.as_str().len() + session.as_str().len(), MAX_LABELS);
    if bytes > limit {
        let (store, event) = (engine.store(), info.name);
        return Err(Box::new(CommitErrorKind::LabelsTooLong { store, event, bytes, limit }));
    }
    Ok(())
}

/// The event again, from its text.
fn read_back(
    engine: &Engine,
    info: &'static EventInfo,
    read: &mut dyn FnMut() -> Result<(), EventEncodeError>,
) -> Result<(), Box<CommitErrorKind>> {
    unless_it_panics(read).map_err(|source| not_encoded(engine, info, source))
}

#[cold]
fn not_encoded(engine: &Engine, info: &'static EventInfo, source: EventEncodeError) -> Box<CommitErrorKind> {
    Box::new(CommitErrorKind::Encode { store: engine.store(), event: info.name, source })
}

/// A `Serialize` or `Deserialize` of the app may panic as a materializer may, and the events are not lost with it.
fn unless_it_panics<R>(work: &mut dyn FnMut() -> Result<R, EventEncodeError>) -> Result<R, EventEncodeError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(EventEncodeError::Panicked(Panicked::new(panic.as_ref()).into_message())))
}

/// Commits what is encoded already, of a caller that may commit.
///
/// # Errors
/// When nothing was committed.
pub(in crate::store) fn run_work(engine: &Arc<Engine>, work: Box<dyn CommitWork + Send>) -> Outcome {
    check_caller(engine)?;
    run(engine, work)
}

fn run(engine: &Arc<Engine>, work: Box<dyn CommitWork + Send>) -> Outcome {
    if work.events().is_empty() {
        return Ok(Committed::default());
    }
    let committed = queue(engine, work)?;
    engine.shared.host.committed(committed.numbers.len());
    Ok(committed)
}

/// Leads, or waits for who does.
fn queue(engine: &Arc<Engine>, work: Box<dyn CommitWork + Send>) -> Outcome {
    let waiting = match inside::wait_for(engine.address()) {
        Ok(waiting) => waiting,
        Err(inside::Circle) => {
            let inside = "another store, while somebody inside of this one waits for that";
            return Err(Box::new(CommitErrorKind::Reentrant { store: engine.store(), inside }));
        }
    };
    if engine.queue.try_lead() {
        return engine.lead(Some(&*work), waiting).unwrap_or_else(|| Err(engine.closed()));
    }
    let job = Arc::new(Job::new(work, Ticket::waiting(waiting)));
    engine.queue.push(Arc::clone(&job));
    loop {
        match engine.queue.wait(&job.ticket) {
            Turn::Done(outcome) => return outcome,
            Turn::Lead => {
                engine.lead(None, job.ticket.stop_waiting());
            }
        }
    }
}

/// The future of [`Store::commit_async`](crate::Store::commit_async): the commit runs on the blocking pool from the first poll on,
/// wholly or not at all, also when the future is dropped.
#[must_use = "a future does nothing until it is polled"]
pub struct CommitAsync<D: StoreDefinition> {
    engine: Arc<Engine>,
    events: Arc<Mutex<Option<Vec<EventOf<D>>>>>,
    running: Option<Blocking<Result<Receipt, CommitError<EventOf<D>>>>>,
    types: PhantomData<fn() -> D>,
}

impl<D: StoreDefinition> Unpin for CommitAsync<D> {}

/// As [`commit`], on the blocking pool.
pub(crate) fn commit_async<D: StoreDefinition>(engine: &Arc<Engine>, events: Vec<EventOf<D>>) -> CommitAsync<D> {
    CommitAsync {
        engine: Arc::clone(engine),
        events: Arc::new(Mutex::new(Some(events))),
        running: None,
        types: PhantomData,
    }
}

impl<D: StoreDefinition> CommitAsync<D> {
    fn start(&self) -> Blocking<Result<Receipt, CommitError<EventOf<D>>>> {
        let (engine, events) = (Arc::clone(&self.engine), Arc::clone(&self.events));
        let span = tracing::Span::current();
        self.engine.shared.runtime.spawn_blocking(move || {
            let events = events.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
            span.in_scope(|| commit::<D>(&engine, events))
        })
    }

    /// The blocking pool did not run it, or it panicked outside of the app's code.
    fn not_run(&self, panicked: Panicked) -> CommitError<EventOf<D>> {
        let message = panicked.into_message();
        CommitError::new(CommitErrorKind::Storage { store: self.engine.store(), message }, self.take_events())
    }

    fn take_events(&self) -> Vec<EventOf<D>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

impl<D: StoreDefinition> Future for CommitAsync<D> {
    type Output = Result<Receipt, CommitError<EventOf<D>>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut running = match self.running.take() {
            Some(running) => running,
            // Another thread is to commit, which is inside of nothing: so this one is asked, before it waits for itself.
            None => match not_inside(&self.engine) {
                Ok(()) => self.start(),
                Err(kind) => return Poll::Ready(Err(CommitError::new(*kind, self.take_events()))),
            },
        };
        match Pin::new(&mut running).poll(context) {
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            Poll::Ready(Err(panicked)) => Poll::Ready(Err(self.not_run(panicked))),
            Poll::Pending => {
                self.running = Some(running);
                Poll::Pending
            }
        }
    }
}
