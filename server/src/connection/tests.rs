//! The state machine, without a socket: frames in, actions and frames out, and the time is what the test says.

mod bounds;
mod permits;
mod rates;
mod window;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use larder_wire::{Call, ClientFrame, Event, Limits, Metadata, Peer, PulledEvent, Request, Tracing};
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::storage::{Page, StorageError};

struct Bench {
    connection: Connection,
    now: Now,
    /// Actions that were asked for and not answered yet.
    open: Vec<Action>,
    followed: BTreeMap<StoreId, i64>,
}

fn event(number: u64, bytes: usize) -> Event {
    Event {
        name: "x".to_owned(),
        args: (bytes > 1).then(|| RawValue::from_string("1".repeat(bytes - 1)).expect("JSON")),
        seq_num: number,
        parent_seq_num: number - 1,
        client_id: String::new(),
        session_id: String::new(),
        id: None,
    }
}

fn pulled(numbers: std::ops::RangeInclusive<u64>, bytes: usize, head: u64) -> Pulled {
    let stamped = |number| {
        let metadata = Some(Metadata { created_at: String::new() });
        Arc::new(PulledEvent { event: event(number, bytes), metadata })
    };
    Pulled::Page { page: Page { events: numbers.map(stamped).collect(), head }, backend_id: "backend".into() }
}

fn empty() -> Pulled {
    Pulled::Page { page: Page { events: Vec::new(), head: 0 }, backend_id: "backend".into() }
}

impl Bench {
    fn new(peer: Peer, settings: Settings) -> Self {
        let opening = Opening { peer, door: Transport::WebSocket, store: None, payload: None, authenticated: false };
        let connection = Connection::new(opening, settings);
        Self { connection, now: Now::default(), open: Vec::new(), followed: BTreeMap::new() }
    }

    fn collect(&mut self) {
        for action in self.connection.take_actions() {
            match action {
                Action::Follow(store) => *self.followed.entry(store).or_default() += 1,
                Action::Unfollow(store) => *self.followed.entry(store).or_default() -= 1,
                Action::Count(_) => {}
                asked => self.open.push(asked),
            }
        }
    }

    fn ask(&mut self, id: u64, store: &str, call: Call) {
        let request = Request {
            id: RequestId::Number(id),
            transport: Transport::WebSocket,
            store_id: store.to_owned(),
            payload: None,
            call,
            tracing: Tracing::default(),
            headers: Vec::new(),
        };
        self.connection.frame(&ClientFrame::Request(request).encode(Peer::Larder), self.now);
        self.collect();
    }

    fn pull(&mut self, id: u64, store: &str) {
        self.ask(id, store, Call::Pull { cursor: None, live: true });
    }

    fn push(&mut self, id: u64, store: &str, head: u64) {
        self.ask(id, store, Call::Push { batch: vec![event(head + 1, 1)], backend_id: None });
    }

    fn interrupt(&mut self, id: u64) {
        let frame = ClientFrame::Interrupt { request_id: RequestId::Number(id) };
        self.connection.frame(&frame.encode(Peer::Larder), self.now);
        self.collect();
    }

    fn done(&mut self, done: Done) {
        self.connection.done(done, self.now);
        self.collect();
    }

    fn permit(&mut self, ticket: u64) {
        self.done(Done::Authorized { ticket, revision: self.now.revision, answer: Ok(Permit::default()) });
    }

    /// The rules permit what they are asked for; the ticket of what is wanted then.
    fn permitted(&mut self, kind: &str) -> u64 {
        let ticket = self.only("authorize");
        self.permit(ticket);
        self.only(kind)
    }

    /// The ticket of the only open action, which is one of the kind.
    fn only(&mut self, kind: &str) -> u64 {
        assert_eq!(self.open.len(), 1, "{:?}", self.open);
        match (kind, self.open.pop().expect("one")) {
            ("authorize", Action::Authorize { ticket, .. })
            | ("pull", Action::Pull { ticket, .. })
            | ("push", Action::Push { ticket, .. }) => ticket,
            (_, other) => panic!("no {kind}: {other:?}"),
        }
    }

    fn frames(&mut self) -> Vec<ServerFrame> {
        let mut frames = Vec::new();
        while let Some(text) = self.connection.pop(self.now) {
            frames.push(ServerFrame::decode(&text, &Limits::default()).expect("a frame"));
        }
        self.collect();
        frames
    }

    fn pass(&mut self, time: Duration) {
        self.now.at += time;
        self.connection.tick(self.now);
        self.collect();
    }

    fn hear(&mut self, store: &str, head: u64, pushes: usize, bytes: usize) {
        let store = StoreId::new(store).expect("an id");
        self.connection.news(BTreeMap::from([(store, News { head, pushes, bytes })]), self.now);
        self.collect();
    }

    /// A live pull that has all of an empty log.
    fn caught_up(&mut self, id: u64, store: &str) {
        self.pull(id, store);
        let ticket = self.permitted("pull");
        self.done(Done::Pulled { ticket, outcome: empty() });
        assert_eq!(self.frames().len(), 1);
    }
}

#[test]
fn an_answer_for_an_interrupted_pull_is_none_for_the_next_with_its_id() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.pull(1, "mine");
    let for_mine = bench.only("authorize");
    bench.interrupt(1);
    bench.pull(1, "theirs");
    let for_theirs = bench.only("authorize");
    bench.permit(for_mine);
    assert!(bench.open.is_empty(), "{:?}", bench.open);
    bench.permit(for_theirs);
    let read_of_theirs = bench.only("pull");
    bench.interrupt(1);
    bench.pull(1, "mine");
    bench.frames();
    bench.done(Done::Pulled { ticket: read_of_theirs, outcome: pulled(1..=3, 1, 3) });
    assert!(bench.frames().is_empty(), "what was read of another store is not shown");
    let ticket = bench.only("authorize");
    bench.permit(ticket);
    bench.only("pull");
}

#[test]
fn one_page_is_read_at_a_time_and_none_while_much_waits() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    for id in 0..20 {
        bench.pull(id, &format!("s{id}"));
    }
    let tickets: Vec<_> = bench
        .open
        .drain(..)
        .map(|action| match action {
            Action::Authorize { ticket, .. } => ticket,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(tickets.len(), 20);
    tickets.into_iter().for_each(|ticket| bench.permit(ticket));
    let ticket = bench.only("pull");
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=100, 9_000, 100) });
    assert!(bench.open.is_empty(), "900 kB wait for the client");
    bench.pass(Duration::from_secs(9));
    assert!(bench.connection.closing().is_none(), "a backlog is not late");
    assert_eq!(bench.frames().len(), 1);
    bench.only("pull");
    bench.pass(STALLED);
    assert!(bench.connection.closing().is_none(), "nothing waits");
}

#[test]
fn a_reader_is_late_with_what_came_after_it_had_all_and_only_after_a_while() {
    for (pushes, bytes, late) in [(1_000, 10, false), (1_001, 10, true), (2, 1024 * 1024 + 1, true)] {
        let mut bench = Bench::new(Peer::TypeScript, Settings::default());
        bench.caught_up(1, "a");
        bench.hear("a", 1, 1, 1);
        let ticket = bench.only("pull");
        // It does not take this page, and more is to come.
        bench.done(Done::Pulled { ticket, outcome: pulled(1..=1, 70_000, 1) });
        bench.hear("a", 5, pushes - 1, bytes);
        bench.pass(Duration::from_millis(1));
        bench.pass(Duration::from_millis(1_999));
        assert_eq!(bench.connection.closing(), None);
        bench.pass(Duration::from_millis(1));
        assert_eq!(bench.connection.closing().map(|close| close.code), late.then_some(1013), "{pushes} {bytes}");
        assert!(bench.open.is_empty(), "nothing is read for it meanwhile");
    }
}

#[test]
fn whoever_takes_nothing_at_all_is_dropped_and_so_is_who_is_never_permitted() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.caught_up(1, "a");
    bench.connection.frame(r#"{"_tag":"Ping"}"#, bench.now);
    bench.pass(STALLED - Duration::from_millis(1));
    assert_eq!(bench.connection.closing(), None);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.connection.closing().map(|close| close.code), Some(1013));

    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.pass(Duration::from_millis(4_999));
    assert_eq!(bench.connection.closing(), None);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.connection.closing().map(|close| close.code), Some(1008));
}

#[test]
fn a_flood_of_pings_that_nobody_reads_the_answers_of_is_bounded() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    for _ in 0..100_000 {
        bench.connection.frame(r#"{"_tag":"Ping"}"#, bench.now);
    }
    assert_eq!(bench.connection.closing().map(|close| close.code), Some(1013));
    assert!(bench.frames().len() <= 4_001);
}

#[test]
fn a_stopping_connection_ends_its_pushes_refuses_others_and_closes() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.push(1, "a", 0);
    let ticket = bench.permitted("push");
    bench.connection.stop(bench.now);
    bench.push(2, "a", 1);
    assert_eq!(bench.connection.closing(), None);
    bench.done(Done::Pushed { ticket, outcome: Pushed::Done });
    let frames = bench.frames();
    assert!(
        matches!(
            &frames[..],
            [
                ServerFrame::Exit { request_id: RequestId::Number(2), exit: Exit::Failed(_) },
                ServerFrame::Exit { request_id: RequestId::Number(1), exit: Exit::Pushed },
            ]
        ),
        "{frames:?}"
    );
    assert_eq!(bench.connection.closing().map(|close| close.code), Some(1001));
}

#[test]
fn a_failing_storage_ends_the_connection_of_a_typescript_pull_and_answers_a_larder_one() {
    for peer in [Peer::TypeScript, Peer::Larder] {
        let mut bench = Bench::new(peer, Settings::default());
        bench.caught_up(1, "a");
        bench.hear("a", 1, 1, 1);
        let ticket = bench.only("pull");
        bench.done(Done::Pulled { ticket, outcome: Pulled::Failed(StorageError::Closed) });
        let closed = bench.connection.closing().map(|close| close.code);
        assert_eq!((closed, bench.frames().len()), if peer == Peer::Larder { (None, 1) } else { (Some(1013), 0) });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is asked and answered in whatever order: every pull gets its log in order, what waits is bounded, what is followed is
    /// followed for somebody, and every request is answered at most once.
    #[test]
    fn any_order_of_events_leaves_a_connection_in_order(steps in proptest::collection::vec((0..8_u8, 0..6_u64, any::<u8>()), 0..120)) {
        let settings = Settings { pushes_per_second: 1_000_000, unauthenticated: Duration::MAX, ..Settings::default() };
        let mut bench = Bench::new(Peer::Larder, settings);
        let mut heads: BTreeMap<String, u64> = BTreeMap::new();
        let mut cursors: BTreeMap<u64, u64> = BTreeMap::new();
        for (step, id, choice) in steps {
            let store = format!("s{}", id % 3);
            match step {
                0 if !cursors.contains_key(&id) => {
                    cursors.insert(id, 0);
                    bench.pull(id, &store);
                }
                1 => bench.push(100 + id, &store, 0),
                2 => {
                    bench.interrupt(id);
                    for frame in bench.frames() { check(&frame, &mut cursors); }
                    cursors.remove(&id);
                }
                3 => {
                    let head = heads.entry(store.clone()).or_default();
                    *head += u64::from(choice % 5);
                    let head = *head;
                    bench.hear(&store, head, 1, 1);
                }
                4 => bench.now.revision += u64::from(choice < 40),
                5 => bench.pass(Duration::from_millis(u64::from(choice) * 10)),
                _ if !bench.open.is_empty() => {
                    let action = bench.open.remove(usize::from(choice) % bench.open.len());
                    let done = answer(action, &heads, choice, bench.now);
                    bench.done(done);
                }
                _ => {}
            }
            prop_assert!(bench.connection.outbox.bytes() < 2_000_000);
            for frame in bench.frames() { check(&frame, &mut cursors); }
            prop_assert!(bench.followed.values().all(|count| (0..=1).contains(count)), "{:?}", bench.followed);
        }
        prop_assert!(bench.connection.closing().is_none());
    }
}

fn answer(action: Action, heads: &BTreeMap<String, u64>, choice: u8, now: Now) -> Done {
    match action {
        Action::Authorize { ticket, .. } => {
            let refused = Err(Refused::Forbidden(String::new()));
            let answer = if choice.is_multiple_of(7) { refused } else { Ok(Permit::default()) };
            Done::Authorized { ticket, revision: now.revision, answer }
        }
        Action::Push { ticket, .. } => Done::Pushed { ticket, outcome: Pushed::Done },
        Action::Pull { ticket, store, after, .. } => {
            let head = heads.get(store.as_str()).copied().unwrap_or(0);
            let last = head.min(after + u64::from(choice % 4));
            Done::Pulled { ticket, outcome: pulled(after + 1..=last, 1, head) }
        }
        other => panic!("{other:?}"),
    }
}

/// A page goes on where the last one ended.
fn check(frame: &ServerFrame, cursors: &mut BTreeMap<u64, u64>) {
    match frame {
        ServerFrame::Chunk { request_id: RequestId::Number(id), values } => {
            let cursor = cursors.get_mut(id).expect("a page of an open pull");
            for pulled in &values[0].batch {
                *cursor += 1;
                assert_eq!(pulled.event.seq_num, *cursor);
            }
        }
        ServerFrame::Exit { request_id: RequestId::Number(id), .. } if *id < 100 => {
            assert!(cursors.remove(id).is_some(), "one exit a pull");
        }
        _ => {}
    }
}
