//! A backend whose next requests come to grief.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt, StreamExt, stream};
use larder::{
    BackendError, BackendSupport, BoxFuture, BoxStream, EventId, LocalBackend, PullPage, PullRequest, PushAnswer,
    PushRequest, Remaining, StoreOptions, SyncBackend, prelude::*, testing::TestRegistry,
};
use tokio::sync::Notify;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mishap {
    /// The events arrive, the answer does not.
    AnswerLost,
    /// The events arrive, and nothing is ever answered, though the connection lives.
    NoAnswer,
    /// It does not arrive.
    Lost,
    Unauthorized,
    Panics,
    /// Nothing arrives, and nothing is ever answered, though the connection lives.
    Hangs,
    /// It arrives when the test says so.
    Waits,
    /// A page leaves an event out.
    Gap,
    /// A first page is as it should be, and the second one leaves an event out.
    Overtaken,
    /// The log has lost its last event.
    Shorter,
    /// A pull ends and says that there is more.
    Unfinished,
    /// The log has other events than before, under its id and as many.
    Rewritten,
}

/// A backend whose next requests come to grief.
pub(super) struct Flaky {
    pub(super) inner: Arc<LocalBackend>,
    pub(super) pushes: Mutex<VecDeque<Mishap>>,
    pub(super) pulls: Mutex<VecDeque<Mishap>>,
    /// The tokens of the pushes so far.
    pub(super) payloads: Mutex<Vec<String>>,
    /// The tokens of the pulls so far.
    pub(super) pulled: Mutex<Vec<String>>,
    /// Lets one push arrive that waits.
    pub(super) gate: Notify,
    requests: Mutex<(usize, usize)>,
    support: BackendSupport,
}

impl Flaky {
    pub(super) fn new(pushes: &[Mishap], pulls: &[Mishap]) -> Arc<Self> {
        Self::with(pushes, pulls, BackendSupport::default())
    }

    pub(super) fn with(pushes: &[Mishap], pulls: &[Mishap], support: BackendSupport) -> Arc<Self> {
        Arc::new(Self {
            inner: LocalBackend::new("flaky"),
            pushes: Mutex::new(pushes.iter().copied().collect()),
            pulls: Mutex::new(pulls.iter().copied().collect()),
            payloads: Mutex::default(),
            pulled: Mutex::default(),
            gate: Notify::new(),
            requests: Mutex::default(),
            support,
        })
    }

    pub(super) fn registry(self: &Arc<Self>, options: StoreOptions) -> TestRegistry {
        let backend = Arc::clone(self) as Arc<dyn SyncBackend>;
        TestRegistry::build(StoreRegistry::builder().in_memory().defaults(options.sync(backend))).unwrap()
    }

    /// Pulls and pushes so far.
    pub(super) fn requests(&self) -> (usize, usize) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next(mishaps: &Mutex<VecDeque<Mishap>>) -> Option<Mishap> {
    mishaps.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// As a wire has it that keeps no ids.
fn without_ids(mut page: PullPage) -> PullPage {
    page.events.iter_mut().for_each(|event| event.id = None);
    page
}

fn offline() -> BackendError {
    BackendError::Offline { reason: "a cable is cut".to_owned() }
}

impl SyncBackend for Flaky {
    fn identity(&self) -> &str {
        self.inner.identity()
    }

    fn supports(&self) -> BackendSupport {
        self.support
    }

    fn connected(&self) -> bool {
        self.inner.connected()
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        self.inner.connection_changed()
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        self.requests.lock().unwrap().0 += 1;
        // What a request tells has no providers any more.
        let payload = request.payload.resolve().now_or_never().unwrap().unwrap();
        self.pulled.lock().unwrap().extend(payload.get("token").map(ToString::to_string));
        let failed = |error| Box::pin(stream::iter([Err(error)])) as BoxStream<'a, _>;
        match next(&self.pulls) {
            None if self.support.event_ids => self.inner.pull(request),
            None => Box::pin(self.inner.pull(request).map(|page| page.map(without_ids))),
            Some(Mishap::Gap) => {
                let events = self.inner.events(request.sync_id).into_iter().skip(1).collect();
                let id = request.backend_id.unwrap_or("a log").to_owned();
                Box::pin(stream::iter([Ok(PullPage::new(events, Remaining::Nothing, id))]))
            }
            Some(Mishap::Overtaken) => {
                let after = usize::try_from(request.after).unwrap();
                let mut first = self.inner.events(request.sync_id).split_off(after);
                let second = first.split_off(first.len() - 1);
                first.pop();
                let id = request.backend_id.unwrap_or("a log").to_owned();
                let pages = [(first, Remaining::Some), (second, Remaining::Nothing)];
                Box::pin(stream::iter(pages.map(|(events, left)| Ok(PullPage::new(events, left, id.as_str())))))
            }
            Some(Mishap::Hangs | Mishap::Waits) => Box::pin(stream::pending()),
            Some(Mishap::Shorter) => {
                let page = PullPage::new(Vec::new(), Remaining::Nothing, request.backend_id.unwrap_or("a log"));
                let head = self.inner.events(request.sync_id).len() as u64 - 1;
                Box::pin(stream::iter([Ok(page.head(Some(head)))]))
            }
            Some(Mishap::Rewritten) => {
                let after = usize::try_from(request.after).unwrap();
                let mut events = self.inner.events(request.sync_id).split_off(after);
                events.iter_mut().for_each(|event| event.id = Some(EventId(event.number.global().into())));
                let id = request.backend_id.unwrap_or("a log").to_owned();
                let page = PullPage::new(events, Remaining::Nothing, id);
                Box::pin(stream::iter([Ok(page)]).chain(stream::pending()))
            }
            Some(Mishap::Unfinished) => {
                let id = request.backend_id.unwrap_or("a log").to_owned();
                Box::pin(stream::iter([Ok(PullPage::new(Vec::new(), Remaining::Some, id))]))
            }
            Some(Mishap::Unauthorized) => failed(BackendError::Unauthorized { reason: "401".to_owned() }),
            Some(Mishap::Panics) => panic!("the backend panics"),
            Some(Mishap::Lost | Mishap::AnswerLost | Mishap::NoAnswer) => failed(offline()),
        }
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(async move {
            self.requests.lock().unwrap().1 += 1;
            let payload = request.payload.resolve().await?;
            self.payloads.lock().unwrap().extend(payload.get("token").map(ToString::to_string));
            match next(&self.pushes) {
                None => self.inner.push(request).await,
                Some(Mishap::Waits) => {
                    self.gate.notified().await;
                    self.inner.push(request).await
                }
                Some(Mishap::AnswerLost) => {
                    self.inner.push(request).await?;
                    Err(offline())
                }
                Some(Mishap::NoAnswer) => {
                    self.inner.push(request).await?;
                    std::future::pending().await
                }
                Some(Mishap::Unauthorized) => Err(BackendError::Unauthorized { reason: "401".to_owned() }),
                Some(Mishap::Panics) => panic!("the backend panics"),
                Some(Mishap::Hangs) => std::future::pending().await,
                Some(
                    Mishap::Lost
                    | Mishap::Gap
                    | Mishap::Overtaken
                    | Mishap::Shorter
                    | Mishap::Unfinished
                    | Mishap::Rewritten,
                ) => Err(offline()),
            }
        })
    }
}
