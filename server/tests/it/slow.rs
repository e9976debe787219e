//! A reader that does not read is dropped, costs no memory meanwhile, and gets everything when it pulls again.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use larder_server::Settings;
use larder_wire::Exit;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

use crate::lab::{Lab, event, push, rules};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_is_dropped_and_catches_up_when_it_pulls_again() {
    let settings = Settings {
        pushes_per_second: 1_000_000,
        bytes_per_second: 1 << 40,
        slow_reader: Duration::from_millis(200),
        ..Settings::default()
    };
    let lab = Lab::with(settings).await;
    // A socket that takes little and never reads what it is sent.
    let stuck = TcpSocket::new_v4().expect("a socket");
    stuck.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stuck = stuck.connect(lab.address).await.expect("the server is there");
    let hello = format!(
        "GET /?storeId=a HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        lab.address
    );
    stuck.write_all(hello.as_bytes()).await.expect("an upgrade");
    let pull = br#"{"_tag":"Request","id":"1","tag":"SyncWsRpc.Pull","payload":{"storeId":"a","live":true,"cursor":{"_tag":"None"}}}"#;
    let mut frame = vec![0x81, 0x80 | 126, 0, u8::try_from(pull.len()).expect("short"), 0, 0, 0, 0];
    frame.extend_from_slice(pull);
    stuck.write_all(&frame).await.expect("a pull");

    let mut writer = lab.typescript("a").await;
    let mut fast = lab.typescript("a").await;
    let reads = fast.pull_live("a", None).await;
    assert!(fast.page_of(&reads).await.batch.is_empty());
    while lab.metric("live_pulls").await < 2 {}
    let began = Instant::now();
    let mut head = 0;
    while lab.metric("slow_readers_total").await == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "the slow reader is still there after e{head}");
        let large = format!("\"{}\"", "x".repeat(200_000));
        let id = writer.ask("a", None, push(vec![event(head + 1, &large)])).await;
        assert_eq!(writer.exit_of(&id).await, Exit::Pushed);
        head += 1;
        assert_eq!(fast.numbers_until(&reads, head).await, [head], "who reads is not held up");
    }
    assert!(head > 5, "it is given some time and room");
    while lab.metric("live_pulls").await > 1 {
        sleep(Duration::from_millis(5)).await;
    }
    drop(stuck);
    let mut again = lab.typescript("a").await;
    let id = again.pull_live("a", None).await;
    assert_eq!(again.numbers_until(&id, head).await, (1..=head).collect::<Vec<_>>());
    assert_eq!(lab.metric("slow_readers_total").await, 1, "the others are not slow");
}

#[tokio::test]
async fn a_socket_that_is_only_open_is_closed_in_time() {
    let settings = Settings { unauthenticated: Duration::from_secs(2), ..Settings::default() };
    let rules = rules("[[rules]]\nstores = [\"*\"]\ntokens = [\"t\"]");
    let lab = Lab::start(settings, std::sync::Arc::new(larder_server::MemoryStorage::new()), rules).await;
    let began = Instant::now();
    let mut silent = crate::lab::Socket::larder(lab.address, None).await.expect("it may say later who it is");
    assert_eq!(silent.closed().await, 1008);
    assert!(began.elapsed() < Duration::from_secs(20));
    // Pings are no reason to stay.
    let mut pinging = crate::lab::Socket::larder(lab.address, None).await.expect("it may say later who it is");
    pinging.send(r#"{"_tag":"Ping"}"#).await;
    assert_eq!(pinging.closed().await, 1008);
    let mut known = crate::lab::Socket::larder(lab.address, None).await.expect("it may say later who it is");
    let call = larder_wire::Call::Pull { cursor: None, live: true };
    let id = known.ask("a", Some(serde_json::json!({ "authToken": "t" })), call).await;
    known.page_of(&id).await;
    sleep(Duration::from_millis(2_500)).await;
    known.send(r#"{"_tag":"Ping"}"#).await;
    assert!(known.next().await.is_ok(), "somebody known may stay");
    // One that does not even ask.
    let mut mute = tokio::net::TcpStream::connect(lab.address).await.expect("the server is there");
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(10), tokio::io::AsyncReadExt::read(&mut mute, &mut byte)).await;
    assert_eq!(read.expect("the server ends it").unwrap_or(0), 0);
}

/// A request on a connection that stays, if the server lets it.
fn kept(method: &str, target: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {target} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn pull(token: &str) -> Vec<u8> {
    let payload = format!("%257B%2522authToken%2522%253A%2522{token}%2522%257D");
    let body =
        r#"{"_tag":"Request","id":"1","tag":"SyncHttpRpc.Pull","payload":{"storeId":"a","cursor":{"_tag":"None"}}}"#;
    kept("POST", &format!("/?storeId=a&payload={payload}"), body)
}

/// Asks again and again, until the server ends the connection; how many answers came.
async fn asks_until_closed(address: SocketAddr, request: &[u8]) -> usize {
    let mut stream = TcpStream::connect(address).await.expect("the server is there");
    for answers in 0.. {
        let mut bytes = [0; 4096];
        // Whether it is closed shows when nothing more can be read.
        if stream.write_all(request).await.is_err() || stream.read(&mut bytes).await.unwrap_or(0) == 0 {
            return answers;
        }
    }
    0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_on_which_nothing_is_permitted_ends_in_time_whatever_it_asks() {
    let settings = Settings { unauthenticated: Duration::from_secs(1), ..Settings::default() };
    let rules = rules("[[rules]]\nstores = [\"*\"]\ntokens = [\"t\"]");
    let lab = Lab::start(settings, std::sync::Arc::new(larder_server::MemoryStorage::new()), rules).await;
    let mut known = TcpStream::connect(lab.address).await.expect("the server is there");
    let answered = async |known: &mut TcpStream| {
        known.write_all(&pull("t")).await.expect("a request");
        let mut answer = Vec::new();
        while !answer.ends_with(b"0\r\n\r\n") {
            assert!(known.read_buf(&mut answer).await.expect("an answer") > 0, "it is closed");
        }
    };
    answered(&mut known).await;
    let half = pull("t");
    let larder = b"POST / HTTP/1.1\r\nhost: x\r\nx-larder: 1\r\ncontent-length: 1000\r\n\r\n{".to_vec();
    let strangers = [
        ("health", kept("GET", "/healthz", "")),
        ("metrics", kept("GET", "/metrics", "")),
        ("preflights", kept("OPTIONS", "/?storeId=a", "")),
        ("half a header", half[..40].to_vec()),
        ("half a body", larder),
    ];
    for (what, request) in strangers {
        let began = Instant::now();
        let ended = tokio::time::timeout(Duration::from_secs(15), asks_until_closed(lab.address, &request)).await;
        assert!(ended.is_ok(), "{what}: the connection is still there");
        assert!(began.elapsed() > Duration::from_millis(900), "{what}: it has its time");
    }
    assert_eq!(asks_until_closed(lab.address, &kept("DELETE", "/?storeId=a", "")).await, 1, "no request");
    assert_eq!(asks_until_closed(lab.address, &pull("wrong")).await, 1, "a wrong token is tried once a connection");
    answered(&mut known).await;
}
