//! A server that says what a test wants it to, to clients of larder's kind.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use larder_wire::{
    ClientFrame, Event, Limits, PageInfo, Peer, PullResponse, PulledEvent, RequestId, SUBPROTOCOL, ServerFrame,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};

/// Answers each frame of each connection as it is told to; pings as all servers do. A connection whose client leaves says so with its close code,
/// if it had one.
pub(crate) async fn scripted<A>(answer: A) -> SocketAddr
where
    A: Fn(Said) -> Vec<Message> + Clone + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, answer.clone()));
        }
    });
    address
}

/// What a client says.
#[derive(Debug)]
pub(crate) enum Said {
    Frame(ClientFrame),
    Closed(Option<u16>),
}

// Tungstenite says which error it wants.
#[expect(clippy::result_large_err)]
async fn talk(stream: TcpStream, answer: impl Fn(Said) -> Vec<Message>) {
    let with_protocol = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().expect("a value"));
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, with_protocol).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        let answers = match message {
            Message::Text(text) => match ClientFrame::decode(&text, &Limits::default()).expect("a frame") {
                ClientFrame::Ping => vec![text_of(&ServerFrame::Pong)],
                frame => answer(Said::Frame(frame)),
            },
            Message::Close(frame) => answer(Said::Closed(frame.map(|frame| frame.code.into()))),
            _ => Vec::new(),
        };
        for message in answers {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
}

pub(crate) fn text_of(frame: &ServerFrame) -> Message {
    Message::Text(frame.encode(Peer::Larder).into())
}

/// A page of a pull.
pub(crate) fn page(request_id: &RequestId, events: Vec<Event>, page_info: PageInfo) -> Message {
    let pulled = |event| PulledEvent { event, metadata: None }.into();
    let batch = events.into_iter().map(pulled).collect();
    let response = PullResponse { batch, page_info, backend_id: "log".to_owned(), head: None };
    text_of(&ServerFrame::Chunk { request_id: request_id.clone(), values: vec![response] })
}
