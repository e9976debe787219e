//! Servers that are there and answer nothing, or too much, or what is no text. Time is tokio's, and stands still while anybody has something
//! to do.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _};
use larder::{BackendError, HttpBackend, Payload, PullRequest, PushRequest, StoreOptions, SyncBackend, WsBackend};
use larder_wire::{Call, ClientFrame, Exit, PageInfo, Request, ServerFrame};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    apps::{Client, Way, added},
    lab::event,
    narrow::large,
    scripted::{page, scripted, text_of},
};

/// A client of a server that does as it is told.
async fn client_of(answer: impl Fn(ClientFrame) -> Vec<Message> + Clone + Send + 'static) -> Arc<WsBackend> {
    let (address, _) = scripted(answer).await;
    WsBackend::new(format!("ws://{address}")).expect("a URL")
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_answered_fails_in_half_a_minute_though_pings_are_answered() {
    let backend = client_of(|_| Vec::new()).await;
    let payload = Payload::new();
    for request in ["pull", "push", "live pull"] {
        // At any time between two pings.
        sleep(Duration::from_millis(3_300)).await;
        let began = Instant::now();
        let error = match request {
            "push" => {
                let push = PushRequest::new("a", 0, &[], &payload).backend_id(Some("log"));
                backend.push(push).await.expect_err("no answer")
            }
            _ => {
                let mut pull = backend.pull(PullRequest::new("a", &payload).live(request == "live pull"));
                pull.next().await.expect("an error").expect_err("no answer")
            }
        };
        assert!(matches!(error, BackendError::Offline { .. }), "{request}: {error}");
        let waited = began.elapsed().as_secs();
        assert!((15..=31).contains(&waited), "{request}: {waited} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_one_store_that_breaks_says_nothing_of_the_stores_that_have_their_own() {
    let (address, _) = scripted(|said| match said {
        ClientFrame::Request(Request { store_id, .. }) if store_id == "broken" => vec![Message::Close(None)],
        _ => Vec::new(),
    })
    .await;
    let backend = WsBackend::builder(format!("ws://{address}")).of_livestore().build().expect("a URL");
    let payload = Payload::new();
    let pull = |store| backend.pull(PullRequest::new(store, &payload).live(true)).boxed_local();
    let mut well = pull("well");
    assert!(well.next().now_or_never().is_none());
    let error = pull("broken").next().await.expect("an error").expect_err("no page");
    assert!(matches!(error, BackendError::Offline { .. }), "{error}");
    sleep(Duration::from_secs(1)).await;
    assert!(backend.connected(), "the server is there");
}

#[tokio::test(start_paused = true)]
async fn a_live_pull_that_has_its_first_answer_may_be_silent_for_ever() {
    let (more, later) = mpsc::channel::<()>(1);
    let later = Arc::new(tokio::sync::Mutex::new(later));
    let backend = client_of(move |said| match said {
        // What comes later comes with a push of another store, an hour later.
        ClientFrame::Request(Request { id, call: Call::Pull { .. }, .. }) => {
            vec![page(&id, Vec::new(), PageInfo::NoMore)]
        }
        ClientFrame::Request(Request { id, call: Call::Push { .. }, .. }) => {
            assert!(later.try_lock().expect("nobody else").try_recv().is_ok());
            vec![page(&larder_wire::RequestId::Text("0".to_owned()), vec![event(1, "1")], PageInfo::NoMore), {
                text_of(&ServerFrame::Exit { request_id: id, exit: Exit::Pushed })
            }]
        }
        _ => Vec::new(),
    })
    .await;
    let payload = Payload::new();
    let mut pull = backend.pull(PullRequest::new("a", &payload).live(true));
    assert!(pull.next().await.expect("a page").expect("a page").events.is_empty());
    {
        let mut silent = pull.next();
        for _ in 0..360 {
            sleep(Duration::from_secs(10)).await;
            assert!((&mut silent).now_or_never().is_none(), "it goes on");
        }
        more.send(()).await.expect("a place");
        backend.push(PushRequest::new("b", 0, &[], &payload).backend_id(Some("log"))).await.expect("an answer");
        assert_eq!(silent.await.expect("a page").expect("a page").events.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_stops_in_the_middle_fails_and_one_that_is_not_read_on_waits() {
    let backend = client_of(|said| match said {
        ClientFrame::Request(Request { id, .. }) => {
            vec![page(&id, vec![event(1, "1")], PageInfo::MoreKnown { remaining: 9 })]
        }
        _ => Vec::new(),
    })
    .await;
    let payload = Payload::new();
    let mut pull = backend.pull(PullRequest::new("a", &payload));
    assert_eq!(pull.next().await.expect("a page").expect("a page").events.len(), 1);
    sleep(Duration::from_secs(600)).await;
    let began = Instant::now();
    let stopped = pull.next().await.expect("an error");
    assert!(matches!(stopped, Err(BackendError::Offline { .. })), "{stopped:?}");
    assert!((15..=31).contains(&began.elapsed().as_secs()), "from when on more was wanted");
}

#[tokio::test(start_paused = true)]
async fn a_full_push_that_has_arrived_and_has_no_answer_is_in_no_others_way() {
    let backend = client_of(|said| match said {
        ClientFrame::Request(Request { id, call: Call::Pull { .. }, .. }) => {
            vec![page(&id, Vec::new(), PageInfo::NoMore)]
        }
        ClientFrame::Request(Request { id, store_id, .. }) if store_id == "b" => {
            vec![text_of(&ServerFrame::Exit { request_id: id, exit: Exit::Pushed })]
        }
        _ => Vec::new(),
    })
    .await;
    let (payload, events, began) = (Payload::new(), large(), Instant::now());
    let push = |store| backend.push(PushRequest::new(store, 0, &events, &payload).backend_id(Some("log")));
    let second = async {
        sleep(Duration::from_secs(1)).await;
        push("b").await
    };
    tokio::select! {
        answer = push("a") => panic!("{answer:?}"),
        answer = second => assert!(answer.is_ok(), "{answer:?}"),
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_push_has_no_answer_tries_again() {
    let pushes = Arc::new(AtomicUsize::new(0));
    let counted = pushes.clone();
    let backend = client_of(move |said| match said {
        ClientFrame::Request(Request { id, call: Call::Pull { .. }, .. }) => {
            vec![page(&id, Vec::new(), PageInfo::NoMore)]
        }
        ClientFrame::Request(Request { id, call: Call::Push { .. }, .. }) => {
            match counted.fetch_add(1, Ordering::AcqRel) {
                0 => Vec::new(),
                _ => vec![text_of(&ServerFrame::Exit { request_id: id, exit: Exit::Pushed })],
            }
        }
        _ => Vec::new(),
    })
    .await;
    let client = Client::new(backend, StoreOptions::new());
    let store = client.page("page-1").await;
    let receipt = store.commit(added("a line")).expect("it commits");
    receipt.confirmed().await.expect("confirmed");
    assert_eq!(pushes.load(Ordering::Acquire), 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_nothing_holds_up_no_other_and_goes_on_where_it_was() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    let backend = client_of(move |said| match said {
        // All at once, whatever the client has taken.
        ClientFrame::Request(Request { id, store_id, call: Call::Pull { cursor, .. }, .. }) => {
            let after = cursor.map_or(0, |cursor| cursor.event_sequence_number);
            noted.lock().unwrap_or_else(PoisonError::into_inner).push((store_id, after));
            let more = |number| match 200 - number {
                0 => PageInfo::NoMore,
                remaining => PageInfo::MoreKnown { remaining },
            };
            (after + 1..=200).map(|number| page(&id, vec![event(number, "1")], more(number))).collect()
        }
        _ => Vec::new(),
    })
    .await;
    let payload = Payload::new();
    let mut slow = backend.pull(PullRequest::new("slow", &payload).live(true));
    let mut numbers = vec![slow.next().await.expect("a page").expect("a page").events[0].number.global()];
    sleep(Duration::from_secs(60)).await;
    let mut fast = backend.pull(PullRequest::new("fast", &payload).live(true));
    for number in 1..=200 {
        assert_eq!(fast.next().await.expect("a page").expect("a page").events[0].number.global(), number);
    }
    while numbers.len() < 200 {
        let page = slow.next().await.expect("it goes on").expect("a page");
        numbers.extend(page.events.iter().map(|event| event.number.global()));
    }
    assert_eq!(numbers, (1..=200).collect::<Vec<_>>(), "each once, in order");
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let of_slow: Vec<_> = asked.iter().filter(|(store, _)| store == "slow").map(|(_, after)| *after).collect();
    assert!(of_slow.len() > 1 && of_slow.is_sorted(), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_text_are_refused_and_taken_for_nothing() {
    let (address, left) = scripted(|said| match said {
        ClientFrame::Request(Request { id, .. }) => {
            // A page, in which one byte of the arguments is none of UTF-8.
            let Message::Text(text) = page(&id, vec![event(1, "\"?\"")], PageInfo::NoMore) else { panic!("no text") };
            let spoiled = text.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect::<Vec<_>>();
            vec![Message::Binary(spoiled.into())]
        }
        _ => Vec::new(),
    })
    .await;
    let backend = WsBackend::new(format!("ws://{address}")).expect("a URL");
    let payload = Payload::new();
    let mut pull = backend.pull(PullRequest::new("a", &payload));
    let error = pull.next().await.expect("an error").expect_err("no page");
    assert!(error.to_string().contains("no UTF-8"), "{error}");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*left.borrow(), Some(1007));
}

#[tokio::test]
async fn a_request_over_http_that_nobody_waits_for_any_more_is_given_up_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let backend = HttpBackend::new(format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
    let payload = Payload::new();
    let push = backend.push(PushRequest::new("a", 0, &[], &payload).backend_id(Some("log")));
    let asked = async {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let read = socket.read(&mut [0; 1_024]).await.expect("a request");
        (socket, read)
    };
    let (mut socket, read) = tokio::select! {
        asked = asked => asked,
        answer = push => panic!("nobody has answered: {answer:?}"),
    };
    assert!(read > 0);
    // The server would have 20 s otherwise.
    let end = async { while socket.read(&mut [0; 1_024]).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(Duration::from_secs(10), end).await.expect("the connection ends");
}

/// Answers whoever looks whether it is there, and nothing that it is asked.
async fn silent_server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 4_096];
                let read = socket.read(&mut bytes).await.expect("a request");
                let asked = String::from_utf8_lossy(&bytes[..read]).to_lowercase();
                if asked.starts_with("get ") && !asked.contains("upgrade") {
                    let answer = b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                    socket.write_all(answer).await.expect("it listens");
                } else {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

#[tokio::test(start_paused = true)]
async fn one_store_that_gets_no_answer_says_nothing_of_the_others_of_its_server() {
    let address = silent_server().await;
    for way in [Way::Http, Way::HttpOfLiveStore, Way::WsOfLiveStore] {
        let (backend, payload) = (way.to(address), Payload::new());
        let listening = async {
            let error = backend.pull(PullRequest::new("a", &payload)).next().await.expect("an error");
            let error = error.expect_err("no answer");
            assert!(matches!(error, BackendError::Offline { .. }), "{way:?}: {error}");
        };
        // What changes is seen at once.
        let gone = backend.connection_changed();
        tokio::select! {
            () = async { listening.await; sleep(Duration::from_secs(60)).await } => {}
            () = gone => panic!("{way:?}: all stores are offline"),
        }
        assert!(backend.connected(), "{way:?}");
    }
}
