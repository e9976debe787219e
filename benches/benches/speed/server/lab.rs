//! A server, and what is measured with.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use larder_server::{OpenToAll, Server, Settings, SqliteStorage};
use larder_wire::{
    Call, ClientFrame, Event, Exit, Limits, Peer, Request, RequestId, SUBPROTOCOL, ServerFrame, Tracing, Transport,
};
use tokio::{net::TcpStream, runtime::Runtime};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::report::{Bar, Row, Unit};

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A server on a disk, without limits that a bench would run into.
pub(crate) async fn start(data: &Path) -> Server {
    let settings = Settings {
        pushes_per_second: u32::MAX,
        bytes_per_second: 1 << 40,
        stores_per_connection: 20_000,
        ..Settings::default()
    };
    let storage = Arc::new(SqliteStorage::open(data).expect("a log"));
    Server::start(settings, storage, Arc::new(OpenToAll), "127.0.0.1:0").await.expect("a port")
}

/// A client of larder's kind that speaks the wire by hand.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(server: &Server) -> Self {
        let mut request = format!("ws://{}/", server.address()).into_client_request().expect("a URL");
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().expect("a value"));
        Self(connect_async(request).await.expect("the server is there").0)
    }

    pub(crate) async fn ask(&mut self, id: u64, store: &str, call: Call) {
        self.feed(id, store, call).await;
        self.flush().await;
    }

    /// The same, to be flushed along with more.
    pub(crate) async fn feed(&mut self, id: u64, store: &str, call: Call) {
        let request = Request {
            id: RequestId::Number(id),
            transport: Transport::WebSocket,
            store_id: store.to_owned(),
            payload: None,
            call,
            tracing: Tracing::default(),
            headers: Vec::new(),
        };
        let text = ClientFrame::Request(request).encode(Peer::Larder);
        self.0.feed(Message::Text(text.into())).await.expect("sent");
    }

    pub(crate) async fn flush(&mut self) {
        self.0.flush().await.expect("sent");
    }

    pub(crate) async fn next(&mut self) -> ServerFrame {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    return ServerFrame::decode(&text, &Limits::default()).expect("a frame");
                }
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Pushes and waits until it is acknowledged.
    pub(crate) async fn push(&mut self, store: &str, batch: Vec<Event>) {
        self.ask(0, store, Call::Push { batch, backend_id: None }).await;
        match self.next().await {
            ServerFrame::Exit { exit: Exit::Pushed, .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// Follows a store from its beginning; returns after the first page.
    pub(crate) async fn follow(&mut self, store: &str) {
        self.ask(1, store, Call::Pull { cursor: None, live: true }).await;
        self.next().await;
    }
}

/// The median of what many tries took, and the time that 99 of 100 are within.
pub(crate) fn median(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    (at(50), at(99))
}

/// How long something takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// A row of what takes time, which is to be at most so many milliseconds.
pub(crate) fn wait(work: &'static str, larder: Duration, baseline: Option<Duration>, most_millis: f64) -> Row {
    let nanos = |time: Duration| time.as_secs_f64() * 1e9;
    Row::number(work, Unit::Nanos, nanos(larder), baseline.map(nanos), Bar::Most(most_millis * 1e6))
}
