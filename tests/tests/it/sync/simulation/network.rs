//! A connection that loses requests and answers, holds them up, says things twice, breaks off, and lets nobody in whose token has expired.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use futures_util::stream::{self, StreamExt};
use larder::{
    BackendError, BackendSupport, BoxFuture, BoxStream, LocalBackend, Payload, PullPage, PullRequest, PushAnswer,
    PushRequest, StoredEvent, SyncBackend,
};
use tokio::sync::Notify;

use super::dice::Dice;
use crate::sync::clients::STORE;

/// How far the world is, for whoever is held up: a step is a tick, and once all is well nobody waits. Those who wait are woken in the order in
/// which they came; those of a `watch` are not.
#[derive(Default)]
pub(super) struct Ticks {
    now: AtomicU64,
    passed: Notify,
}

/// What all is well is for [`Ticks`].
const HEALED: u64 = u64::MAX;

impl Ticks {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    pub(super) fn pass(&self) {
        self.now.fetch_add(1, Ordering::SeqCst);
        self.passed.notify_waiters();
    }

    pub(super) fn heal(&self) {
        self.now.store(HEALED, Ordering::SeqCst);
        self.passed.notify_waiters();
    }

    async fn until(&self, tick: u64) {
        loop {
            // Before the look, so that nothing is missed in between.
            let passed = self.passed.notified();
            if self.now() >= tick {
                return;
            }
            passed.await;
        }
    }
}

/// The connection of one client.
pub(super) struct Network {
    pub(super) inner: Arc<LocalBackend>,
    dice: Dice,
    ticks: Arc<Ticks>,
    /// Pushes that are on their way still, though nobody waits for an answer.
    late: Mutex<Vec<Late>>,
    /// The client's token, and the first one that is good.
    token: Arc<AtomicU64>,
    valid: Arc<AtomicU64>,
    supports: BackendSupport,
}

struct Late {
    expected_head: u64,
    events: Vec<StoredEvent>,
    backend_id: Option<String>,
}

fn broken() -> BackendError {
    BackendError::Offline { reason: "the network broke".to_owned() }
}

impl Network {
    pub(super) fn new(inner: Arc<LocalBackend>, dice: Dice, ticks: &Arc<Ticks>, supports: BackendSupport) -> Arc<Self> {
        let (late, token, valid) = Default::default();
        Arc::new(Self { inner, dice, ticks: Arc::clone(ticks), late, token, valid, supports })
    }

    /// The client asks for its token with each request. It has a new one once it was told that the last is not good any more.
    pub(super) fn payload(&self) -> Payload {
        let (token, valid) = (Arc::clone(&self.token), Arc::clone(&self.valid));
        Payload::provider(move || {
            let now = token.swap(valid.load(Ordering::SeqCst), Ordering::SeqCst);
            std::future::ready(Ok(Payload::new().with("token", now.to_string())))
        })
    }

    pub(super) fn expire_token(&self) {
        self.valid.fetch_add(1, Ordering::SeqCst);
    }

    /// A push that nobody waits for arrives; whether there was one.
    pub(super) async fn deliver_late(&self) -> bool {
        let late = {
            let mut late = self.late.lock().unwrap();
            if late.is_empty() {
                return false;
            }
            let at = self.dice.index(late.len());
            late.swap_remove(at)
        };
        let payload = Payload::new();
        let request = PushRequest::new(STORE, late.expected_head, &late.events, &payload);
        // Nobody hears the answer.
        drop(self.inner.another().push(request.backend_id(late.backend_id.as_deref())).await);
        true
    }

    fn fails(&self, sides: u64) -> bool {
        self.ticks.now() != HEALED && self.dice.one_in(sides)
    }

    /// Waits for some steps, or not.
    async fn hold_up(&self) {
        if self.fails(6) {
            self.ticks.until(self.ticks.now() + 1 + self.dice.roll(5)).await;
        }
    }

    async fn admit(&self, payload: &Payload) -> Result<(), BackendError> {
        let payload = payload.resolve().await?;
        let token = payload["token"].as_str().and_then(|token| token.parse::<u64>().ok());
        if token.is_some_and(|token| token >= self.valid.load(Ordering::SeqCst)) {
            return Ok(());
        }
        Err(BackendError::Unauthorized { reason: "the token has expired".to_owned() })
    }

    fn pages<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        if self.fails(8) {
            return Box::pin(stream::iter([Err(broken())]));
        }
        let pages = self.inner.pull(request).then(async |page| {
            self.hold_up().await;
            page.map(|page| self.as_told(page))
        });
        let pages = pages.flat_map(|page| {
            let again = page.as_ref().ok().filter(|_| self.fails(6)).cloned();
            let broken = self.fails(10).then(|| Err(broken()));
            stream::iter([Some(page), again.map(Ok), broken].into_iter().flatten())
        });
        // After an error there is nothing.
        let mut over = false;
        Box::pin(pages.take_while(move |page| {
            let was_over = over;
            over |= page.is_err();
            std::future::ready(!was_over)
        }))
    }

    /// As the wire has it, which may have no ids of events.
    fn as_told(&self, mut page: PullPage) -> PullPage {
        if !self.supports.event_ids {
            page.events.iter_mut().for_each(|event| event.id = None);
        }
        page
    }

    fn keep_for_later(&self, request: &PushRequest<'_>) {
        let (expected_head, events) = (request.expected_head, request.events.to_vec());
        let backend_id = request.backend_id.map(str::to_owned);
        self.late.lock().unwrap().push(Late { expected_head, events, backend_id });
    }
}

impl SyncBackend for Network {
    fn identity(&self) -> &str {
        self.inner.identity()
    }

    fn supports(&self) -> BackendSupport {
        self.supports
    }

    fn connected(&self) -> bool {
        self.inner.connected()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        self.inner.connection_changed()
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let admitted = async move { self.admit(request.payload).await };
        Box::pin(stream::once(admitted).flat_map(move |admitted| match admitted {
            Ok(()) => self.pages(request),
            Err(error) => Box::pin(stream::iter([Err(error)])),
        }))
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            self.admit(request.payload).await?;
            if self.fails(5) {
                if self.fails(2) {
                    self.keep_for_later(&request);
                }
                return Err(broken());
            }
            self.hold_up().await;
            let answer = self.inner.push(request).await;
            self.hold_up().await;
            if self.fails(8) {
                // It arrives twice; the answer to the second is the one that arrives.
                return self.inner.push(request).await;
            }
            if self.fails(12) {
                self.keep_for_later(&request);
            }
            if self.fails(5) { Err(broken()) } else { answer }
        })
    }
}
