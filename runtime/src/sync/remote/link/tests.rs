//! Talk on a pipe that holds little.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use larder_wire::{Peer, Transport};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::{
    super::{
        frames::Writer,
        metered::Metered,
        pace::{Allowance, Gate},
    },
    Command,
    talk::Talk,
};
use crate::clock::Runtime;

/// Where each side writes first and reads then, both wait for ever. A server says so much only if it is read, too, so nobody but the client can
/// help it.
#[tokio::test]
async fn what_comes_is_taken_while_a_push_is_on_its_way_out() {
    let (client, server) = tokio::io::duplex(4_096);
    let (line, arrived) = Metered::new(Box::new(client));
    let socket = WebSocketStream::from_raw_socket(line, Role::Client, None).await;
    let clock = Runtime::for_sockets().unwrap();
    let writer = Writer { peer: Peer::Larder, transport: Transport::WebSocket };
    let mut talk = Talk::new((socket, arrived), writer, Default::default(), clock.clone());
    let (commands, receiver) = mpsc::channel(1);
    let gate = Gate::new(Allowance::default(), clock);
    let (text, turn) = gate.push(|| Ok("x".repeat(100_000))).await.unwrap();
    let (answer, _answered) = oneshot::channel();
    let push = Command::Push { id: 1, text, backend_id: String::new(), answer, turn, seat: None };
    assert!(commands.send(push).await.is_ok());
    let mut server = WebSocketStream::from_raw_socket(server, Role::Server, None).await;
    let serve = async {
        for _ in 0..10_000 {
            server.send(Message::text(r#"{"_tag":"Pong"}"#)).await.unwrap();
        }
        server.next().await.unwrap().unwrap()
    };
    let serve = timeout(Duration::from_secs(5), serve);
    tokio::select! {
        ended = talk.run(receiver) => panic!("{ended}"),
        pushed = serve => assert_eq!(pushed.expect("in time").len(), 100_000),
    }
}
