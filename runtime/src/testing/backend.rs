//! What every sync backend must do, for the tests of one.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};

use crate::{
    event::{ClientId, EventId, EventNumber, MAX_DEPTH, SessionId, StoredEvent},
    options::{Limits, Payload},
    sync::{
        BackendError, PullPage, PullRequest, PushAnswer, PushRequest, Remaining, SyncBackend,
        processor::{BATCH_BYTES, BATCH_EVENTS},
    },
};

/// Tests a [`SyncBackend`]: two connected clients of one server, to which nobody else pushes meanwhile. It makes stores of its own.
///
/// # Panics
/// When the backend does something else than it must; the message says which rule it breaks.
///
/// ```
/// use larder::{LocalBackend, testing::sync_backend_conforms};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let backend = LocalBackend::new("local");
/// let other = backend.another();
/// sync_backend_conforms([backend, other]).await;
/// # }
/// ```
pub async fn sync_backend_conforms(clients: [Arc<dyn SyncBackend>; 2]) {
    let suite = Suite { clients, payload: Payload::new() };
    suite.a_backend_has_a_name_and_is_connected_once_it_says_so().await;
    suite.an_empty_store_has_one_empty_page().await;
    suite.what_is_pushed_is_pulled_as_it_was().await;
    suite.an_event_may_be_as_large_and_deep_as_commits_allow().await;
    suite.a_batch_may_be_as_long_as_clients_make_them().await;
    suite.a_batch_that_does_not_follow_the_head_is_refused_whole().await;
    suite.a_batch_with_a_gap_is_refused_whole().await;
    suite.of_two_who_push_at_once_one_is_told_of_the_other().await;
    suite.a_pull_begins_behind_its_number_and_comes_in_pages().await;
    suite.another_log_is_said_to_be_one().await;
    suite.stores_do_not_meet().await;
    if suite.clients[0].supports().live_pull {
        suite.a_live_pull_goes_on_with_what_anybody_pushes().await;
        suite.a_live_pull_of_another_log_ends_with_its_id().await;
        suite.live_pulls_do_not_meet_and_may_be_dropped_at_any_time().await;
    }
}

struct Suite {
    clients: [Arc<dyn SyncBackend>; 2],
    payload: Payload,
}

fn store() -> String {
    format!("conformance-{}", uuid::Uuid::new_v4().simple())
}

/// Events whose arguments show it when somebody writes them again.
fn events(after: u64, count: u64) -> Vec<StoredEvent> {
    let args = [Some(r#"{"b":1.0,"a":"\u00e9","c":null}"#), None, Some("null"), Some("9007199254740993"), Some("[]")];
    let made = (after + 1..=after + count).map(|global| StoredEvent {
        number: EventNumber::synced(global),
        name: format!("v1.Happened{}", global % 3),
        args: args[(global % 5) as usize].map(str::to_owned),
        client_id: ClientId::from("client"),
        session_id: SessionId::from("session"),
        id: Some(EventId(uuid::Uuid::new_v4().as_u128())),
    });
    made.collect()
}

impl Suite {
    async fn try_push(
        &self,
        client: usize,
        store: &str,
        after: u64,
        events: &[StoredEvent],
    ) -> Result<PushAnswer, BackendError> {
        self.clients[client].push(PushRequest::new(store, after, events, &self.payload)).await
    }

    async fn push(&self, client: usize, store: &str, after: u64, events: &[StoredEvent]) {
        let answer = self.try_push(client, store, after, events).await;
        assert!(
            matches!(answer, Ok(PushAnswer::Accepted { .. })),
            "a push that follows the head is accepted: {answer:?}"
        );
    }

    async fn try_pages(&self, request: PullRequest<'_>) -> Result<Vec<PullPage>, BackendError> {
        let mut pages = Vec::new();
        let mut pull = self.clients[1].pull(request);
        while let Some(page) = pull.next().await {
            pages.push(page?);
        }
        Ok(pages)
    }

    async fn pull(&self, store: &str, after: u64) -> (Vec<StoredEvent>, String) {
        let pages = self.try_pages(PullRequest::new(store, &self.payload).after(after, None)).await;
        let pages = pages.unwrap_or_else(|error| panic!("a pull is answered: {error}"));
        let last = pages.last().unwrap_or_else(|| panic!("a pull has at least one page"));
        assert_eq!(last.remaining, Remaining::Nothing, "the last page says that nothing remains");
        let early = pages.iter().rev().skip(1).any(|page| page.remaining == Remaining::Nothing);
        assert!(!early, "only the last page says that nothing remains");
        let id = last.backend_id.clone();
        assert!(pages.iter().all(|page| page.backend_id == id), "the log's id is the same in every page");
        let ends = pages.iter().flat_map(|page| &page.events).last().map_or(after, |event| event.number.global());
        let head = last.head.is_none_or(|head| head == ends);
        assert!(head, "a page that says where the log ends says it rightly: {:?} at e{ends}", last.head);
        (pages.into_iter().flat_map(|page| page.events).collect(), id)
    }

    fn same(&self, found: &[StoredEvent], pushed: &[StoredEvent], rule: &str) {
        let ids = self.clients[0].supports().event_ids;
        let expected = pushed.iter().map(|event| StoredEvent { id: event.id.filter(|_| ids), ..event.clone() });
        let found = found.iter().map(|event| StoredEvent { id: event.id.filter(|_| ids), ..event.clone() });
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{rule}");
    }

    async fn a_backend_has_a_name_and_is_connected_once_it_says_so(&self) {
        for client in &self.clients {
            assert!(!client.identity().is_empty(), "a backend has a name");
            assert_eq!(client.identity(), client.identity(), "a backend keeps its name");
            let connected = client.connect().await;
            assert!(connected.is_ok(), "a backend that can be reached connects: {connected:?}");
            assert!(client.connected(), "a backend that has connected says so");
            let changed = client.connection_changed().now_or_never();
            assert!(changed.is_none(), "`connection_changed` waits while nothing changes");
        }
    }

    async fn an_empty_store_has_one_empty_page(&self) {
        let (found, id) = self.pull(&store(), 0).await;
        assert!(found.is_empty() && !id.is_empty(), "a store without events has an empty page with the log's id");
    }

    async fn what_is_pushed_is_pulled_as_it_was(&self) {
        let (store, pushed) = (store(), events(0, 7));
        self.push(0, &store, 0, &pushed[..3]).await;
        self.push(1, &store, 3, &pushed[3..]).await;
        let (found, id) = self.pull(&store, 0).await;
        self.same(
            &found,
            &pushed,
            "events come back as they were pushed, their arguments to the letter, in the order of the pushes",
        );
        assert_eq!(self.pull(&store, 0).await.1, id, "a log keeps its id");
        let answer = self.try_push(0, &store, 7, &[]).await;
        assert!(matches!(answer, Ok(PushAnswer::Accepted { .. })), "an empty push is accepted: {answer:?}");
    }

    async fn an_event_may_be_as_large_and_deep_as_commits_allow(&self) {
        let (store, mut pushed) = (store(), events(0, 2));
        let most = Limits::default().max_event_bytes;
        pushed[0].args = Some(format!("\"{}\"", "x".repeat(most - 2)));
        pushed[1].args = Some(format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)));
        self.push(0, &store, 0, &pushed).await;
        let rule = "an event may have 256 KiB of arguments, and 64 levels of them";
        self.same(&self.pull(&store, 0).await.0, &pushed, rule);
    }

    async fn a_batch_may_be_as_long_as_clients_make_them(&self) {
        let store = store();
        let (many, mut large) = (events(0, BATCH_EVENTS as u64), events(BATCH_EVENTS as u64, 10));
        for event in &mut large {
            event.args = Some(format!("\"{}\"", "y".repeat(BATCH_BYTES / 10 - 1_000)));
        }
        self.push(0, &store, 0, &many).await;
        self.push(1, &store, many.len() as u64, &large).await;
        let rule = "a batch may have 100 events, or 900 kB of them";
        self.same(&self.pull(&store, 0).await.0, &[many, large].concat(), rule);
    }

    async fn a_batch_that_does_not_follow_the_head_is_refused_whole(&self) {
        let store = store();
        self.push(0, &store, 0, &events(0, 3)).await;
        for after in [0, 2, 4] {
            let answer = self.try_push(1, &store, after, &events(after, 2)).await;
            let ahead = matches!(answer, Ok(PushAnswer::Ahead { head: 3 }));
            assert!(ahead, "a push behind e{after} of a log that ends at e3 is told of the head: {answer:?}");
        }
        assert_eq!(self.pull(&store, 0).await.0.len(), 3, "a push that is refused leaves nothing");
    }

    async fn a_batch_with_a_gap_is_refused_whole(&self) {
        let store = store();
        let mut gap = events(0, 3);
        gap.remove(1);
        let answer = self.try_push(0, &store, 0, &gap).await;
        assert!(!matches!(answer, Ok(PushAnswer::Accepted { .. })), "a batch with a gap inside is refused: {answer:?}");
        assert!(self.pull(&store, 0).await.0.is_empty(), "a batch with a gap leaves nothing");
    }

    async fn of_two_who_push_at_once_one_is_told_of_the_other(&self) {
        let store = store();
        for round in 0..10 {
            let (ours, theirs) = (events(round, 1), events(round, 1));
            let (one, two) = futures_util::future::join(
                self.try_push(0, &store, round, &ours),
                self.try_push(1, &store, round, &theirs),
            )
            .await;
            let accepted = |answer: &Result<PushAnswer, _>| matches!(answer, Ok(PushAnswer::Accepted { .. }));
            assert!(accepted(&one) != accepted(&two), "exactly one of two pushes is accepted: {one:?} {two:?}");
        }
        assert_eq!(self.pull(&store, 0).await.0.len(), 10, "each place has one event");
    }

    async fn a_pull_begins_behind_its_number_and_comes_in_pages(&self) {
        let (store, pushed) = (store(), events(0, 250));
        for batch in pushed.chunks(50) {
            self.push(0, &store, batch[0].number.global() - 1, batch).await;
        }
        for after in [0, 1, 99, 249, 250] {
            let found = self.pull(&store, after as u64).await.0;
            self.same(&found, &pushed[after..], "a pull brings all events behind its number, each once, in order");
        }
    }

    async fn another_log_is_said_to_be_one(&self) {
        let store = store();
        self.push(0, &store, 0, &events(0, 1)).await;
        let id = self.pull(&store, 0).await.1;
        let known = PullRequest::new(&store, &self.payload).after(1, Some(&id));
        assert!(self.try_pages(known).await.is_ok(), "a pull that names the log's id is answered");
        let other = PullRequest::new(&store, &self.payload).after(1, Some("another log"));
        let refused = self.try_pages(other).await;
        assert!(
            matches!(&refused, Err(BackendError::OtherBackend { backend_id }) if *backend_id == id),
            "a pull behind a number of another log is told the id: {refused:?}"
        );
        let batch = events(1, 1);
        let push = PushRequest::new(&store, 1, &batch, &self.payload).backend_id(Some("another log"));
        let refused = self.clients[0].push(push).await;
        assert!(
            matches!(&refused, Ok(PushAnswer::OtherBackend { backend_id }) if *backend_id == id),
            "a push behind a number of another log is told the id: {refused:?}"
        );
        assert_eq!(self.pull(&store, 0).await.0.len(), 1, "such a push leaves nothing");
    }

    async fn stores_do_not_meet(&self) {
        let (one, two) = (store(), store());
        let (ours, theirs) = (events(0, 2), events(0, 3));
        self.push(0, &one, 0, &ours).await;
        self.push(0, &two, 0, &theirs).await;
        self.same(&self.pull(&one, 0).await.0, &ours, "each store has a log of its own");
        self.same(&self.pull(&two, 0).await.0, &theirs, "each store has a log of its own");
    }

    async fn a_live_pull_goes_on_with_what_anybody_pushes(&self) {
        let (store, pushed) = (store(), events(0, 9));
        self.push(0, &store, 0, &pushed[..2]).await;
        let mut pull = self.clients[1].pull(PullRequest::new(&store, &self.payload).live(true));
        let mut found = Vec::new();
        for (client, batch) in [(0, 2..4), (1, 4..9)] {
            while found.len() < batch.start {
                found.extend(next(&mut pull).await.events);
            }
            let after = batch.start as u64;
            self.push(client, &store, after, &pushed[batch]).await;
        }
        while found.len() < pushed.len() {
            found.extend(next(&mut pull).await.events);
        }
        self.same(&found, &pushed, "a live pull brings every later push once, also those of the client itself");
    }

    async fn a_live_pull_of_another_log_ends_with_its_id(&self) {
        let store = store();
        self.push(0, &store, 0, &events(0, 1)).await;
        let id = self.pull(&store, 0).await.1;
        let request = PullRequest::new(&store, &self.payload).after(1, Some("another log")).live(true);
        let mut pull = self.clients[1].pull(request);
        let refused = pull.next().await;
        assert!(
            matches!(&refused, Some(Err(BackendError::OtherBackend { backend_id })) if *backend_id == id),
            "a live pull behind a number of another log is told the id: {refused:?}"
        );
        assert!(pull.next().await.is_none(), "a pull ends with its error");
    }

    async fn live_pulls_do_not_meet_and_may_be_dropped_at_any_time(&self) {
        let ((one, two), (ours, theirs)) = ((store(), store()), (events(0, 4), events(0, 3)));
        let live = |store, after| PullRequest::new(store, &self.payload).after(after, None).live(true);
        self.push(0, &one, 0, &ours[..2]).await;
        // One that nobody has asked for a page, and one that is in the midst.
        drop(self.clients[1].pull(live(&one, 0)));
        let mut dropped = self.clients[1].pull(live(&one, 0));
        next(&mut dropped).await;
        drop(dropped);
        let (mut of_one, mut late) = (self.clients[1].pull(live(&one, 0)), self.clients[1].pull(live(&one, 2)));
        let mut of_two = self.clients[1].pull(live(&two, 0));
        let empty = [next(&mut of_two).await, next(&mut late).await];
        assert!(empty.iter().all(|page| page.events.is_empty()), "a live pull begins with what there is: {empty:?}");
        self.push(0, &two, 0, &theirs).await;
        self.push(0, &one, 2, &ours[2..]).await;
        self.same(&until(&mut of_one, 4).await, &ours, "a live pull beside others brings all of its store");
        self.same(&until(&mut late, 2).await, &ours[2..], "a live pull begins behind its number");
        self.same(&until(&mut of_two, 3).await, &theirs, "a live pull brings nothing of another store");
    }
}

type Pull<'a> = crate::sync::BoxStream<'a, Result<PullPage, BackendError>>;

async fn next(pull: &mut Pull<'_>) -> PullPage {
    match pull.next().await {
        Some(Ok(page)) => page,
        other => panic!("a live pull goes on: {other:?}"),
    }
}

/// So many events of a live pull.
async fn until(pull: &mut Pull<'_>, count: usize) -> Vec<StoredEvent> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(next(pull).await.events);
    }
    found
}
