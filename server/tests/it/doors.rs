//! What a TypeScript client relies on, through both doors.

use larder_server::Settings;
use larder_wire::{Call, Cause, Cursor, Exit, Failure, HEADER, HEADER_VALUE, PageInfo, RequestId, ServerFrame};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::lab::{Lab, PATIENCE, events, failure, http, http_bytes, post, push};

#[tokio::test]
async fn an_empty_pull_is_one_page_without_events_that_says_the_backend() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let live = socket.pull_live("a", None).await;
    let page = socket.page_of(&live).await;
    assert!(page.batch.is_empty() && !page.backend_id.is_empty());
    assert_eq!((page.page_info, page.head), (PageInfo::NoMore, None));
    let ended = socket.ask("a", None, Call::Pull { cursor: None, live: false }).await;
    assert_eq!(socket.page_of(&ended).await.backend_id, page.backend_id);
    assert_eq!(socket.exit_of(&ended).await, Exit::Ended);
    let answer = post(lab.address, "a", None, Call::Pull { cursor: None, live: false }).await;
    let frames = answer.frames();
    assert!(matches!(&frames[..], [ServerFrame::Chunk { values, .. }, ServerFrame::Exit { exit: Exit::Ended, .. }]
        if values.len() == 1 && values[0].backend_id == page.backend_id));
}

#[tokio::test]
async fn everybody_in_a_store_gets_every_push_its_author_too_and_nobody_else() {
    let lab = Lab::open().await;
    let (mut author, mut other, mut stranger) =
        (lab.typescript("a").await, lab.typescript("a").await, lab.typescript("b").await);
    let (mine, theirs, strange) =
        (author.pull_live("a", None).await, other.pull_live("a", None).await, stranger.pull_live("b", None).await);
    for (socket, id) in [(&mut author, &mine), (&mut other, &theirs), (&mut stranger, &strange)] {
        assert!(socket.page_of(id).await.batch.is_empty());
    }
    assert_eq!(author.push("a", 0, 3).await, Exit::Pushed);
    for (socket, id) in [(&mut author, &mine), (&mut other, &theirs)] {
        let page = socket.page_of(id).await;
        assert_eq!(page.page_info, PageInfo::NoMore);
        let texts: Vec<_> = page.batch.iter().map(|pulled| pulled.event.args_text().unwrap_or_default()).collect();
        assert_eq!(texts, ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
        assert!(page.batch.iter().all(|pulled| pulled.metadata.is_some()));
    }
    stranger.send(r#"{"_tag":"Ping"}"#).await;
    assert_eq!(stranger.next().await, Ok(ServerFrame::Pong), "nothing of another store came before");
}

#[tokio::test]
async fn a_long_backlog_comes_in_pages_without_waiting_for_acks() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    for head in [0, 100, 200] {
        assert_eq!(socket.push("a", head, if head == 200 { 37 } else { 100 }).await, Exit::Pushed);
    }
    let id = socket.ask("a", None, Call::Pull { cursor: None, live: false }).await;
    for (length, info) in [
        (100, PageInfo::MoreKnown { remaining: 137 }),
        (100, PageInfo::MoreKnown { remaining: 37 }),
        (37, PageInfo::NoMore),
    ] {
        let page = socket.page_of(&id).await;
        assert_eq!((page.batch.len(), page.page_info), (length, info));
    }
    assert_eq!(socket.exit_of(&id).await, Exit::Ended);
    let all = post(lab.address, "a", None, Call::Pull { cursor: None, live: false }).await.frames();
    assert_eq!(all.len(), 4, "all pages of a pull are in one answer");
}

#[tokio::test]
async fn a_push_that_does_not_follow_the_head_is_told_the_head() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    assert_eq!(socket.push("a", 0, 5).await, Exit::Pushed);
    for parent in [0, 4, 6] {
        let ahead = Failure::ServerAhead { minimum_expected: 5, provided: parent };
        assert_eq!(failure(socket.push("a", parent, 1).await), ahead);
        let frames = post(lab.address, "a", None, push(events(parent, 1))).await.frames();
        assert!(matches!(&frames[..], [ServerFrame::Exit { exit, .. }] if failure(exit.clone()) == ahead));
    }
    assert_eq!(socket.push("a", 7, 0).await, Exit::Pushed, "an empty push is a success");
}

#[tokio::test]
async fn another_backend_is_told_to_pushes_and_pulls() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let id = socket.pull_live("a", None).await;
    let backend = socket.page_of(&id).await.backend_id;
    let mismatch = Failure::BackendIdMismatch { expected: backend.clone(), received: "nope".to_owned() };
    let other = Call::Push { batch: events(0, 1), backend_id: Some("nope".to_owned()) };
    let id = socket.ask("a", None, other.clone()).await;
    assert_eq!(failure(socket.exit_of(&id).await), mismatch);
    let cursor = Some(Cursor { backend_id: "nope".to_owned(), event_sequence_number: 0 });
    let id = socket.pull_live("a", cursor).await;
    assert_eq!(failure(socket.exit_of(&id).await), mismatch);
    let frames = post(lab.address, "a", None, other).await.frames();
    assert!(matches!(&frames[..], [ServerFrame::Exit { exit, .. }] if failure(exit.clone()) == mismatch));
    let known = Call::Push { batch: events(0, 1), backend_id: Some(backend) };
    let id = socket.ask("a", None, known).await;
    assert_eq!(socket.exit_of(&id).await, Exit::Pushed);
}

#[tokio::test]
async fn an_interrupted_pull_ends_and_an_interrupted_push_is_in_the_log() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let live = socket.pull_live("a", None).await;
    socket.page_of(&live).await;
    socket.send(json!({ "_tag": "Interrupt", "requestId": "1" }).to_string()).await;
    assert_eq!(socket.exit_of(&live).await, Exit::Failed(Cause::Interrupt));
    let pushed = socket.ask("a", None, push(events(0, 1))).await;
    socket.send(json!({ "_tag": "Interrupt", "requestId": "2" }).to_string()).await;
    assert_eq!(socket.exit_of(&pushed).await, Exit::Pushed);
    // What the interrupted pull would have got does not come.
    assert_eq!(socket.push("a", 1, 1).await, Exit::Pushed);
    socket.send(r#"{"_tag":"Ping"}"#).await;
    assert_eq!(socket.next().await, Ok(ServerFrame::Pong));
    assert_eq!(lab.metric("live_pulls").await, 0);
    assert_eq!(lab.metric("followed_stores").await, 0);
}

#[tokio::test]
async fn a_bad_request_fails_alone_and_garbage_is_a_defect() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let live = socket.pull_live("a", None).await;
    socket.page_of(&live).await;
    let id = RequestId::Text("x".to_owned());
    for bad in [
        json!({ "_tag": "Request", "id": "x", "tag": "SyncWsRpc.Nope", "payload": {}, "headers": [] }),
        json!({ "_tag": "Request", "id": "x", "tag": "SyncWsRpc.Push", "payload": { "storeId": 7 }, "headers": [] }),
    ] {
        socket.send(bad.to_string()).await;
        assert!(matches!(socket.exit_of(&id).await, Exit::Failed(Cause::Die(Value::String(_)))));
    }
    for garbage in ["", "{", "[]", "null", r#"{"_tag":"Nope"}"#] {
        socket.send(garbage).await;
        assert!(matches!(socket.next().await, Ok(ServerFrame::Defect(_))), "{garbage}");
    }
    socket.send_bytes(br#"{"_tag":"Ping"}"#.to_vec()).await;
    assert_eq!(socket.next().await, Ok(ServerFrame::Pong), "a binary frame with JSON is one, too");
    socket.send(r#"{"_tag":"Eof"}"#).await;
    assert_eq!(socket.push("a", 0, 1).await, Exit::Pushed);
    assert_eq!(socket.page_of(&live).await.batch.len(), 1, "the live pull goes on");
}

#[tokio::test]
async fn arguments_come_back_as_they_were_written_absent_ones_absent_in_every_pull() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let live = socket.pull_live("a", None).await;
    socket.page_of(&live).await;
    let mut sent = events(0, 3);
    sent[0].args = None;
    sent[1].args = Some(serde_json::value::RawValue::from_string("null".to_owned()).expect("JSON"));
    sent[2].args = Some(serde_json::value::RawValue::from_string("{ \"n\" : 1.0e3 }".to_owned()).expect("JSON"));
    let id = socket.ask("a", None, push(sent.clone())).await;
    assert_eq!(socket.exit_of(&id).await, Exit::Pushed);
    let later = socket.ask("a", None, Call::Pull { cursor: None, live: false }).await;
    for id in [&live, &later] {
        let got: Vec<_> = socket.page_of(id).await.batch.iter().map(|pulled| pulled.event.clone()).collect();
        assert_eq!(got, sent);
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_and_never_put_right() {
    let lab = Lab::open().await;
    let mut bytes = br#"{"_tag":"Request","id":"1","tag":"SyncWsRpc.Push","payload":{"storeId":"a","batch":[{"name":"v1.Noted","args":"?","seqNum":1,"parentSeqNum":0,"clientId":"c","sessionId":"s"}],"backendId":{"_tag":"None"}},"headers":[]}"#.to_vec();
    let at = bytes.iter().position(|byte| *byte == b'?').expect("arguments");
    bytes[at] = 0xff;
    let mut socket = lab.typescript("a").await;
    socket.send_bytes(bytes.clone()).await;
    assert_eq!(socket.closed().await, 1007);
    let refused = http_bytes(lab.address, "POST", "/?storeId=a", &[], &bytes).await;
    assert_eq!((refused.status, refused.body.as_str()), (400, "the body is no UTF-8; send JSON"));
    let stored = post(lab.address, "a", None, Call::Pull { cursor: None, live: false }).await.frames();
    assert!(matches!(&stored[0], ServerFrame::Chunk { values, .. } if values[0].batch.is_empty()), "{stored:?}");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_ends_its_connection() {
    let lab = Lab::open().await;
    for (head, body, status) in [
        ("POST /?storeId=a HTTP/1.1", vec![0xff; 100], "400"),
        ("POST /?storeId=a HTTP/1.1", vec![b'x'; 3 << 20], "413"),
        ("POST / HTTP/1.1", b"{}".to_vec(), "400"),
        ("PUT /?storeId=a HTTP/1.1", Vec::new(), "405"),
    ] {
        let mut stream = TcpStream::connect(lab.address).await.expect("the server is there");
        let head = format!("{head}\r\nhost: {}\r\ncontent-length: {}\r\n\r\n", lab.address, body.len());
        // A server that refuses may not read it all.
        let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it ends");
        let answer = String::from_utf8(answer).expect("text");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn a_payload_of_a_url_or_a_header_has_16_kib_at_most() {
    let lab = Lab::open().await;
    for (bytes, status) in [(16 * 1024 - 2, 200), (16 * 1024 - 1, 400)] {
        let payload = format!("%22{}%22", "x".repeat(bytes));
        let in_header = [("x-larder-payload", payload.as_str()), (HEADER, HEADER_VALUE)];
        let header = http(lab.address, "POST", "/", &in_header, r#"{"_tag":"Ping"}"#).await;
        let url = http(lab.address, "POST", &format!("/?storeId=a&payload={payload}"), &[], r#"{"_tag":"Ping"}"#).await;
        for answer in [header, url] {
            assert_eq!(answer.status, status, "{}", answer.body);
            assert_eq!(
                answer.body.contains("has 16385 bytes, at most 16384 are taken"),
                status == 400,
                "{}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn the_version_after_0_4_is_answered_in_its_encoding() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let pull = json!({ "_tag": "Request", "id": 5, "tag": "SyncWsRpc.Pull", "headers": [],
        "payload": { "storeId": "a", "live": false, "cursor": { "_tag": "None" } } });
    socket.send(pull.to_string()).await;
    let id = RequestId::Number(5);
    socket.page_of(&id).await;
    assert_eq!(socket.exit_of(&id).await, Exit::Ended);
}

#[tokio::test]
async fn http_answers_pings_preflights_and_what_is_no_request() {
    let lab = Lab::open().await;
    let frames = post(lab.address, "a", None, Call::Ping).await.frames();
    assert!(matches!(&frames[..], [ServerFrame::Exit { exit: Exit::Pong, .. }]));
    let wanted = [
        ("origin", "https://app.example"),
        ("access-control-request-headers", "content-type, b3, traceparent, x-livestore-store-id"),
    ];
    let preflight = http(lab.address, "OPTIONS", "/some/path?storeId=a", &wanted, "").await;
    assert_eq!(preflight.status, 204);
    for header in [
        "access-control-allow-origin: *",
        "access-control-allow-methods: get, post, options",
        "access-control-allow-headers: content-type, b3, traceparent, x-livestore-store-id",
    ] {
        assert!(preflight.headers.contains(header), "{}", preflight.headers);
    }
    assert_eq!(http(lab.address, "POST", "/", &[], "{}").await.status, 400, "no store in the URL");
    assert_eq!(http(lab.address, "POST", "/?storeId=a%2Fb", &[], "{}").await.status, 400);
    assert_eq!(http(lab.address, "GET", "/?storeId=a", &[], "").await.status, 405);
    assert_eq!(http(lab.address, "DELETE", "/?storeId=a", &[], "").await.status, 405);
    let garbage = http(lab.address, "POST", "/?storeId=a", &[], "garbage").await;
    assert!(matches!(garbage.frames()[..], [ServerFrame::Defect(_)]));
    assert_eq!(http(lab.address, "GET", "/healthz", &[], "").await.body, "ok\n");
    assert!(lab.metric("connections_total").await > 5);
}

#[tokio::test]
async fn only_pages_of_named_origins_may_connect_where_some_are_named() {
    let settings = Settings { origins: vec!["https://app.example".to_owned()], ..Settings::default() };
    let lab = Lab::with(settings).await;
    let from = async |origin: &str| http(lab.address, "OPTIONS", "/?storeId=a", &[("origin", origin)], "").await;
    let allowed = from("https://app.example").await;
    assert!(allowed.headers.contains("access-control-allow-origin: https://app.example"), "{}", allowed.headers);
    assert_eq!(from("https://evil.example").await.status, 403);
    let socket = [("origin", "https://evil.example".to_owned())];
    let url = format!("ws://{}/?storeId=a", lab.address);
    let refused = crate::lab::Socket::connect(&url, &socket, larder_wire::Peer::TypeScript).await;
    assert_eq!(refused.err(), Some(403));
    lab.typescript("a").await;
}

#[tokio::test]
async fn a_stopping_server_says_goodbye_and_ends_what_it_began() {
    let lab = Lab::open().await;
    let mut socket = lab.typescript("a").await;
    let live = socket.pull_live("a", None).await;
    socket.page_of(&live).await;
    assert_eq!(socket.push("a", 0, 1).await, Exit::Pushed);
    let address = lab.address;
    let stopped = tokio::spawn(lab.server.stop());
    assert_eq!(socket.closed().await, 1001);
    stopped.await.expect("it stops");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
