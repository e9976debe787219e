//! Keeping loaded stores in sync while there is a connection: one future per store, all of a backend's in one task.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    task::Waker,
    time::Duration,
};

use futures_util::{
    FutureExt, StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};
use tokio::sync::Notify;

use super::{
    compared::Start,
    exchange::{ask, begin_pull, ended_early, failed, is_final, known_backend, mend, next_page},
    gathered::{Gathered, take_page},
    push::send_all,
};
use crate::{
    clock::Tick,
    error::SyncError,
    registry::{
        handle::{Core, LoadRef},
        kind::AnyLoaded,
        shared::Shared,
        syncing::Syncing,
    },
    seeded,
    store::{CommitWatch, Engine},
    sync::{
        PullRequest, Remaining, SyncBackend, SyncNotes, SyncPhase,
        processor::{POLL, Pauses, renewed_after},
    },
};

/// What went well for so long begins with the shortest pause again when it fails.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// Keeps all loaded stores of a backend in sync, those that are loaded later too, until it is dropped. `news` says that one was loaded.
pub(super) async fn keep_in_sync(registry: &Weak<Shared>, backend: &Weak<dyn SyncBackend>, news: &Notify) {
    let mut kept = HashSet::<LoadRef>::new();
    let mut running = FuturesUnordered::new();
    loop {
        // What was said before is found by looking now.
        let _ = news.notified().now_or_never();
        let (Some(shared), Some(backend)) = (registry.upgrade(), backend.upgrade()) else { return };
        for loaded in shared.visible_with_backend(&backend) {
            let load = loaded.core().load;
            if kept.insert(load) {
                running.push(keep_one(loaded).map(move |()| load));
            }
        }
        drop((shared, backend));
        match running.is_empty() {
            true => news.notified().await,
            false => {
                if let Either::Left((Some(ended), _)) = select(running.next(), std::pin::pin!(news.notified())).await {
                    kept.remove(&ended);
                }
            }
        }
    }
}

/// Keeps one store in sync until it goes.
async fn keep_one(loaded: Arc<dyn AnyLoaded>) {
    let core = loaded.core();
    let gone = std::pin::pin!(gone(core));
    let keeping = std::pin::pin!(keep(&loaded));
    select(gone, keeping).await;
}

async fn keep(loaded: &Arc<dyn AnyLoaded>) {
    let Some(core) = loaded.core().syncing() else { return };
    let core = &core;
    let (mut pauses, mut pushes, mut compares) = (Pauses::default(), Pushes::default(), true);
    while !core.engine.sync.is_stopped() {
        let (began, confirmed) = (core.runtime.now(), core.engine.confirmed());
        core.engine.note_sync(SyncNotes::begins);
        let Err(error) = exchange(loaded, &mut pushes, compares).await else {
            (pauses, compares) = (Pauses::default(), false);
            continue;
        };
        compares = true;
        let Err(error) = mend(core, error).await else {
            // A backend that is another one each time is not asked without a pause either.
            core.runtime.sleep(pauses.next(core.runtime.jitter())).await;
            continue;
        };
        tracing::debug!(store = %core.name(), %error, "sync failed");
        if core.runtime.now().since(began) >= LONG || core.engine.confirmed() > confirmed {
            pauses = Pauses::default();
        }
        let phase = if is_final(&error) { SyncPhase::Stopped } else { SyncPhase::Failing };
        core.engine.note_sync(|notes| notes.failed_with(error, phase));
        core.signals.changed();
        if !seeded::bug("no-pause-after-a-failure") {
            let pause = core.runtime.sleep(pauses.next(core.runtime.jitter()));
            // What the backend refused to somebody else may be permitted now.
            if let Either::Right(_) = select(pause, std::pin::pin!(core.synced.told.replaced())).await {
                pushes = Pushes::default();
            }
        }
    }
    // Nothing more until the store is loaded again.
    std::future::pending::<()>().await;
}

/// Takes over what comes and pushes what is committed, until something fails, a pull that is not live has ended, or the backend is to be told
/// something else. After a break, the log may be another one under the same id: the pull compares.
async fn exchange(loaded: &Arc<dyn AnyLoaded>, pushes: &mut Pushes, compares: bool) -> Result<(), SyncError> {
    let Some(core) = loaded.core().syncing() else { return Ok(()) };
    let core = &core;
    let live = core.synced.backend.supports().live_pull;
    // What was said before is found by looking now.
    let _ = core.synced.told.replaced().now_or_never();
    let (told, backend_id, metadata) = (ask(core).await?, known_backend(core), core.engine.sync.metadata());
    let request = PullRequest::new(&core.synced.sync_id, &told.payload).metadata(metadata.as_deref());
    let start = Start::of(core, compares).await?;
    let request = request.after(start.after(), backend_id.as_deref()).live(live);
    let mut pages = begin_pull(core, request, start.accepted)?;
    let caught_up = Notify::new();
    let pulling = async {
        let (mut gathered, mut is_whole) = (Gathered::beginning_with(start.known), false);
        while let Some(page) = next_page(core, &mut pages).await {
            is_whole = take_page(core, page, &mut gathered).await? == Remaining::Nothing;
            if is_whole {
                caught_up.notify_one();
            }
        }
        if live {
            return Err(failed(core, "the backend ended a pull that was to go on"));
        }
        if !is_whole {
            take_page(core, Err(ended_early(core)), &mut gathered).await?;
        }
        core.runtime.sleep(POLL).await;
        Ok(())
    };
    let mut otherwise = false;
    // A push that is on its way has its answer first.
    let all_answered = async || drop(core.synced.sending.lock().await);
    let telling = async {
        tells_otherwise(core, told.valid_for).await;
        all_answered().await;
    };
    let ending = async {
        match select(std::pin::pin!(pulling), std::pin::pin!(telling)).await {
            Either::Left((ended, _)) => {
                ended?;
                all_answered().await;
            }
            Either::Right(_) => otherwise = true,
        }
        Ok(())
    };
    let pushing = async {
        caught_up.notified().await;
        keep_pushed(loaded, pushes).await
    };
    let ended = match select(std::pin::pin!(ending), std::pin::pin!(pushing)).await {
        Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
    };
    if otherwise {
        *pushes = Pushes::default();
    }
    ended
}

/// Resolves when the backend is to be told something else: it was replaced, or will not be good much longer.
async fn tells_otherwise(core: &Syncing<'_>, valid_for: Option<Duration>) {
    let expires = async {
        match valid_for {
            Some(valid_for) => core.runtime.sleep(renewed_after(valid_for)).await,
            None => std::future::pending().await,
        }
    };
    select(std::pin::pin!(core.synced.told.replaced()), std::pin::pin!(expires)).await;
}

/// Pushes what is committed, until the backend is not what it was. What else fails is tried again after a pause, while what others have
/// committed goes on coming: a client that may read and not write is up to date.
async fn keep_pushed(loaded: &Arc<dyn AnyLoaded>, pushes: &mut Pushes) -> Result<(), SyncError> {
    let core = loaded.core();
    loop {
        if let Some(at) = pushes.next {
            core.runtime.sleep_until(at).await;
        }
        // What was not pushed may have come back by a pull.
        if core.engine.unsent_events() == 0 {
            all_sent(core, pushes);
        }
        unsent(core).await;
        match send_all(loaded, false, None).await {
            Err(error) if is_final(&error) || matches!(error, SyncError::Store(_)) => return Err(error),
            Err(error) => {
                tracing::debug!(store = %core.name(), %error, "a push failed");
                core.engine.note_sync(|notes| notes.pushed(Err(error)));
                core.signals.changed();
                let pause = pushes.pauses.next(core.runtime.jitter());
                pushes.next = (!seeded::bug("no-pause-after-a-failure")).then(|| core.runtime.now().after(pause));
            }
            Ok(()) => all_sent(core, pushes),
        }
    }
}

fn all_sent(core: &Core, pushes: &mut Pushes) {
    *pushes = Pushes::default();
    // Nobody is woken for what is as it was.
    if core.engine.sync.is_unpushed() {
        core.engine.note_sync(|notes| notes.pushed(Ok(())));
    }
}

/// When pushes that failed are tried again.
#[derive(Default)]
struct Pushes {
    pauses: Pauses,
    next: Option<Tick>,
}

/// Resolves when nothing is unsent any more, or nothing will be sent.
pub(super) async fn until_sent(core: &Core) {
    on_commit(core, |core| {
        core.engine.unsent_events() == 0 || core.engine.sync.is_stopped() || core.engine.check_read().is_err()
    })
    .await;
}

/// Resolves when there is something to push.
async fn unsent(core: &Core) {
    on_commit(core, |core| core.engine.unsent_events() > 0 && !seeded::bug("commit-not-pushed")).await;
}

/// Resolves when the store answers nothing any more.
async fn gone(core: &Core) {
    // A commit is not the end, and does not wake for it.
    until(core, CommitWatch::of_the_end, |core| core.engine.check_read().is_err()).await;
}

/// Resolves when it is so after a commit, or at once.
async fn on_commit(core: &Core, is_so: impl Fn(&Core) -> bool) {
    until(core, CommitWatch::new, is_so).await;
}

async fn until(core: &Core, watch_for: fn(&Arc<Engine>, &Waker) -> CommitWatch, is_so: impl Fn(&Core) -> bool) {
    let mut watch = None;
    std::future::poll_fn(|context| {
        // Before the look, so that nothing is missed in between.
        watch = Some(watch_for(&core.engine, context.waker()));
        if is_so(core) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    drop(watch);
}
