//! One live query of one store: which rows it read, and its result.

use std::{any::TypeId, sync::Arc, task::Waker};

use super::{
    Live,
    affected::Footprint,
    index::{Identity, Registration, footprints},
    news::{Inbox, News},
    rows::{Hashed, KeptRows},
    slot::{Begun, Node, Refreshed, Slot, Versioned},
    window::{Applied, Window},
};
use crate::{
    change::ChangeRecord,
    error::{QueryError, QueryErrorKind},
    event::EventNumber,
    query::{ColumnAt, Description, Origin, Params, Query, SelectSpec, Statement, Term, WindowSpec},
    seeded,
    store::Engine,
    table::TableSchema,
    value::ValueRef,
};

/// A live query; whoever subscribes to an equal one shares it.
pub(super) struct LiveQuery<Q: Query> {
    engine: Arc<Engine>,
    id: u64,
    identity: Identity,
    footprints: Vec<(&'static TableSchema, Footprint)>,
    inbox: Arc<Inbox>,
    window: Option<WindowSpec>,
    query: Q,
    slot: Slot<Live<Arc<Q::Output>>, Kept>,
}

/// What one run leaves to the next.
#[derive(Debug, Default)]
struct Kept {
    /// The rows, and the commit they are of.
    window: Option<(Window, EventNumber)>,
    /// A hash of every value that was read: equal results have the same.
    digest: Option<blake3::Hash>,
}

impl<Q: Query + Send + Sync + 'static> LiveQuery<Q> {
    /// The live query of this store that is equal to `query`.
    pub(super) fn of(engine: &Arc<Engine>, query: Q) -> Arc<Self> {
        let mut description = Description::default();
        query.__describe(&mut description);
        let identity = (TypeId::of::<Q>(), description.identity().to_vec());
        let (reads, window) = description.into_parts();
        let footprints = footprints(reads, engine.tables());
        let inbox = Arc::new(Inbox::new(window.is_some()));
        let registration = Registration { inbox: Arc::clone(&inbox), footprints: footprints.clone() };
        engine.live().find_or_insert(identity.clone(), |id| {
            let engine = Arc::clone(engine);
            let live = Self { engine, id, identity, footprints, inbox, window, query, slot: Slot::new() };
            (Arc::new(live), registration)
        })
    }

    /// `head` was the last event before `news` was taken.
    fn run(&self, news: News, head: EventNumber, kept: Kept) -> Outcome<Q::Output> {
        let Kept { window, digest } = kept;
        let kept_up = match (news, window) {
            (News::Commits { records, .. }, Some(window)) => keep_up(window, &records, head),
            _ => None,
        };
        match (kept_up, &self.window) {
            (Some((window, Applied::Same)), _) if let Some(Ok(before)) = self.slot.result() => {
                let head = window.1;
                Outcome { result: Ok(before.at(head)), kept: Kept { window: Some(window), digest } }
            }
            (Some((window, _)), _) => self.show(window),
            (None, Some(spec)) => match self.fill(spec) {
                Ok(window) => self.show(window),
                Err(error) => Outcome::failed(error),
            },
            (None, None) => self.ask(),
        }
    }

    /// Makes the result of kept rows.
    fn show(&self, window: (Window, EventNumber)) -> Outcome<Q::Output> {
        let mut hashed = Hashed::new();
        let mut rows = KeptRows { rows: window.0.shown(), columns: window.0.columns() };
        let result = self.query.__run(&mut hashed.reads(&mut rows));
        match result {
            Ok(value) => {
                let kept = Kept { digest: Some(hashed.digest()), window: Some(window) };
                Outcome { result: Ok(Live::new(Arc::new(value), kept.head())), kept }
            }
            Err(kind) => {
                let error = QueryError::new(self.engine.name().clone(), kind);
                Outcome { result: Err(error), kept: Kept { window: Some(window), digest: None } }
            }
        }
    }

    /// Asks SQLite for the rows to keep.
    fn fill(&self, spec: &WindowSpec) -> Result<(Window, EventNumber), QueryError> {
        let mut window = Window::new(spec.clone());
        let limit = u64::try_from(window.wanted()).ok();
        let term = |(column, descending): &(usize, bool)| Term {
            column: ColumnAt { place: 0, column: *column },
            descending: *descending,
        };
        let (condition, order) = (spec.condition.clone(), spec.order.iter().map(term).collect());
        let text = SelectSpec { condition, order, limit, ..SelectSpec::default() }.rows(spec.table, None);
        let text = text.map_err(|kind| QueryError::new(self.engine.name().clone(), kind))?;
        let (mut rows, mut at) = (Vec::new(), EventNumber::ZERO);
        self.engine.live().note_run();
        self.engine.read_state(&mut |on, head| {
            let params = text.params();
            let statement = Statement {
                sql: text.sql(),
                params: Params::Ordered(&params),
                origin: Origin::Builder,
                row: spec.table.type_name,
                columns: &[],
            };
            at = head;
            rows.clear();
            on.rows(&statement, &mut |row| {
                rows.push(row.values().map(ValueRef::to_owned).collect());
                Ok(true)
            })
        })?;
        window.fill(rows);
        Ok((window, at))
    }

    /// Asks SQLite for the result.
    fn ask(&self) -> Outcome<Q::Output> {
        let mut found = None;
        self.engine.live().note_run();
        let read = self.engine.read_state(&mut |on, head| {
            let mut hashed = Hashed::new();
            let value = self.query.__run(&mut hashed.reads(on))?;
            found = Some((Live::new(Arc::new(value), head), hashed.digest()));
            Ok(())
        });
        match (read, found) {
            (Ok(()), Some((value, digest))) => {
                Outcome { result: Ok(value), kept: Kept { window: None, digest: Some(digest) } }
            }
            (Err(error), _) => Outcome::failed(error),
            (Ok(()), None) => Outcome::failed(QueryError::new(self.engine.name().clone(), QueryErrorKind::Interrupted)),
        }
    }

    fn settle(&self, outcome: Outcome<Q::Output>, digest: Option<blake3::Hash>) -> Versioned<Live<Arc<Q::Output>>> {
        let Outcome { result, kept } = outcome;
        let (result, is_new) = match (self.slot.result(), result) {
            // Whoever has the result already goes on with it.
            (Some(Ok(before)), Ok(value)) if kept.digest == digest && !seeded::bug("equal-result-shown-again") => {
                (Ok(before.at(value.head())), false)
            }
            (Some(Err(before)), Err(error)) => (Err(error.clone()), before != error),
            (_, result) => (result, true),
        };
        if let Err(error) = &result
            && matches!(error.kind(), QueryErrorKind::Storage { .. } | QueryErrorKind::Interrupted)
        {
            // It may go well the next time, without any commit.
            self.inbox.retry();
        }
        let (versioned, awaited) = self.slot.end(result, is_new, kept);
        if awaited {
            self.inbox.wake();
        }
        versioned
    }
}

impl<Q: Query + Send + Sync + 'static> Node<Live<Arc<Q::Output>>> for LiveQuery<Q> {
    fn refresh(&self) -> Refreshed<Live<Arc<Q::Output>>> {
        if let Some(error) = self.engine.stopped() {
            return Refreshed::Is(Versioned { version: u64::MAX, result: Err(error.into()) });
        }
        let (mut news, mut head) = (News::None, EventNumber::ZERO);
        let is_fresh = || {
            // In this order: what comes up to the head is among the news.
            head = self.engine.head();
            news = self.inbox.take();
            matches!(news, News::None)
        };
        match self.slot.begin(is_fresh) {
            Begun::Busy => Refreshed::Busy,
            Begun::Is(versioned) => Refreshed::Is(versioned),
            Begun::Run(kept) => {
                let turn = Turn(self);
                let digest = kept.digest;
                let outcome = self.run(news, head, kept);
                std::mem::forget(turn);
                Refreshed::Is(self.settle(outcome, digest))
            }
        }
    }

    fn now(&self) -> Result<Live<Arc<Q::Output>>, QueryError> {
        match self.refresh() {
            Refreshed::Is(versioned) => versioned.result,
            Refreshed::Busy => self.ask().result,
        }
    }

    fn watch(&self, who: u64, waker: &Waker) {
        self.inbox.watch(who, waker);
    }

    fn leave(&self, who: u64) {
        self.inbox.leave(who);
    }
}

impl<Q: Query> Drop for LiveQuery<Q> {
    fn drop(&mut self) {
        self.engine.live().remove(self.id, Some(&self.identity), &self.footprints);
    }
}

/// A run in progress; dropped when the app's code panics in it.
struct Turn<'a, Q: Query + Send + Sync + 'static>(&'a LiveQuery<Q>);

impl<Q: Query + Send + Sync + 'static> Drop for Turn<'_, Q> {
    fn drop(&mut self) {
        self.0.inbox.retry();
        if self.0.slot.abandon() {
            self.0.inbox.wake();
        }
    }
}

/// What a run came to.
struct Outcome<T> {
    result: Result<Live<Arc<T>>, QueryError>,
    kept: Kept,
}

impl<T> Outcome<T> {
    fn failed(error: QueryError) -> Self {
        Self { result: Err(error), kept: Kept::default() }
    }
}

impl Kept {
    fn head(&self) -> EventNumber {
        self.window.as_ref().map_or(EventNumber::ZERO, |(_, head)| *head)
    }
}

/// Takes over what commits after the window's have changed; `None` when the kept rows do not suffice.
fn keep_up(
    (mut window, of): (Window, EventNumber),
    records: &[Arc<ChangeRecord>],
    now: EventNumber,
) -> Option<((Window, EventNumber), Applied)> {
    // A run may have seen commits before it was told of them.
    let later = || records.iter().filter(|record| record.numbers.last() > Some(&of));
    let applied = window.apply(later().flat_map(|record| &record.rows));
    let last = later().next_back().and_then(|record| record.numbers.last().copied());
    let head = last.map_or(now, |last| last.max(now)).max(of);
    (applied != Applied::Short).then_some(((window, head), applied))
}
