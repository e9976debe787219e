//! Networks that carry little: what is long on its way arrives, and nobody takes it for silence. Time is tokio's, and stands still while anybody
//! has something to do.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use larder::{
    ClientId, EventId, EventNumber, Payload, PullPage, PullRequest, PushAnswer, PushRequest, Remaining, SessionId,
    StoreOptions, StoredEvent, SyncBackend,
};
use larder_server::{MemoryStorage, Settings};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Instant, sleep},
};

use crate::{
    apps::{Client, Page, Way, added},
    lab::{Lab, rules},
};

/// Bytes a second in each direction.
const RATE: usize = 10_000;

/// A network to a server. It holds little itself, so that whoever sends waits.
async fn narrow(server: SocketAddr) -> SocketAddr {
    network(server, RATE).await
}

/// One that carries so many bytes a second to the client, and little to the server.
async fn network(server: SocketAddr, down: usize) -> SocketAddr {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small one");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let listener: TcpListener = socket.listen(64).expect("it listens");
    let address = listener.local_addr().expect("a port");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.set_recv_buffer_size(4_096).expect("a small one");
            let server: TcpStream = socket.connect(server).await.expect("the server is there");
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(carry(from_client, to_server, RATE));
            tokio::spawn(carry(from_server, to_client, down));
        }
    });
    address
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, rate: usize) {
    let mut bytes = vec![0; rate / 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        sleep(Duration::from_secs(1) * u32::try_from(read).expect("few") / rate as u32).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// As much as goes into one push.
pub(crate) fn large() -> Vec<StoredEvent> {
    large_behind(0)
}

fn large_behind(head: u64) -> Vec<StoredEvent> {
    let event = |global| StoredEvent {
        number: EventNumber::synced(global),
        name: "v1.Noted".to_owned(),
        args: Some(format!("\"{}\"", "x".repeat(215_000))),
        client_id: ClientId::from("c"),
        session_id: SessionId::from("s"),
        id: Some(EventId(global.into())),
    };
    (head + 1..=head + 4).map(event).collect()
}

/// A server that lets in who has the token, and who has.
async fn guarded() -> (Lab, Payload) {
    let rules = rules("[[rules]]\nstores = [\"*\"]\ntokens = [\"t\"]");
    let lab = Lab::start(Settings::default(), Arc::new(MemoryStorage::new()), rules).await;
    (lab, Payload::new().with("authToken", "t"))
}

async fn pulled(backend: &dyn SyncBackend, store: &str, payload: &Payload) -> Vec<PullPage> {
    let mut pull = backend.pull(PullRequest::new(store, payload));
    let mut pages = Vec::new();
    while let Some(page) = pull.next().await {
        pages.push(page.expect("a page"));
        if pages.last().is_some_and(|page: &PullPage| page.remaining == Remaining::Nothing) {
            break;
        }
    }
    pages
}

#[tokio::test(start_paused = true)]
async fn a_large_push_by_somebody_whom_the_server_does_not_know_yet_arrives() {
    let (lab, payload) = guarded().await;
    let address = narrow(lab.address).await;
    for way in [Way::Ws, Way::Http] {
        let store = format!("{way:?}");
        let log = pulled(&*way.to(lab.address), &store, &payload).await.remove(0).backend_id;
        let (backend, events, began) = (way.to(address), large(), Instant::now());
        let push = PushRequest::new(&store, 0, &events, &payload).backend_id(Some(&log));
        let answer = backend.push(push).await.unwrap_or_else(|error| panic!("{way:?}: {error}"));
        assert!(matches!(answer, PushAnswer::Accepted { .. }), "{way:?}: {answer:?}");
        assert!(began.elapsed() > Duration::from_secs(80), "{way:?}: {:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_page_arrives() {
    let (lab, payload) = guarded().await;
    let address = narrow(lab.address).await;
    for way in [Way::Ws, Way::Http] {
        let (store, fast) = (format!("{way:?}"), way.to(lab.address));
        let events = large();
        fast.push(PushRequest::new(&store, 0, &events, &payload)).await.expect("it is taken");
        let began = Instant::now();
        let pages = pulled(&*way.to(address), &store, &payload).await;
        let came: Vec<_> = pages.into_iter().flat_map(|page| page.events).collect();
        assert_eq!(came, events, "{way:?}");
        assert!(began.elapsed() > Duration::from_secs(80), "{way:?}: {:?}", began.elapsed());
    }
}

/// What is committed, in four events that go into one push.
async fn closed_with_unsent(client: &Client) {
    client.registry.network().set_offline(true);
    let page = client.page("page-1").await;
    for _ in 0..4 {
        page.commit(added(&"x".repeat(215_000))).expect("committed");
    }
    drop(page);
    client.registry.evict::<Page>("page-1").await.expect("closed");
    client.registry.network().set_offline(false);
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_store_has_not_sent_arrives() {
    for way in [Way::Ws, Way::Http] {
        let lab = Lab::open().await;
        let client = Client::new(way.to(narrow(lab.address).await), StoreOptions::new());
        closed_with_unsent(&client).await;
        let began = Instant::now();
        loop {
            let stored = client.registry.stored::<Page>().await.expect("the catalog reads");
            if stored[0].unsent == Some(0) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(600), "{way:?}: {:?} are unsent", stored[0].unsent);
            sleep(Duration::from_secs(1)).await;
        }
        assert!(began.elapsed() > Duration::from_secs(80), "{way:?}: {:?}", began.elapsed());
    }
}

/// A server ends the connection of whoever takes nothing for half a minute.
#[tokio::test(start_paused = true)]
async fn what_others_push_is_taken_while_a_large_push_is_on_its_way() {
    let (lab, payload) = guarded().await;
    let fast = Way::Ws.to(lab.address);
    let slow = Way::Ws.to(network(lab.address, 10_000_000).await);
    let followed = ["b1", "b2", "b3", "b4"].map(|store| {
        let (slow, payload) = (Arc::clone(&slow), payload.clone());
        tokio::spawn(async move {
            let mut pull = slow.pull(PullRequest::new(store, &payload).live(true));
            let mut events = 0;
            while events < 40 {
                events += pull.next().await.expect("it goes on").expect("a page").events.len();
            }
        })
    });
    sleep(Duration::from_secs(20)).await;
    let others = async {
        for head in (0..40).step_by(4) {
            sleep(Duration::from_secs(5)).await;
            for store in ["b1", "b2", "b3", "b4"] {
                let events = large_behind(head);
                fast.push(PushRequest::new(store, head, &events, &payload)).await.expect("it is taken");
            }
        }
    };
    let log = pulled(&*fast, "a1", &payload).await.remove(0).backend_id;
    let pushes = ["a1", "a2"].map(async |store| {
        let events = large();
        slow.push(PushRequest::new(store, 0, &events, &payload).backend_id(Some(&log))).await
    });
    let (pushed, ()) = tokio::join!(futures_util::future::join_all(pushes), others);
    assert!(pushed.iter().all(|pushed| matches!(pushed, Ok(PushAnswer::Accepted { .. }))), "{pushed:?}");
    for followed in followed {
        followed.await.expect("all of it came");
    }
    assert_eq!(lab.metric("slow_readers_total").await, 0);
}
