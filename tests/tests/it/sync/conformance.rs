//! The suite that every backend is to pass finds each of the ways in which one may be wrong.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{FutureExt, StreamExt, stream};
use larder::{
    BackendError, BoxFuture, BoxStream, LocalBackend, PullPage, PullRequest, PushAnswer, PushRequest, Remaining,
    StoredEvent, SyncBackend, testing::sync_backend_conforms,
};

/// In which way a backend is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    /// In none.
    Not,
    NoName,
    ConnectFails,
    NeverConnected,
    ChangesAllTheTime,
    NoPage,
    EarlyEnd,
    NoEnd,
    OtherIdEachPage,
    FartherHead,
    RewritesArguments,
    NullForAbsent,
    ForgetsIds,
    LeavesOut,
    Twice,
    Swapped,
    OneLog,
    TakesAnyHead,
    TakesGaps,
    TakesHalfABatch,
    SmallBatches,
    NoEmptyPush,
    ForgetsTheFirstEvent,
    IgnoresOtherLogs,
    IgnoresOtherLogsLive,
    NoEcho,
    LiveEnds,
}

/// A backend that is wrong in one way.
struct Broken {
    inner: Arc<LocalBackend>,
    how: Wrong,
}

impl Broken {
    fn events(&self, events: Vec<StoredEvent>) -> Vec<StoredEvent> {
        let mut events = events;
        match self.how {
            Wrong::RewritesArguments => {
                for args in events.iter_mut().filter_map(|event| event.args.as_mut()) {
                    *args = args.replace("1.0", "1");
                }
            }
            Wrong::NullForAbsent => {
                for event in &mut events {
                    event.args.get_or_insert_with(|| "null".to_owned());
                }
            }
            Wrong::ForgetsIds => events.iter_mut().for_each(|event| event.id = None),
            Wrong::LeavesOut if events.len() > 2 => drop(events.remove(1)),
            Wrong::Twice if events.len() > 2 => events.insert(1, events[1].clone()),
            Wrong::Swapped if events.len() > 2 => events.swap(0, 1),
            Wrong::ForgetsTheFirstEvent => events.retain(|event| event.number.global() != 1),
            _ => {}
        }
        events
    }

    fn page(&self, at: usize, page: PullPage) -> PullPage {
        let head = page.head.map(|head| head + u64::from(self.how == Wrong::FartherHead));
        let remaining = match self.how {
            Wrong::EarlyEnd => Remaining::Nothing,
            Wrong::NoEnd => Remaining::Some,
            _ => page.remaining,
        };
        let id = match self.how {
            Wrong::OtherIdEachPage => format!("{}{at}", page.backend_id),
            _ => page.backend_id,
        };
        PullPage::new(self.events(page.events), remaining, id).head(head)
    }

    fn sync_id<'a>(&self, sync_id: &'a str) -> &'a str {
        if self.how == Wrong::OneLog { "one" } else { sync_id }
    }

    async fn append(&self, request: PushRequest<'_>) -> Result<PushAnswer, BackendError> {
        let accepted = || Ok(PushAnswer::Accepted { backend_id: "any".to_owned() });
        let own = self.inner.events(request.sync_id).len() as u64;
        let events: Vec<_> = match self.how {
            Wrong::SmallBatches => request.events.iter().take(99).cloned().collect(),
            Wrong::TakesHalfABatch if request.gap().is_some() => request.events[..1].to_vec(),
            Wrong::TakesGaps => {
                let numbered = (request.expected_head + 1..).zip(request.events);
                numbered.map(|(global, event)| renumbered(event, global)).collect()
            }
            Wrong::TakesAnyHead => (own + 1..).zip(request.events).map(|(at, event)| renumbered(event, at)).collect(),
            _ => request.events.to_vec(),
        };
        let head = if self.how == Wrong::TakesAnyHead { own } else { request.expected_head };
        match self.how {
            Wrong::NoEmptyPush if request.events.is_empty() => return Err(BackendError::Other("nothing".into())),
            Wrong::IgnoresOtherLogs if request.backend_id == Some("another log") => return accepted(),
            _ => {}
        }
        let push = PushRequest::new(self.sync_id(request.sync_id), head, &events, request.payload);
        self.inner.push(push.backend_id(request.backend_id)).await
    }
}

fn renumbered(event: &StoredEvent, global: u64) -> StoredEvent {
    StoredEvent { number: format!("e{global}").parse().expect("a number"), ..event.clone() }
}

impl SyncBackend for Broken {
    fn identity(&self) -> &str {
        if self.how == Wrong::NoName { "" } else { self.inner.identity() }
    }

    fn connected(&self) -> bool {
        self.how != Wrong::NeverConnected
    }

    fn connection_changed(&self) -> BoxFuture<'static, ()> {
        match self.how {
            Wrong::ChangesAllTheTime => Box::pin(std::future::ready(())),
            _ => self.inner.connection_changed(),
        }
    }

    fn connect(&self) -> BoxFuture<'_, Result<(), BackendError>> {
        let connected = match self.how {
            Wrong::ConnectFails => Err(BackendError::Offline { reason: "no".to_owned() }),
            _ => Ok(()),
        };
        Box::pin(std::future::ready(connected))
    }

    fn pull<'a>(&'a self, request: PullRequest<'a>) -> BoxStream<'a, Result<PullPage, BackendError>> {
        let is_blind = match self.how {
            Wrong::IgnoresOtherLogs => !request.live,
            Wrong::IgnoresOtherLogsLive => request.live,
            _ => false,
        };
        let id = request.backend_id.filter(|_| !is_blind);
        let (live, payload) = (request.live, request.payload);
        let request = PullRequest::new(self.sync_id(request.sync_id), payload).after(request.after, id).live(live);
        let pages = self.inner.pull(request).enumerate();
        let pages = pages.map(|(at, page)| page.map(|page| self.page(at, page)));
        match self.how {
            Wrong::NoPage => Box::pin(stream::empty()),
            Wrong::LiveEnds if live => Box::pin(pages.take(2)),
            Wrong::NoEcho if live => Box::pin(pages.map(|page| {
                page.map(|page| {
                    let before = page.events.into_iter().filter(|event| event.number.global() < 5).collect();
                    PullPage::new(before, page.remaining, page.backend_id)
                })
            })),
            _ => Box::pin(pages),
        }
    }

    fn push<'a>(&'a self, request: PushRequest<'a>) -> BoxFuture<'a, Result<PushAnswer, BackendError>> {
        Box::pin(self.append(request))
    }
}

/// Whether somebody was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What the suite says of a backend; nothing when it passes. All of it is in this thread: one that waits and is not woken waits for ever.
fn verdict(how: Wrong) -> Option<String> {
    let inner = LocalBackend::new("local");
    let broken = |inner| Arc::new(Broken { inner, how }) as Arc<dyn SyncBackend>;
    let clients = [broken(inner.another()), broken(inner)];
    let mut suite = Box::pin(AssertUnwindSafe(sync_backend_conforms(clients)).catch_unwind());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        match suite.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(())) => return None,
            Poll::Ready(Err(panic)) => {
                let text = panic.downcast_ref::<String>().cloned();
                return text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            }
            Poll::Pending if woken.0.swap(false, Ordering::SeqCst) => {}
            Poll::Pending => return Some("it waits for ever".to_owned()),
        }
    }
}

#[test]
fn each_way_to_be_wrong_is_found_and_named() {
    let rules = [
        (Wrong::NoName, "a backend has a name"),
        (Wrong::ConnectFails, "connects"),
        (Wrong::NeverConnected, "a backend that has connected says so"),
        (Wrong::ChangesAllTheTime, "waits while nothing changes"),
        (Wrong::NoPage, "at least one page"),
        (Wrong::EarlyEnd, "only the last page says that nothing remains"),
        (Wrong::NoEnd, "the last page says that nothing remains"),
        (Wrong::OtherIdEachPage, "the log's id is the same in every page"),
        (Wrong::FartherHead, "says it rightly"),
        (Wrong::RewritesArguments, "to the letter"),
        (Wrong::NullForAbsent, "to the letter"),
        (Wrong::ForgetsIds, "as they were pushed"),
        (Wrong::LeavesOut, "as they were pushed"),
        (Wrong::Twice, "as they were pushed"),
        (Wrong::Swapped, "as they were pushed"),
        (Wrong::OneLog, "a push that follows the head is accepted"),
        (Wrong::TakesAnyHead, "is told of the head"),
        (Wrong::TakesGaps, "a batch with a gap inside is refused"),
        (Wrong::TakesHalfABatch, "a batch with a gap inside is refused"),
        (Wrong::SmallBatches, "is accepted"),
        (Wrong::NoEmptyPush, "an empty push is accepted"),
        (Wrong::ForgetsTheFirstEvent, "as they were pushed"),
        (Wrong::IgnoresOtherLogs, "of another log is told the id"),
        (Wrong::IgnoresOtherLogsLive, "a live pull behind a number of another log"),
        (Wrong::NoEcho, "it waits for ever"),
        (Wrong::LiveEnds, "a live pull goes on"),
    ];
    assert_eq!(verdict(Wrong::Not), None);
    for (how, rule) in rules {
        let said = verdict(how).unwrap_or_else(|| panic!("{how:?} passes"));
        assert!(said.contains(rule), "{how:?}: {said}");
    }
}
