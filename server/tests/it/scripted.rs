//! A server that says what a test wants it to.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use larder_wire::{
    ClientFrame, Event, Limits, PageInfo, Peer, PullResponse, PulledEvent, RequestId, SUBPROTOCOL, ServerFrame,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};

/// Answers each frame of each connection as it is told to; pings as all servers do. With its address, the code that the last client has left with.
pub(crate) async fn scripted<A>(answer: A) -> (SocketAddr, watch::Receiver<Option<u16>>)
where
    A: Fn(ClientFrame) -> Vec<Message> + Clone + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port");
    let (left, last) = watch::channel(None);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, answer.clone(), left.clone()));
        }
    });
    (address, last)
}

// Tungstenite says which error it wants.
#[expect(clippy::result_large_err)]
async fn talk(stream: TcpStream, answer: impl Fn(ClientFrame) -> Vec<Message>, left: watch::Sender<Option<u16>>) {
    let with_protocol = |request: &Request, mut response: Response| {
        // Clients of LiveStore offer none.
        if request.headers().contains_key("sec-websocket-protocol") {
            response.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().expect("a value"));
        }
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, with_protocol).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        let answers = match message {
            Message::Text(text) => match ClientFrame::decode(&text, &Limits::default()).expect("a frame") {
                ClientFrame::Ping => vec![text_of(&ServerFrame::Pong)],
                frame => answer(frame),
            },
            Message::Close(frame) => {
                left.send_replace(frame.map(|frame| frame.code.into()));
                Vec::new()
            }
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
