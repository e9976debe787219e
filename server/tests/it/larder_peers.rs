//! What larder's own clients have beside: many stores on one connection, event ids, the head.

use larder_server::Settings;
use larder_wire::{
    Call, EventId, Exit, HEADER, HEADER_VALUE, Payload, Peer, RefusalKind, RequestId, ServerFrame, Transport,
};
use serde_json::json;

use crate::lab::{Lab, Socket, events, failure, http, push, request};

#[tokio::test]
async fn one_connection_carries_many_stores() {
    let lab = Lab::open().await;
    let mut socket = lab.larder().await;
    let stores: Vec<_> = (0..40).map(|number| format!("project:{number}")).collect();
    let mut pulls = Vec::new();
    for store in &stores {
        let id = socket.pull_live(store, None).await;
        assert!(socket.page_of(&id).await.batch.is_empty());
        pulls.push(id);
    }
    let mut writer = lab.larder().await;
    for (count, store) in (1..).zip(&stores) {
        assert_eq!(writer.push(store, 0, count).await, Exit::Pushed);
    }
    for (count, id) in (1..).zip(&pulls) {
        assert_eq!(socket.numbers_until(id, count).await, (1..=count).collect::<Vec<_>>());
    }
    assert_eq!(lab.metric("followed_stores").await, 40);
    socket.quit().await;
    writer.quit().await;
    while lab.metric("followed_stores").await > 0 {}
}

#[tokio::test]
async fn event_ids_and_the_head_go_to_larder_peers_alone() {
    let lab = Lab::open().await;
    let (mut larder, mut typescript) = (lab.larder().await, lab.typescript("a").await);
    let (to_larder, to_typescript) = (larder.pull_live("a", None).await, typescript.pull_live("a", None).await);
    assert_eq!(larder.page_of(&to_larder).await.head, Some(0));
    assert_eq!(typescript.page_of(&to_typescript).await.head, None);
    let mut sent = events(0, 2);
    sent[0].id = Some(EventId([7; 16]));
    let id = larder.ask("a", None, push(sent.clone())).await;
    assert_eq!(larder.exit_of(&id).await, Exit::Pushed);
    let (seen, plain) = (larder.page_of(&to_larder).await, typescript.page_of(&to_typescript).await);
    assert_eq!((seen.batch[0].event.id, seen.batch[1].event.id, seen.head), (sent[0].id, None, Some(2)));
    assert_eq!((plain.batch[0].event.id, plain.head), (None, None));
    // An id that a TypeScript client makes up is none.
    let mut made_up = events(2, 1);
    made_up[0].id = Some(EventId([8; 16]));
    let text = request(&RequestId::Number(9), Transport::WebSocket, "a", None, push(made_up)).encode(Peer::Larder);
    typescript.send(text).await;
    assert_eq!(larder.page_of(&to_larder).await.batch[0].event.id, None);
}

#[tokio::test]
async fn a_payload_in_the_url_of_a_larder_client_is_refused() {
    let lab = Lab::open().await;
    let url = format!("ws://{}/?payload=%257B%257D", lab.address);
    let offer = [("sec-websocket-protocol", "larder.1".to_owned())];
    assert_eq!(Socket::connect(&url, &offer, Peer::Larder).await.err(), Some(400));
    assert!(Socket::larder(lab.address, Some(json!({ "authToken": "t" }))).await.is_ok());
}

#[tokio::test]
async fn a_larder_client_over_http_needs_no_store_in_the_url() {
    let lab = Lab::open().await;
    let id = RequestId::Text("1".to_owned());
    let mut sent = events(0, 1);
    sent[0].id = Some(EventId([9; 16]));
    let mine = [(HEADER, HEADER_VALUE)];
    let body = request(&id, Transport::Http, "issue:1", None, push(sent.clone())).encode(Peer::Larder);
    let pushed = http(lab.address, "POST", "/", &mine, &body).await;
    assert!(pushed.headers.contains("x-larder: 1"));
    assert!(matches!(pushed.frames()[..], [ServerFrame::Exit { exit: Exit::Pushed, .. }]));
    let pull = Call::Pull { cursor: None, live: false };
    let body = request(&id, Transport::Http, "issue:1", Some(json!("t")), pull).encode(Peer::Larder);
    let frames = http(lab.address, "POST", "/", &mine, &body).await.frames();
    let ServerFrame::Chunk { values, .. } = &frames[0] else { panic!("no page") };
    assert_eq!((values[0].batch[0].event.id, values[0].head), (sent[0].id, Some(1)));
    let header = Payload(json!("t")).to_header();
    let with_header = [(HEADER, HEADER_VALUE), ("x-larder-payload", &header)];
    assert_eq!(http(lab.address, "POST", "/", &with_header, &body).await.status, 200);
}

#[tokio::test]
async fn a_connection_has_so_many_stores_and_no_more() {
    let lab = Lab::with(Settings { stores_per_connection: 3, ..Settings::default() }).await;
    let mut socket = lab.larder().await;
    let mut pulls = Vec::new();
    for store in ["a", "b", "c"] {
        pulls.push(socket.pull_live(store, None).await);
    }
    let too_many = socket.pull_live("d", None).await;
    let refused = failure(socket.exit_of(&too_many).await);
    assert!(
        matches!(&refused, larder_wire::Failure::Refused(refusal)
            if refusal.kind == RefusalKind::Full && refusal.limit == Some(3) && refusal.message.contains("d would be one of more than 3 stores")),
        "{refused:?}"
    );
    assert_eq!(socket.push("c", 0, 1).await, Exit::Pushed, "a store that it has goes on");
    let RequestId::Text(first) = &pulls[0] else { panic!("larder's ids are texts") };
    socket.send(json!({ "_tag": "Interrupt", "requestId": first }).to_string()).await;
    socket.exit_of(&pulls[0]).await;
    let now_there_is_room = socket.pull_live("d", None).await;
    assert!(socket.page_of(&now_there_is_room).await.batch.is_empty());
}
