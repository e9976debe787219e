//! A backend that the test connects and disconnects, and whose pushes it refuses or holds up.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use futures_util::stream::{self, StreamExt};
use larder::{
    BackendError, BoxFuture, BoxStream, PullPage, PullRequest, PushAnswer, PushRequest, Remaining, StoreOptions,
    StoredEvent, SyncBackend,
};
use serde_json::Value;
use tokio::sync::watch;

/// What the next question whether there is a connection does, and answers.
type Answer = Box<dyn FnOnce() -> bool + Send>;

/// What a backend does when it is asked for its name.
type Asked = Box<dyn Fn() + Send + Sync>;

/// A backend in memory.
pub(crate) struct Fake {
    identity: String,
    asked: OnceLock<Asked>,
    connected: watch::Sender<bool>,
    /// The sync ids whose pushes wait.
    hanging: watch::Sender<Vec<String>>,
    answer: Mutex<Option<Answer>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    received: HashMap<String, Vec<StoredEvent>>,
    payloads: Vec<BTreeMap<String, Value>>,
    refuses: bool,
    /// So many pushes panic.
    panics: usize,
    running: usize,
    most: usize,
}

/// A push that runs, until it is dropped.
struct Running<'a>(&'a Fake);

impl<'a> Running<'a> {
    fn begin(fake: &'a Fake) -> Self {
        let mut state = fake.state();
        state.running += 1;
        state.most = state.most.max(state.running);
        Self(fake)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state().running -= 1;
    }
}

impl Fake {
    pub(crate) fn new(identity: &str, connected: bool) -> Arc<Self> {
        Arc::new(Self {
            identity: identity.to_owned(),
            asked: OnceLock::new(),
            connected: watch::Sender::new(connected),
            hanging: watch::Sender::default(),
            answer: Mutex::default(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn connect(&self, connected: bool) {
        self.connected.send_replace(connected);
    }

    /// Whether pushes are refused from now on.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.state().refuses = refuses;
    }

    /// So many pushes panic from now on.
    pub(crate) fn panic(&self, pushes: usize) {
        self.state().panics = pushes;
    }

    /// What it does from now on when it is asked for its name, which each load does on a blocking thread.
    pub(crate) fn when_asked_for_its_name(&self, asked: impl Fn() + Send + Sync + 'static) {
        assert!(self.asked.set(Box::new(asked)).is_ok(), "it was said before");
    }

    /// The sync ids whose pushes wait from now on, until they are no longer among them.
    pub(crate) fn hang(&self, sync_ids: &[&str]) {
        self.hanging.send_replace(sync_ids.iter().map(ToString::to_string).collect());
    }

    /// What the next question whether there is a connection does and answers, instead of the truth.
    pub(crate) fn answer_once(&self, answer: impl FnOnce() -> bool + Send + 'static) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(answer));
    }

    pub(crate) fn received(&self, sync_id: &str) -> usize {
        self.state().received.get(sync_id).map_or(0, Vec::len)
    }

    /// How many events of all stores there are.
    pub(crate) fn received_of_all(&self) -> usize {
        self.state().received.values().map(Vec::len).sum()
    }

    /// Pushes that run.
    pub(crate) fn running(&self) -> usize {
        self.state().running
    }

    /// How many pushes have run at the same time.
    pub(crate) fn most(&self) -> usize {
        self.state().most
    }

    /// What each push was told, as it was resolved then.
    pub(crate) fn payloads(&self) -> Vec<BTreeMap<String, Value>> {
        std::mem::take(&mut self.state().payloads)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SyncBackend for Fake {
    fn identity(&self) -> &str {
        self.asked.get().inspect(|asked| asked());
        &self.identity
    }

    fn connected(&self) -> bool {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.map_or_else(|| *self.connected.borrow(), |answer| answer())
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        let mut connected = self.connected.subscribe();
        Box::pin(async move {
            let _ = connected.changed().await;
        })
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let received = self.state().received.get(request.sync_id).cloned().unwrap_or_default();
        let rest = received.into_iter().skip(usize::try_from(request.after).unwrap()).collect();
        let page = PullPage::new(rest, Remaining::Nothing, "the fake's");
        let first = stream::iter([Ok(page)]);
        // Others do not push.
        if request.live { Box::pin(first.chain(stream::pending())) } else { Box::pin(first) }
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            let _running = Running::begin(self);
            let payload = request.payload.resolve().await?;
            self.state().payloads.push(payload);
            let panics = {
                let mut state = self.state();
                let panics = state.panics > 0;
                state.panics = state.panics.saturating_sub(1);
                panics
            };
            assert!(!panics, "the backend panics");
            let hangs = |ids: &Vec<String>| ids.iter().any(|id| id == request.sync_id);
            let _ = self.hanging.subscribe().wait_for(|ids| !hangs(ids)).await;
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            let mut state = self.state();
            if state.refuses || !*self.connected.borrow() {
                return Err(BackendError::Offline { reason: "the backend says no".to_owned() });
            }
            let received = state.received.entry(request.sync_id.to_owned()).or_default();
            let head = received.len() as u64;
            if request.expected_head != head {
                return Ok(PushAnswer::Ahead { head });
            }
            assert_eq!(request.gap(), None);
            received.extend_from_slice(request.events);
            Ok(PushAnswer::Accepted { backend_id: "the fake's".to_owned() })
        })
    }
}

/// Options with the backend.
pub(crate) fn synced(fake: &Arc<Fake>) -> StoreOptions {
    StoreOptions::new().sync(Arc::clone(fake) as Arc<dyn SyncBackend>)
}
