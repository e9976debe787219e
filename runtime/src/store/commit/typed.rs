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
    event::{Event, EventContext, EventEncodeError, EventInfo},
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

/// The events of one commit.
struct TypedWork<S: StoreSchema> {
    /// As they were given; a commit that fails gives them back.
    events: Vec<S::Event>,
    /// As their texts say, which is what every rebuild and every other client reads: what these build is the fold of the log, whatever
    /// an app's `Serialize` leaves out.
    read_back: Vec<S::Event>,
    encoded: Vec<EncodedEvent>,
}

impl<S: Materializer> CommitWork for TypedWork<S> {
    fn events(&self) -> &[EncodedEvent] {
        &self.encoded
    }

    fn materialize(&self, index: usize, about: &EventContext, connection: &mut Connection) -> Result<(), Unapplied> {
        replay::materialize::<S>(connection, |tables| S::materialize(&self.read_back[index], about, tables))
    }
}

/// A commit that queues.
struct TypedJob<W> {
    work: Mutex<Option<W>>,
    size: usize,
    ticket: Ticket,
}

impl<W: CommitWork + Send + 'static> Job for TypedJob<W> {
    fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn size(&self) -> usize {
        self.size
    }

    fn show(&self, look: &mut dyn FnMut(&dyn CommitWork)) {
        if let Some(work) = &*self.work.lock().unwrap_or_else(PoisonError::into_inner) {
            look(work);
        }
    }
}

/// Commits events: all or none.
pub(crate) fn commit<D: StoreDefinition>(
    engine: &Arc<Engine>,
    events: Vec<EventOf<D>>,
) -> Result<Receipt, CommitError<EventOf<D>>> {
    let span = engine.timed(telemetry::commit(engine.name(), events.len()));
    let _entered = span.enter();
    let (encoded, read_back) = match ready(engine, &events) {
        Ok(ready) => ready,
        Err(kind) => return Err(CommitError::new(*kind, events)),
    };
    if encoded.is_empty() {
        return Ok(Receipt::new(engine, Committed::default()));
    }
    telemetry::ended("encode");
    let work = TypedWork::<D::Schema> { events, read_back, encoded };
    let (outcome, mut events) = run(engine, work);
    if seeded::bug("events-given-back-reversed") {
        events.reverse();
    }
    match outcome {
        Ok(committed) => {
            for info in events.iter().map(|event| &EventOf::<D>::EVENTS[event.index()]) {
                info.deprecated.inspect(|reason| deprecated::warn_once(engine.name(), info.name, reason));
            }
            engine.shared.host.committed(committed.numbers.len());
            Ok(Receipt::new(engine, committed))
        }
        Err(kind) => Err(CommitError::new(*kind, events)),
    }
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
fn ready<E: Event>(engine: &Arc<Engine>, events: &[E]) -> Result<(Vec<EncodedEvent>, Vec<E>), Box<CommitErrorKind>> {
    engine.check_write()?;
    not_inside(engine)?;
    engine.note_call();
    let (count, limit) = (events.len(), engine.shared.options.limits.max_commit_events);
    if count > limit {
        return Err(Box::new(CommitErrorKind::TooManyEvents { store: engine.store(), count, limit }));
    }
    let (mut encoded, mut read_back) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for event in events {
        let (text, read) = encode(engine, event)?;
        encoded.push(text);
        read_back.push(read);
    }
    Ok((encoded, read_back))
}

fn encode<E: Event>(engine: &Engine, event: &E) -> Result<(EncodedEvent, E), Box<CommitErrorKind>> {
    let info: &'static EventInfo = &E::EVENTS[event.index()];
    let failed = |source| Box::new(CommitErrorKind::Encode { store: engine.store(), event: info.name, source });
    let args = unless_it_panics(|| event.encode()).map_err(failed)?;
    let (bytes, limit) = (args.as_ref().map_or(0, String::len), engine.shared.options.limits.max_event_bytes);
    if bytes > limit {
        let (store, event) = (engine.store(), info.name);
        return Err(Box::new(CommitErrorKind::EventTooLarge { store, event, bytes, limit }));
    }
    let read = || E::decode(info.name, args.as_deref()).map_err(EventEncodeError::NotReadable);
    let read_back = unless_it_panics(read).and_then(|event| event.ok_or(EventEncodeError::Unnamed)).map_err(failed)?;
    Ok((EncodedEvent { info, args }, read_back))
}

/// A `Serialize` or `Deserialize` of the app may panic as a materializer may, and the events are not lost with it.
fn unless_it_panics<R>(work: impl FnOnce() -> Result<R, EventEncodeError>) -> Result<R, EventEncodeError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(EventEncodeError::Panicked(Panicked::new(panic.as_ref()).into_message())))
}

fn run<S: Materializer>(engine: &Arc<Engine>, work: TypedWork<S>) -> (Outcome, Vec<S::Event>) {
    let (outcome, work) = queue(engine, work);
    (outcome, work.map(|work| work.events).unwrap_or_default())
}

/// Commits what is encoded already.
///
/// # Errors
/// When it may not be committed from here.
pub(in crate::store) fn run_work<W: CommitWork + Send + 'static>(
    engine: &Arc<Engine>,
    work: W,
) -> Result<(Outcome, Option<W>), Box<CommitErrorKind>> {
    engine.check_write()?;
    not_inside(engine)?;
    engine.note_call();
    Ok(queue(engine, work))
}

/// Leads, or waits for who does. The work comes back.
fn queue<W: CommitWork + Send + 'static>(engine: &Arc<Engine>, work: W) -> (Outcome, Option<W>) {
    let waiting = match inside::wait_for(engine.address()) {
        Ok(waiting) => waiting,
        Err(inside::Circle) => {
            let inside = "another store, while somebody inside of this one waits for that";
            return (Err(Box::new(CommitErrorKind::Reentrant { store: engine.store(), inside })), Some(work));
        }
    };
    if engine.queue.try_lead() {
        let outcome = engine.lead(Some(&work), waiting).unwrap_or_else(|| Err(engine.closed()));
        return (outcome, Some(work));
    }
    let (size, ticket) = (work.events().len(), Ticket::waiting(waiting));
    let job = Arc::new(TypedJob { size, work: Mutex::new(Some(work)), ticket });
    engine.queue.push(Arc::clone(&job) as Arc<dyn Job>);
    let outcome = loop {
        match engine.queue.wait(&job.ticket) {
            Turn::Done(outcome) => break outcome,
            Turn::Lead => {
                engine.lead(None, job.ticket.stop_waiting());
            }
        }
    };
    let work = job.work.lock().unwrap_or_else(PoisonError::into_inner).take();
    (outcome, work)
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
