//! Networks that carry little: what is long on its way arrives, and nobody takes it for silence. Time is tokio's, and stands still while anybody
//! has something to do.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use larder::{
    ClientId, EventId, EventNumber, Payload, PullPage, PullRequest, PushAnswer, PushRequest, Remaining, SessionId,
    StoredEvent, SyncBackend,
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
    apps::Way,
    lab::{Lab, rules},
};

/// Bytes a second in each direction.
const RATE: usize = 10_000;

/// A network to a server. It holds little itself, so that whoever sends waits.
async fn narrow(server: SocketAddr) -> SocketAddr {
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
            tokio::spawn(carry(from_client, to_server));
            tokio::spawn(carry(from_server, to_client));
        }
    });
    address
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut bytes = vec![0; RATE / 10];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        sleep(Duration::from_secs(1) * u32::try_from(read).expect("few") / RATE as u32).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// As much as goes into one push.
fn large() -> Vec<StoredEvent> {
    let event = |global| StoredEvent {
        number: EventNumber::synced(global),
        name: "v1.Noted".to_owned(),
        args: Some(format!("\"{}\"", "x".repeat(215_000))),
        client_id: ClientId::from("c"),
        session_id: SessionId::from("s"),
        id: Some(EventId(global.into())),
    };
    (1..=4).map(event).collect()
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
