//! A load: open the file, run `on_load`, hand the store to all who wait.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    close::close_file,
    context::LoadContext,
    entered::{note_open, prepare},
    existing,
    handle::{Core, LoadRef},
    host::Host,
    kind::{AnyLoaded, Kind},
    plan::Plan,
    shared::Shared,
    slot::LoadCell,
    unsent::first_sync,
};
use crate::{
    clock::{Panicked, Tick},
    error::{LoadError, StoreError},
    primitives::Mutex,
    projection::NotLoaded,
    seeded,
    storage::layout::Layout,
    store::{Engine, MigrationsReport, OpenRequest, StoreName},
    telemetry::{self, Happened, Parent},
};

/// All that a running load knows.
struct Load {
    load: LoadRef,
    kind: &'static Kind,
    name: StoreName,
    plan: Arc<Plan>,
    parent: Option<Parent>,
    cell: Arc<LoadCell>,
    cancel: CancellationToken,
    span: Span,
    started: Tick,
}

/// Begins the load in the background.
pub(super) fn load(shared: &Arc<Shared>, started: LoadRef) {
    let known = {
        let mut state = shared.lock();
        state.slots.of(started).map(|slot| {
            let cell = Arc::clone(slot.cell.get_or_insert_default());
            let (plan, parent) = (Arc::clone(&slot.plan), slot.parent.take());
            (slot.kind, slot.name.clone(), plan, parent, cell, slot.cancel.get_or_insert_default().clone())
        })
    };
    let Some((kind, name, plan, parent, cell, cancel)) = known else { return };
    let span = telemetry::load(parent.as_ref(), &name, &plan.resolved.attributes);
    if seeded::bug("payload-in-span") {
        span.record("attributes", tracing::field::debug(plan.resolved.sync_payload.resolve().now_or_never()));
    }
    shared.happened(|| Happened::Loading(name.clone()));
    let load = Load { load: started, kind, name, plan, parent, cell, cancel, started: shared.runtime.now(), span };
    let end = End { shared: Arc::clone(shared), load: started, name: load.name.clone(), done: false };
    let span = load.span.clone();
    shared.runtime.spawn(run(load, end).instrument(span));
}

/// Says that a load ended, also when its task is dropped by a runtime that shuts down.
struct End {
    shared: Arc<Shared>,
    load: LoadRef,
    name: StoreName,
    done: bool,
}

impl End {
    /// With how the file was closed, if it was open.
    fn failed(mut self, error: LoadError, closed: Result<(), StoreError>) {
        self.say(error, closed);
    }

    fn say(&mut self, error: LoadError, closed: Result<(), StoreError>) {
        self.done = true;
        let name = self.name.clone();
        self.shared.happened(|| Happened::LoadFailed(name));
        self.shared.with(|state, actions| state.ended(self.load, Some(error), closed, actions));
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.done {
            let message = match std::thread::panicking() {
                true => "what the app gave panicked when it was dropped",
                false => "the async runtime was shut down during the load",
            };
            self.say(LoadError::Panicked { store: self.name.clone(), message: message.to_owned() }, Ok(()));
        }
    }
}

async fn run(load: Load, mut end: End) {
    let shared = Arc::clone(&end.shared);
    let (engine, report) = match open(&shared, &load).await {
        Ok(opened) => opened,
        Err(error) => return fail(&shared, &load, end, error, Ok(())),
    };
    let kept: Kept = Arc::default();
    let core = Core::new(load.load, engine, &shared, Arc::clone(&kept), &load.plan.resolved);
    let loaded = (load.kind.wrap)(core);
    // Before anybody can commit.
    shared.followers.loaded(&load.name, &loaded.core().engine);
    if let Some(slot) = shared.lock().slots.of(load.load) {
        slot.opened = Some(Arc::downgrade(&loaded));
        // Somebody may have changed it while the file was opened; from now on they tell it themselves. The one of before, which the app's
        // `Drop` may hang on, lives on in the load.
        loaded.core().tell(slot.plan.resolved.sync_payload.clone());
    }
    if load.plan.runs_on_load {
        let first =
            first_sync(&shared, &loaded, load.plan.resolved.initial_sync, |progress| load.cell.progress(progress));
        // A load that is cancelled says so when it is handed over.
        load.cancel.run_until_cancelled(first).await;
    }
    match hand_over(&shared, &load, &loaded, &report, &kept).await {
        Ok(()) => {
            end.done = true;
            let took = shared.runtime.now().since(load.started);
            telemetry::record_micros(&load.span, took);
            load.span.record("events", loaded.core().engine.stats().events);
            load.span.record("outcome", "loaded");
            shared.busy(load.load);
            if seeded::bug("catalog-after-file") {
                let _ = shared.catalog.add(load.name.definition(), load.name.id(), load.plan.resolved.durability);
            }
            shared.watch_backend(&loaded);
            if loaded.core().has_to_send() {
                // Where nobody observes it: who waited may have left as the load ended.
                shared.pin(load.load);
            }
        }
        Err(error) => {
            let closed = close(&shared, &load, &loaded).await;
            fail(&shared, &load, end, error, closed);
        }
    }
}

/// Children that `on_load` keeps.
pub(super) type Kept = Arc<Mutex<Vec<Box<dyn Any + Send + Sync>>>>;

fn fail(shared: &Arc<Shared>, load: &Load, end: End, error: LoadError, closed: Result<(), StoreError>) {
    telemetry::record_micros(&load.span, shared.runtime.now().since(load.started));
    load.span.record("outcome", if matches!(error, LoadError::Cancelled { .. }) { "cancelled" } else { "failed" });
    end.failed(error, closed);
}

/// Closes what a load has opened, when it is not wanted or did not become a store. What it leaves unsent is sent.
async fn close(shared: &Arc<Shared>, load: &Load, loaded: &Arc<dyn AnyLoaded>) -> Result<(), StoreError> {
    let store = || load.name.clone();
    let is_stopped = matches!(loaded.core().engine.check_read(), Err(StoreError::Stopped { .. }));
    loaded.core().engine.stop_accepting(StoreError::Evicted { store: store() });
    if seeded::bug("cancelled-load-keeps-file") {
        std::mem::forget(Arc::clone(&loaded.core().engine));
        return Ok(());
    }
    let (closing, loaded_here) = (Arc::clone(shared), Arc::clone(loaded));
    let closed = shared.runtime.spawn_blocking(move || close_file(&closing, &loaded_here)).await;
    drop(loaded.core().take_kept());
    // A store that was to be open only to be sent is tried again by who opened it.
    let sends_rest = load.plan.runs_on_load && !is_stopped && loaded.core().engine.unsent_events() > 0;
    loaded.core().backend().filter(|_| sends_rest).inspect(|backend| shared.closed_unsent(backend));
    let panicked = |panicked: Panicked| StoreError::Storage { store: store(), message: panicked.into_message() };
    closed.map_err(panicked)?
}

async fn open(shared: &Arc<Shared>, load: &Load) -> Result<(Arc<Engine>, MigrationsReport), LoadError> {
    let cancelled = || LoadError::Cancelled { store: load.name.clone() };
    let panicked =
        |panicked: Panicked| LoadError::Panicked { store: load.name.clone(), message: panicked.into_message() };
    let turn = Arc::clone(&shared.opening).acquire_owned();
    // A closed semaphore is one that was dropped with its registry.
    let Some(Ok(_permit)) = load.cancel.run_until_cancelled(turn).await else { return Err(cancelled()) };
    let opening = Opening {
        shared: Arc::clone(shared),
        kind: load.kind,
        name: load.name.clone(),
        plan: Arc::clone(&load.plan),
        cell: Arc::clone(&load.cell),
        cancel: load.cancel.clone(),
        load: load.load,
    };
    let span = load.span.clone();
    shared.runtime.spawn_blocking(move || span.in_scope(|| opening.run())).await.map_err(panicked)?
}

/// The blocking part of a load.
struct Opening {
    shared: Arc<Shared>,
    kind: &'static Kind,
    name: StoreName,
    plan: Arc<Plan>,
    cell: Arc<LoadCell>,
    cancel: CancellationToken,
    load: LoadRef,
}

impl Opening {
    fn run(self) -> Result<(Arc<Engine>, MigrationsReport), LoadError> {
        let Self { shared, kind, name, plan, cell, cancel, load } = self;
        let model = shared.models.of(kind)?;
        if plan.existing && !plan.in_memory && existing::has_no_file(&shared, &name) {
            return Err(existing::not_found(&shared, name));
        }
        let place = prepare(&shared, &name, &plan)?;
        let logged = shared.is_logged().then(|| name.clone());
        let host = Arc::new(Host {
            load,
            shared: Arc::downgrade(&shared),
            logged,
            signals: Arc::clone(&shared.signals),
            has_backend: plan.resolved.sync.is_some(),
        });
        let opened = Engine::open(OpenRequest {
            model,
            name: name.clone(),
            place,
            create: !plan.existing,
            options: Arc::clone(&plan.resolved),
            client: Arc::clone(&shared.client),
            session_id: shared.session_id.clone(),
            readers: Arc::clone(&shared.readers),
            runtime: shared.runtime.clone(),
            cancel,
            progress: Arc::new(move |progress| cell.progress(progress)),
            host,
        });
        let opened = opened.map_err(|error| match error {
            LoadError::NotFound { store, .. } => existing::not_found(&shared, store),
            error => error,
        })?;
        note_open(&shared, &name, &plan, &opened)?;
        // Before anybody can commit or push.
        opened.0.quarantine_failed();
        Ok(opened)
    }
}

/// Runs `on_load` if somebody wants it, and hands the store to all who wait.
async fn hand_over(
    shared: &Arc<Shared>,
    load: &Load,
    loaded: &Arc<dyn AnyLoaded>,
    report: &MigrationsReport,
    kept: &Kept,
) -> Result<(), LoadError> {
    let mut ran = false;
    loop {
        match finish(shared, load, loaded, ran) {
            Finish::Done => return Ok(()),
            Finish::Stopped(error) => return Err(stopped(shared, load, error)),
            Finish::NotWanted => return Err(LoadError::Cancelled { store: load.name.clone() }),
            Finish::NeedsOnLoad => {
                on_load(shared, load, loaded, report, kept).await?;
                ran = true;
            }
        }
    }
}

fn stopped(shared: &Shared, load: &Load, error: StoreError) -> LoadError {
    let message = match error {
        StoreError::Stopped { reason, .. } => reason,
        error => error.to_string(),
    };
    let place = |layout: &Layout| layout.store(load.name.definition(), load.name.id());
    let file = shared.layout.as_ref().filter(|_| !load.plan.in_memory).map(place);
    LoadError::Storage { store: load.name.clone(), message, file: file.unwrap_or_else(|| PathBuf::from("in memory")) }
}

enum Finish {
    Done,
    /// The store stopped for good while `on_load` ran.
    Stopped(StoreError),
    NotWanted,
    NeedsOnLoad,
}

/// Runs `on_load`, which is the app's code; stops it when the load is cancelled.
async fn on_load(
    shared: &Arc<Shared>,
    load: &Load,
    loaded: &Arc<dyn AnyLoaded>,
    report: &MigrationsReport,
    kept: &Kept,
) -> Result<(), LoadError> {
    let context = LoadContext::new(shared, load.load, report.clone(), load.parent.as_ref(), load.span.clone(), kept);
    let hook = AssertUnwindSafe(async { (load.kind.on_load)(&**loaded, context).await }).catch_unwind();
    let store = || load.name.clone();
    match load.cancel.run_until_cancelled(hook).await {
        None => Err(LoadError::Cancelled { store: store() }),
        Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(match error.downcast::<NotLoaded>() {
            Ok(projection) => LoadError::Projection { store: store(), source: Arc::new(projection.0) },
            Err(error) => LoadError::OnLoad { store: store(), source: error.into() },
        }),
        Some(Err(panic)) => {
            Err(LoadError::Panicked { store: store(), message: Panicked::new(panic.as_ref()).into_message() })
        }
    }
}

/// Hands the store to all who wait, unless they want `on_load` to run first.
fn finish(shared: &Arc<Shared>, load: &Load, loaded: &Arc<dyn AnyLoaded>, ran: bool) -> Finish {
    let now = shared.runtime.now();
    shared.with(|state, actions| {
        let Some(plan) = state.slots.of(load.load).map(|slot| Arc::clone(&slot.plan)) else { return Finish::NotWanted };
        if plan.runs_on_load && !ran {
            return Finish::NeedsOnLoad;
        }
        // Under the lock, so that a store that stops later finds itself loaded and leaves.
        if let Err(error) = loaded.core().engine.check_read() {
            return match load.cancel.is_cancelled() {
                true => Finish::NotWanted,
                false => Finish::Stopped(error),
            };
        }
        if !state.loaded(load.load, loaded, now, actions) {
            return Finish::NotWanted;
        }
        shared.happened(|| Happened::Loaded(load.name.clone()));
        Finish::Done
    })
}

/// Children that a load keeps, to be dropped without any lock.
pub(super) fn take(kept: &Kept) -> Vec<Box<dyn Any + Send + Sync>> {
    std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner))
}
