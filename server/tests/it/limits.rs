//! Every limit is answered with what is too large and what to do, and nothing that arrives harms the others.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use larder_server::{MemoryStorage, OpenToAll, Server, Settings, SqliteStorage, Storage};
use larder_wire::{
    Call, ClientFrame, Event, Exit, Failure, Limits, Peer, RefusalKind, RequestId, ServerFrame, Transport,
};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::lab::{Lab, Socket, event, events, failure, http, post, push, request};

fn refused(exit: Exit) -> (RefusalKind, String) {
    match failure(exit) {
        Failure::Refused(refusal) => (refusal.kind, refusal.message),
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test]
async fn an_event_or_batch_beyond_its_limit_is_refused_typed_and_the_connection_goes_on() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let sized = |number: u64, bytes: usize| event(number, &format!("\"{}\"", "x".repeat(bytes)));
    let cases = [
        (vec![sized(1, Limits::EVENT_BYTES)], "e1 has 262", "put large values elsewhere"),
        (events(0, 101), "the push has 101 events, at most 100", "split it"),
        ((1..=5).map(|number| sized(number, 220_000)).collect(), "the events of the push have 11", "split it"),
    ];
    for (batch, culprit, remedy) in cases {
        let id = socket.ask("a", None, push(batch.clone())).await;
        let (kind, message) = refused(socket.exit_of(&id).await);
        assert_eq!(kind, RefusalKind::TooLarge);
        assert!(message.contains(culprit) && message.contains(remedy), "{message}");
        let frames = post(lab.address, "a", None, push(batch)).await.frames();
        let [ServerFrame::Exit { exit, .. }] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(refused(exit.clone()).1, message, "both doors say the same");
    }
    assert_eq!(socket.push("a", 0, 100).await, Exit::Pushed);
    assert_eq!(socket.push("a", 100, 1).await, Exit::Pushed);
}

#[tokio::test]
async fn every_page_fits_a_message_whatever_json_makes_of_the_names_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_a_file = SqliteStorage::open(folder.path()).expect("a log");
    let storages: [Arc<dyn Storage>; 2] = [Arc::new(MemoryStorage::new()), Arc::new(in_a_file)];
    for storage in storages {
        let lab = Lab::start(Settings::default(), storage, Arc::new(OpenToAll)).await;
        let mut socket = lab.larder().await;
        let args = format!("\"{}\"", "x".repeat(8_000));
        // JSON writes each of these bytes as six.
        let labelled = |number| Event { name: "\u{1}".repeat(1_000), ..event(number, &args) };
        let id = socket.ask("a", None, push((1..=100).map(labelled).collect())).await;
        assert_eq!(socket.exit_of(&id).await, Exit::Pushed);
        let id = socket.ask("a", None, Call::Pull { cursor: None, live: false }).await;
        let mut pulled = Vec::new();
        while pulled.len() < 100 {
            let page = socket.page_of(&id).await;
            pulled.extend(page.batch.iter().map(|pulled| pulled.event.seq_num));
            let bytes = ServerFrame::Chunk { request_id: id.clone(), values: vec![page] }.encode(Peer::Larder).len();
            assert!(bytes <= 910_000, "{bytes}");
        }
        assert_eq!(pulled, (1..=100).collect::<Vec<_>>());
        assert_eq!(socket.exit_of(&id).await, Exit::Ended);
    }
}

#[tokio::test]
async fn an_event_that_no_message_to_its_readers_could_have_is_refused() {
    let wire = Limits { message_bytes: 100_000, ..Limits::default() };
    let lab = Lab::with(Settings { wire, ..Settings::default() }).await;
    let mut socket = lab.larder().await;
    let of_bytes = |bytes: usize| event(1, &format!("\"{}\"", "x".repeat(bytes - 2)));
    let id = socket.ask("a", None, push(vec![of_bytes(96_000)])).await;
    let (kind, message) = refused(socket.exit_of(&id).await);
    assert_eq!(kind, RefusalKind::TooLarge);
    assert!(message.contains("e1 has 963") && message.contains("at most 95904"), "{message}");
    let id = socket.ask("a", None, push(vec![of_bytes(95_000)])).await;
    assert_eq!(socket.exit_of(&id).await, Exit::Pushed);
}

#[tokio::test]
async fn a_message_beyond_its_limit_ends_the_connection_with_the_code_for_it() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let _ = socket.try_send("x".repeat(Limits::MESSAGE_BYTES + 1)).await;
    assert_eq!(socket.closed().await, 1009);
    let body = "x".repeat(Limits::MESSAGE_BYTES + 1);
    let answer = http(lab.address, "POST", "/?storeId=a", &[], &body).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("at most 2097152 bytes"), "{}", answer.body);
    let mut deep = lab.typescript("a").await;
    deep.send("[".repeat(Limits::JSON_DEPTH + Limits::ENVELOPE_DEPTH + 1)).await;
    let Ok(ServerFrame::Defect(defect)) = deep.next().await else { panic!("no defect") };
    assert!(defect.to_string().contains("deeper than 64 levels"), "{defect}");
}

#[tokio::test]
async fn more_pushes_a_second_than_allowed_are_refused_typed_and_far_more_bytes_end_the_connection() {
    let settings = Settings { pushes_per_second: 2, bytes_per_second: 1_000, ..Settings::default() };
    let lab = Lab::with(settings).await;
    let mut socket = lab.larder().await;
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(socket.ask(&format!("store{number}"), None, push(events(0, 1))).await);
    }
    let (mut taken, mut too_fast) = (0, 0);
    for id in &ids {
        match socket.exit_of(id).await {
            Exit::Pushed => taken += 1,
            other => {
                let (kind, message) = refused(other);
                assert_eq!(kind, RefusalKind::TooFast);
                assert_eq!(message, "more than 2 pushes in a second; push more at once");
                too_fast += 1;
            }
        }
    }
    assert!(taken >= 2 && too_fast > 0, "{taken} taken, {too_fast} refused");

    let mut heavy = lab.typescript("b").await;
    let large = format!("\"{}\"", "x".repeat(250_000));
    for _ in 0..12 {
        let (_, text) = heavy.request("b", None, push(vec![event(1, &large)]));
        if heavy.try_send(text).await.is_err() {
            break;
        }
    }
    // What is said before that, and when, is in the tests of the state machine: here the time is the machine's.
    assert!([1008, 1006].contains(&heavy.closed().await), "who sends far too much is dropped");
}

#[tokio::test]
async fn the_rates_hold_for_a_connection_of_http_too() {
    let settings = Settings { pushes_per_second: 3, ..Settings::default() };
    let lab = Lab::with(settings).await;
    let mut stream = TcpStream::connect(lab.address).await.expect("the server is there");
    let mut answers = String::new();
    for head in 0..6 {
        let id = RequestId::Text("1".to_owned());
        let body = request(&id, Transport::Http, "a", None, push(events(head, 1))).encode(Peer::TypeScript);
        let head = format!("POST /?storeId=a HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).await.expect("a request");
        let mut one = String::new();
        while !one.ends_with("0\r\n\r\n") {
            let mut bytes = [0; 4096];
            let read = tokio::io::AsyncReadExt::read(&mut stream, &mut bytes).await.expect("an answer");
            one.push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
        }
        answers.push_str(&one);
    }
    assert_eq!(answers.matches(r#""_tag":"Success""#).count(), 3, "{answers}");
    assert!(answers.contains("more than 3 pushes in a second"), "{answers}");
}

#[tokio::test]
async fn so_many_connections_and_no_more() {
    let lab = Lab::with(Settings { connections: 3, ..Settings::default() }).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(lab.typescript("a").await);
    }
    let url = format!("ws://{}/?storeId=a", lab.address);
    assert!(tokio_tungstenite::connect_async(&url).await.is_err(), "the fourth is not taken");
    open.pop().expect("one").quit().await;
    while tokio_tungstenite::connect_async(&url).await.is_err() {}
    let _ = &open;
}

#[tokio::test]
async fn settings_that_leave_nobody_anything_are_refused_and_endless_ones_are_borne() {
    let start = async |settings: Settings| {
        Server::start(settings, Arc::new(MemoryStorage::new()), Arc::new(OpenToAll), "127.0.0.1:0").await
    };
    let none = start(Settings { queue_frames: 0, ..Settings::default() }).await.expect_err("nothing could be sent");
    assert!(none.to_string().contains("`queue_frames` is too little; give at least 1"), "{none}");
    let none = start(Settings { stores_per_connection: 0, ..Settings::default() }).await.expect_err("of no use");
    assert!(none.to_string().contains("`stores_per_connection` is too little; give at least 1"), "{none}");
    let forever = Settings {
        slow_reader: Duration::MAX,
        unauthenticated: Duration::MAX,
        permit: Duration::MAX,
        shutdown: Duration::MAX,
        connections: usize::MAX,
        ..Settings::default()
    };
    let server = start(forever).await.expect("a free port");
    let mut socket = Socket::typescript(server.address(), "a", None).await.expect("open");
    let live = socket.pull_live("a", None).await;
    socket.page_of(&live).await;
    assert_eq!(socket.push("a", 0, 1).await, Exit::Pushed);
    let pulled = post(server.address(), "a", None, Call::Pull { cursor: None, live: false }).await;
    assert_eq!(pulled.status, 200);
    let mut stopping = Box::pin(server.stop());
    assert!(stopping.as_mut().now_or_never().is_none(), "it waits until everybody has gone");
    assert_eq!(socket.closed().await, 1001);
    stopping.await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_arrives_the_server_goes_on_for_the_others() {
    let lab = Lab::with(Settings { unauthenticated: Duration::from_secs(2), ..Settings::default() }).await;
    let mut honest = lab.typescript("honest").await;
    let live = honest.pull_live("honest", None).await;
    honest.page_of(&live).await;
    let mut runner = TestRunner::deterministic();
    let noise = proptest::collection::vec(proptest::num::u8::ANY, 0..300);
    for round in 0..60_u64 {
        let bytes = noise.new_tree(&mut runner).expect("bytes").current();
        // On the network, in a WebSocket, and in a body.
        let mut raw = TcpStream::connect(lab.address).await.expect("the server is there");
        let _ = raw.write_all(&bytes).await;
        let mut socket = Socket::typescript(lab.address, "a", None).await.expect("open");
        socket.send_bytes(bytes.clone()).await;
        // Bytes that are no text have ended it.
        let _ = socket.try_send(changed(&bytes, round)).await;
        let mut other = Socket::typescript(lab.address, "a", None).await.expect("open");
        other.send(changed(&bytes, round)).await;
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let answer = http(lab.address, "POST", "/?storeId=a", &[], &text).await;
        assert!([200, 400].contains(&answer.status), "{}", answer.status);
        let query: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        let answer = http(lab.address, "POST", &format!("/?storeId=a&payload={query}"), &[], "{}").await;
        assert!([200, 400].contains(&answer.status), "{}", answer.status);
        assert_eq!(honest.push("honest", round, 1).await, Exit::Pushed);
        assert_eq!(honest.page_of(&live).await.batch.len(), 1);
        if round % 20 == 19 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// A good frame with one bad place.
fn changed(bytes: &[u8], round: u64) -> String {
    let call = if round.is_multiple_of(2) { push(events(0, 2)) } else { Call::Pull { cursor: None, live: true } };
    let frame: ClientFrame = request(&RequestId::Number(round), Transport::WebSocket, "a", None, call);
    let mut text = frame.encode(Peer::Larder).into_bytes();
    let at = usize::from(bytes.first().copied().unwrap_or(0)) % text.len();
    text[at] = bytes.last().copied().unwrap_or(b'x') & 0x7f;
    String::from_utf8_lossy(&text).into_owned()
}
