//! A server with the flaws of the one that LiveStore has: larder's clients of it bear them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Uri, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use larder::StoreOptions;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};

use crate::{
    apps::{Client, LineEvent, PATIENCE, Way, added, shows},
    lab::{Lab, http, post},
};

/// What goes wrong with what a real server says.
struct Flaws {
    server: SocketAddr,
    /// Pulls that lose an event in the middle.
    holes: AtomicUsize,
}

/// Hands a request on, and spoils its answer: arguments are encoded again, absent ones are `null`, and now and then an event is missing.
async fn spoil(State(flaws): State<Arc<Flaws>>, uri: Uri, body: Bytes) -> Response {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let text = String::from_utf8(body.to_vec()).expect("text");
    let answer = http(flaws.server, "POST", target, &[("content-type", "application/json")], &text).await;
    let mut frames: Value = serde_json::from_str(&answer.body).expect("frames");
    let pages = frames.as_array_mut().expect("an array").iter_mut().filter_map(|frame| frame.get_mut("values"));
    for page in pages.filter_map(Value::as_array_mut).flatten() {
        let batch = page["batch"].as_array_mut().expect("events");
        for event in batch.iter_mut().filter_map(|pulled| pulled.get_mut("eventEncoded")) {
            event.as_object_mut().expect("an event").entry("args").or_insert(Value::Null);
        }
        let lost = |left: usize| left.checked_sub(1);
        if batch.len() > 2 && flaws.holes.fetch_update(Ordering::AcqRel, Ordering::Acquire, lost).is_ok() {
            batch.remove(1);
        }
    }
    ([(CONTENT_TYPE, "application/json")], frames.to_string()).into_response()
}

async fn flawed(server: SocketAddr, holes: usize) -> (SocketAddr, Arc<Flaws>) {
    let flaws = Arc::new(Flaws { server, holes: AtomicUsize::new(holes) });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port");
    let router = Router::new().fallback(spoil).with_state(flaws.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, flaws)
}

async fn names_in_log(lab: &Lab, store: &str) -> Vec<String> {
    let pull = larder_wire::Call::Pull { cursor: None, live: false };
    let frames = post(lab.address, store, None, pull).await.frames();
    let larder_wire::ServerFrame::Chunk { values, .. } = &frames[0] else { panic!("no page") };
    values[0].batch.iter().map(|pulled| pulled.event.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn own_events_are_known_again_however_the_server_writes_their_arguments() {
    let lab = Lab::open().await;
    let (address, _) = flawed(lab.address, 0).await;
    let client = || Client::new(Way::HttpOfLiveStore.to(address), StoreOptions::new());
    let (ada, ben) = (client(), client());
    let (of_ada, of_ben) = (ada.page("page-1").await, ben.page("page-1").await);
    let receipts = [
        of_ada.commit(added("gone \u{e9}")).expect("it commits"),
        of_ada.commit(LineEvent::Cleared).expect("it commits"),
        of_ada.commit(added("a \"line\"")).expect("it commits"),
        of_ben.commit(added("another")).expect("it commits"),
    ];
    for receipt in receipts {
        timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    }
    // Ben's line may stand on either side of what clears all.
    let log = names_in_log(&lab, "page-1").await;
    assert_eq!(log.iter().filter(|name| *name == "v1.LineAdded").count(), 3, "nothing came twice: {log:?}");
    assert_eq!(log.len(), 4, "nothing came twice: {log:?}");
    let ben_was_first = log[1..].iter().position(|name| name == "v1.Cleared") == Some(1);
    let shown: &[&str] = if ben_was_first { &["a \"line\""] } else { &["a \"line\"", "another"] };
    shows(&of_ada, shown).await;
    shows(&of_ben, shown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_a_hole_is_not_taken_over_and_asked_for_again() {
    let lab = Lab::open().await;
    let (address, flaws) = flawed(lab.address, 2).await;
    let writer = Client::new(Way::Ws.to(lab.address), StoreOptions::new());
    let of_writer = writer.page("page-1").await;
    let lines: Vec<_> = (0..5).map(|number| format!("line {number}")).collect();
    for line in &lines {
        let receipt = of_writer.commit(added(line)).expect("it commits");
        timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    }
    let reader = Client::new(Way::HttpOfLiveStore.to(address), StoreOptions::new());
    let of_reader = reader.page("page-1").await;
    shows(&of_reader, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(flaws.holes.load(Ordering::Acquire), 0, "holes were met");
    let events = of_reader.sync_status().confirmed.global();
    assert_eq!(events, 5, "and none of them is in the log of the reader");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_there_and_answers_no_request_is_asked_ever_less_often() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut begin = [0; 3];
            let _ = stream.read_exact(&mut begin).await;
            if begin == *b"GET" {
                let _ = stream.write_all(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n").await;
            } else {
                counted.fetch_add(1, Ordering::AcqRel);
            }
        }
    });
    let client = Client::new(Way::Http.to(address), StoreOptions::new());
    let page = client.page("page-1").await;
    page.commit(added("a")).expect("it commits");
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let asked = asked.load(Ordering::Acquire);
    // A pull and a push at a time: at once, after 1 s, and after 2 s more.
    assert!((1..=12).contains(&asked), "asked {asked} times");
}
