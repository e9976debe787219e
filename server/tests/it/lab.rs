//! A server on a port of its own, and clients that speak the wire by hand.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use larder_server::{Authorize, MemoryStorage, OpenToAll, Server, Settings, Storage};
use larder_wire::{
    Call, ClientFrame, Cursor, Event, Exit, Failure, Limits, PAYLOAD_HEADER, Payload, Peer, PullResponse, Query,
    Request, RequestId, SUBPROTOCOL, ServerFrame, StoreId, Tracing, Transport,
};
use serde_json::{Value, value::RawValue};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

/// Long enough for a loaded machine; nothing waits that long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
}

impl Lab {
    pub(crate) async fn open() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::start(settings, Arc::new(MemoryStorage::new()), Arc::new(OpenToAll)).await
    }

    pub(crate) async fn start(settings: Settings, storage: Arc<dyn Storage>, rules: Arc<dyn Authorize>) -> Self {
        let server = Server::start(settings, storage, rules, "127.0.0.1:0").await.expect("a free port");
        let address = server.address();
        Self { server, address }
    }

    pub(crate) async fn typescript(&self, store: &str) -> Socket {
        Socket::typescript(self.address, store, None).await.expect("the server lets everybody in")
    }

    pub(crate) async fn larder(&self) -> Socket {
        Socket::larder(self.address, None).await.expect("the server lets everybody in")
    }

    pub(crate) async fn metric(&self, name: &str) -> i64 {
        let text = http(self.address, "GET", "/metrics", &[], "").await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("larder_server_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
    }
}

pub(crate) struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    inbox: VecDeque<ServerFrame>,
    peer: Peer,
    requests: u64,
}

impl Socket {
    /// A socket as a TypeScript client opens it; the status where it is refused, 0 where nobody answers.
    pub(crate) async fn typescript(address: SocketAddr, store: &str, payload: Option<Value>) -> Result<Self, u16> {
        let store_id = Some(StoreId::new(store).expect("a store id"));
        let query = Query { store_id, payload: payload.map(Payload), transport: Some(Transport::WebSocket) };
        Self::connect(&format!("ws://{address}/any/path?{}", query.encode()), &[], Peer::TypeScript).await
    }

    /// A socket as a larder client opens it, with its payload in a header if it has one.
    pub(crate) async fn larder(address: SocketAddr, payload: Option<Value>) -> Result<Self, u16> {
        let mut headers = vec![("sec-websocket-protocol", SUBPROTOCOL.to_owned())];
        headers.extend(payload.map(|payload| (PAYLOAD_HEADER, Payload(payload).to_header())));
        Self::connect(&format!("ws://{address}/"), &headers, Peer::Larder).await
    }

    pub(crate) async fn connect(url: &str, headers: &[(&str, String)], peer: Peer) -> Result<Self, u16> {
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            let name = tokio_tungstenite::tungstenite::http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((inner, _)) => Ok(Self { inner, inbox: VecDeque::new(), peer, requests: 0 }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            // Nobody is there, or no longer.
            Err(_) => Err(0),
        }
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.try_send(text).await.expect("the socket takes a message");
    }

    pub(crate) async fn try_send(&mut self, text: impl Into<String>) -> Result<(), Error> {
        self.inner.send(Message::Text(text.into().into())).await
    }

    pub(crate) async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.inner.send(Message::Binary(bytes.into())).await.expect("the socket takes a message");
    }

    /// The next frame; the code of the close where the server ends the connection, 1006 where it just ends.
    pub(crate) async fn next(&mut self) -> Result<ServerFrame, u16> {
        if let Some(frame) = self.inbox.pop_front() {
            return Ok(frame);
        }
        self.receive().await
    }

    async fn receive(&mut self) -> Result<ServerFrame, u16> {
        loop {
            match timeout(PATIENCE, self.inner.next()).await.expect("the server says something") {
                Some(Ok(Message::Text(text))) => {
                    let limits = Limits { message_bytes: usize::MAX, ..Limits::default() };
                    return Ok(ServerFrame::decode(&text, &limits).expect("a frame"));
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The code with which the server ends the connection.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    pub(crate) async fn quit(mut self) {
        let _ = self.inner.close(None).await;
        while let Some(Ok(_)) = self.inner.next().await {}
    }

    pub(crate) fn request(&mut self, store: &str, payload: Option<Value>, call: Call) -> (RequestId, String) {
        self.requests += 1;
        let id = RequestId::Text(self.requests.to_string());
        (id.clone(), request(&id, Transport::WebSocket, store, payload, call).encode(self.peer))
    }

    pub(crate) async fn ask(&mut self, store: &str, payload: Option<Value>, call: Call) -> RequestId {
        let (id, text) = self.request(store, payload, call);
        self.send(text).await;
        id
    }

    pub(crate) async fn pull_live(&mut self, store: &str, after: Option<Cursor>) -> RequestId {
        self.ask(store, None, Call::Pull { cursor: after, live: true }).await
    }

    /// Pushes events after a head and waits for the answer.
    pub(crate) async fn push(&mut self, store: &str, head: u64, count: u64) -> Exit {
        let id = self.ask(store, None, push(events(head, count))).await;
        self.exit_of(&id).await
    }

    /// The exit of a request. Other frames stay for [`next`](Self::next).
    pub(crate) async fn exit_of(&mut self, id: &RequestId) -> Exit {
        let is_it = |frame: &ServerFrame| matches!(frame, ServerFrame::Exit { request_id, .. } if request_id == id);
        match self.wait_for(is_it).await {
            Ok(ServerFrame::Exit { exit, .. }) => exit,
            other => panic!("no exit of {id}: {other:?}"),
        }
    }

    /// The next page of a pull. Other frames stay.
    pub(crate) async fn page_of(&mut self, id: &RequestId) -> PullResponse {
        let is_it = |frame: &ServerFrame| matches!(frame, ServerFrame::Chunk { request_id, .. } if request_id == id);
        match self.wait_for(is_it).await {
            Ok(ServerFrame::Chunk { mut values, .. }) => values.pop().expect("a page"),
            other => panic!("no page of {id}: {other:?}"),
        }
    }

    /// Gives a frame back, to be read later.
    pub(crate) fn put_back(&mut self, frame: ServerFrame) {
        self.inbox.push_back(frame);
    }

    pub(crate) async fn wait_for(&mut self, is_it: impl Fn(&ServerFrame) -> bool) -> Result<ServerFrame, u16> {
        if let Some(at) = self.inbox.iter().position(&is_it) {
            return Ok(self.inbox.remove(at).expect("it is there"));
        }
        loop {
            let frame = self.receive().await?;
            if is_it(&frame) {
                return Ok(frame);
            }
            self.inbox.push_back(frame);
        }
    }

    /// The numbers that a pull gets until it has one.
    pub(crate) async fn numbers_until(&mut self, id: &RequestId, last: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.last().is_none_or(|number| *number < last) {
            let page = self.page_of(id).await;
            numbers.extend(page.batch.iter().map(|pulled| pulled.event.seq_num));
        }
        numbers
    }
}

pub(crate) fn request(
    id: &RequestId,
    transport: Transport,
    store: &str,
    payload: Option<Value>,
    call: Call,
) -> ClientFrame {
    ClientFrame::Request(Request {
        id: id.clone(),
        transport,
        store_id: store.to_owned(),
        payload: payload.map(Payload),
        call,
        tracing: Tracing::default(),
        headers: Vec::new(),
    })
}

pub(crate) fn push(batch: Vec<Event>) -> Call {
    Call::Push { batch, backend_id: None }
}

/// Events that follow a head.
pub(crate) fn events(head: u64, count: u64) -> Vec<Event> {
    (head + 1..=head + count).map(|number| event(number, &format!("{{\"n\":{number}}}"))).collect()
}

pub(crate) fn event(number: u64, args: &str) -> Event {
    Event {
        name: "v1.Noted".to_owned(),
        args: Some(RawValue::from_string(args.to_owned()).expect("JSON")),
        seq_num: number,
        parent_seq_num: number - 1,
        client_id: "client".to_owned(),
        session_id: "session".to_owned(),
        id: None,
    }
}

/// The failure in an exit.
pub(crate) fn failure(exit: Exit) -> Failure {
    match exit {
        Exit::Failed(cause) => cause.found_failure().unwrap_or_else(|| panic!("no failure: {cause:?}")),
        other => panic!("no failure: {other:?}"),
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn frames(&self) -> Vec<ServerFrame> {
        ServerFrame::decode_answer(&self.body, &Limits::default())
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }
}

/// One request over HTTP, on a connection of its own.
pub(crate) async fn http(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    http_bytes(address, method, target, headers, body.as_bytes()).await
}

pub(crate) async fn http_bytes(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("the server is there");
    let mut text = format!(
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    // A server that refuses may not read it all.
    let _ = stream.write_all(&[text.as_bytes(), b"\r\n", body].concat()).await;
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server answers");
    let answer = String::from_utf8(bytes).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let headers = head.to_lowercase();
    let body = if headers.contains("transfer-encoding: chunked") { dechunk(body) } else { body.to_owned() };
    Answer { status, headers, body }
}

/// An answer over HTTP that is read slowly.
pub(crate) struct SlowAnswer {
    stream: TcpStream,
    text: Vec<u8>,
}

impl SlowAnswer {
    pub(crate) async fn ask(address: SocketAddr, headers: &[(&str, &str)], body: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("the server is there");
        let length = body.len();
        let mut text =
            format!("POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n");
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.expect("sent");
        Self { stream, text: Vec::new() }
    }

    /// Reads on until there are so many bytes.
    pub(crate) async fn read(&mut self, bytes: usize) {
        while self.text.len() < bytes {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.text)).await.expect("the server answers");
            assert!(read.expect("an answer") > 0, "it ended after {} bytes", self.text.len());
        }
    }

    /// All of it, with what stands between its parts.
    pub(crate) async fn rest(mut self) -> String {
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut self.text)).await.expect("the server answers");
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

fn dechunk(mut rest: &str) -> String {
    let mut out = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).expect("a length");
        if length == 0 {
            break;
        }
        out.push_str(&after[..length]);
        rest = &after[length + 2..];
    }
    out
}

/// A request as a TypeScript client sends it over HTTP.
pub(crate) async fn post(address: SocketAddr, store: &str, payload: Option<Value>, call: Call) -> Answer {
    let store_id = Some(StoreId::new(store).expect("a store id"));
    let query = Query { store_id, payload: payload.clone().map(Payload), transport: Some(Transport::Http) };
    let id = RequestId::Text("1".to_owned());
    let body = request(&id, Transport::Http, store, payload, call).encode(Peer::TypeScript);
    let target = format!("/?{}", query.encode());
    http(address, "POST", &target, &[("content-type", "application/json")], &body).await
}

/// Rules as a file has them.
pub(crate) fn rules(text: &str) -> Arc<larder_server::Rules> {
    let config: larder_server::RulesConfig = toml::from_str(text).expect("rules");
    Arc::new(larder_server::Rules::new(&config).expect("rules"))
}
