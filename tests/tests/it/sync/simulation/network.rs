//! A connection that loses requests and answers, holds them up, says things twice, breaks off, and lets nobody in whose token has expired.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicU64, Ordering},
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

/// Requests that may fail before time passes: a pull and a push of each time that a connection is there again, and what follows a new token.
const IN_VAIN: i64 = 4;

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
    /// Until when the server answers nothing but errors.
    down: AtomicU64,
    /// Requests in vain that may come yet, before time has to pass.
    in_vain: AtomicI64,
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
        let (late, token, valid, down, in_vain) = Default::default();
        Arc::new(Self { inner, dice, ticks: Arc::clone(ticks), late, token, valid, supports, down, in_vain })
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

    /// The server answers nothing but errors for some steps.
    pub(super) fn break_down(&self, steps: u64) {
        self.down.store(self.ticks.now() + steps, Ordering::SeqCst);
    }

    /// So many seconds are about to pass.
    pub(super) fn let_ask(&self, seconds: u64) {
        let allowed = IN_VAIN + i64::try_from(seconds).unwrap();
        self.in_vain.store(allowed, Ordering::SeqCst);
    }

    /// Nobody asks again and again for what fails.
    pub(super) fn check_asked(&self) {
        let left = self.in_vain.load(Ordering::SeqCst);
        assert!(left >= 0, "{} requests in vain too many, without a pause", -left);
    }

    /// One request more has come to nothing. Whoever asks without an end waits for one, so that this is found.
    async fn in_vain(&self) -> BackendError {
        if self.in_vain.fetch_sub(1, Ordering::SeqCst) < -IN_VAIN {
            std::future::pending::<()>().await;
        }
        broken()
    }

    fn fails(&self, sides: u64) -> bool {
        let now = self.ticks.now();
        now != HEALED && (now < self.down.load(Ordering::SeqCst) || self.dice.one_in(sides))
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
            return Box::pin(stream::once(async { Err(self.in_vain().await) }));
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

    fn connect(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async { if self.connected() { Ok(()) } else { Err(self.in_vain().await) } })
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
                return Err(self.in_vain().await);
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
