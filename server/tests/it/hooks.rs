//! Rules of an app's own: what they are told, and what their faults do to others.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use larder_server::{Access, Authorize, BoxFuture, MemoryStorage, Permit, Refused, Settings, Verb};
use larder_wire::{
    Call, Exit, Failure, HEADER, HEADER_VALUE, PAYLOAD_HEADER, Payload, Peer, Query, RefusalKind, RequestId,
    SUBPROTOCOL, StoreId, Transport,
};
use serde_json::{Value, json};

use crate::lab::{Lab, Socket, events, http, push, request};

/// What a hook was asked.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    verb: Verb,
    store: Option<String>,
    payload: Option<Value>,
    tenant: Option<String>,
}

/// Permits what the header says, remembers what it was asked, and has a store that it thinks about for ever and one that it panics at.
#[derive(Default)]
struct Hook(Mutex<Vec<Asked>>);

impl Hook {
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Authorize for Hook {
    fn authorize<'a>(&'a self, access: Access<'a>) -> BoxFuture<'a, Result<Permit, Refused>> {
        let tenant = access.headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok()).map(str::to_owned);
        let store = access.store.map(|store| store.as_str().to_owned());
        let payload = access.payload.map(|payload| payload.0.clone());
        let asked = Asked { verb: access.verb, store: store.clone(), payload, tenant };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        Box::pin(async move {
            match store.as_deref() {
                Some("slow") => std::future::pending().await,
                Some("panics") => panic!("a fault of the hook, as wanted"),
                Some("secret") => Err(Refused::Forbidden("not yours".to_owned())),
                _ => Ok(Permit::default()),
            }
        })
    }
}

const PULL: Call = Call::Pull { cursor: None, live: false };

async fn lab(settings: Settings) -> (Lab, Arc<Hook>) {
    let hook = Arc::new(Hook::default());
    (Lab::start(settings, Arc::new(MemoryStorage::new()), hook.clone()).await, hook)
}

fn asked(verb: Verb, store: Option<&str>, payload: &Value) -> Asked {
    Asked { verb, store: store.map(str::to_owned), payload: Some(payload.clone()), tenant: Some("acme".to_owned()) }
}

#[tokio::test]
async fn a_hook_is_told_store_payload_and_headers_for_each_connection_push_and_pull_at_every_door() {
    let (lab, hook) = lab(Settings::default()).await;
    let (of_url, of_request) = (json!({ "of": "the URL" }), json!({ "of": "the request" }));
    let query = |transport| {
        let store_id = Some(StoreId::new("a").expect("an id"));
        Query { store_id, payload: Some(Payload(of_url.clone())), transport: Some(transport) }.encode()
    };
    let url = format!("ws://{}/?{}", lab.address, query(Transport::WebSocket));
    let tenant = ("x-tenant", "acme".to_owned());
    let mut typescript =
        Socket::connect(&url, std::slice::from_ref(&tenant), Peer::TypeScript).await.expect("permitted");
    assert_eq!(hook.asked(), [asked(Verb::Connect, Some("a"), &of_url)]);
    assert_eq!(typescript.push("ignored", 0, 1).await, Exit::Pushed);
    assert_eq!(hook.asked(), [asked(Verb::Push, Some("a"), &of_url)], "a request without a payload has the URL's");
    let id = typescript.ask("a", Some(of_request.clone()), PULL).await;
    assert_eq!(typescript.exit_of(&id).await, Exit::Ended);
    assert_eq!(hook.asked(), [asked(Verb::Pull, Some("a"), &of_request)]);

    let header = (PAYLOAD_HEADER, Payload(of_url.clone()).to_header());
    let headers = [tenant, header, ("sec-websocket-protocol", SUBPROTOCOL.to_owned())];
    let url = format!("ws://{}/", lab.address);
    let mut larder = Socket::connect(&url, &headers, Peer::Larder).await.expect("permitted");
    assert_eq!(hook.asked(), [asked(Verb::Connect, None, &of_url)], "it has many stores");
    let id = larder.ask("b", Some(of_request.clone()), push(events(0, 1))).await;
    assert_eq!(larder.exit_of(&id).await, Exit::Pushed);
    let id = larder.ask("c", None, PULL).await;
    assert_eq!(larder.exit_of(&id).await, Exit::Ended);
    assert_eq!(hook.asked(), [asked(Verb::Push, Some("b"), &of_request), asked(Verb::Pull, Some("c"), &of_url)]);

    for (call, verb) in [(push(events(1, 1)), Verb::Push), (PULL, Verb::Pull)] {
        let id = RequestId::Number(1);
        let body = request(&id, Transport::Http, "a", Some(of_request.clone()), call).encode(Peer::TypeScript);
        let target = format!("/?{}", query(Transport::Http));
        let answer = http(lab.address, "POST", &target, &[("x-tenant", "acme")], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(hook.asked(), [asked(Verb::Connect, Some("a"), &of_url), asked(verb, Some("a"), &of_request)]);
    }
    assert_eq!(Socket::typescript(lab.address, "secret", None).await.err(), Some(403), "what it says counts");
}

#[tokio::test]
async fn whoever_leaves_while_a_hook_thinks_about_his_request_leaves_his_place_to_others() {
    let (lab, _) = lab(Settings { connections: 1, ..Settings::default() }).await;
    let body = request(&RequestId::Number(1), Transport::Http, "slow", None, PULL).encode(Peer::Larder);
    let asking = http(lab.address, "POST", "/", &[(HEADER, HEADER_VALUE)], &body);
    assert!(tokio::time::timeout(Duration::from_millis(300), asking).await.is_err(), "it has no answer");
    let others = async { while Socket::typescript(lab.address, "a", None).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), others).await.expect("there is a place");
}

#[tokio::test]
async fn a_hook_that_thinks_for_ever_or_panics_does_no_harm_to_others() {
    let (lab, _) = lab(Settings { unauthenticated: Duration::from_secs(1), ..Settings::default() }).await;
    let mut other = lab.typescript("a").await;
    let live = other.pull_live("a", None).await;
    other.page_of(&live).await;
    // On the same connection.
    let mut waits = lab.larder().await;
    let slow = waits.ask("slow", None, push(events(0, 1))).await;
    waits.pull_live("slow", None).await;
    assert_eq!(waits.push("b", 0, 1).await, Exit::Pushed);
    let pulled = waits.ask("b", None, PULL).await;
    assert_eq!(waits.exit_of(&pulled).await, Exit::Ended);
    // At the door: it has the time of somebody unknown.
    assert!(Socket::typescript(lab.address, "slow", None).await.is_err());
    // That one request is refused, and its connection goes on.
    for call in [PULL, push(events(0, 1))] {
        let asked = waits.ask("panics", None, call.clone()).await;
        let Exit::Failed(cause) = waits.exit_of(&asked).await else { panic!("not refused") };
        let refused = cause.found_failure();
        assert!(
            matches!(&refused, Some(Failure::Refused(refusal)) if refusal.kind == RefusalKind::Unavailable),
            "{refused:?}"
        );
        let body = request(&RequestId::Number(1), Transport::Http, "panics", None, call).encode(Peer::Larder);
        let answer = http(lab.address, "POST", "/", &[(HEADER, HEADER_VALUE)], &body).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("larder.Unavailable"), "{}", answer.body);
    }
    assert_eq!(Socket::typescript(lab.address, "panics", None).await.err(), Some(503));
    assert_eq!(other.push("a", 0, 1).await, Exit::Pushed);
    assert_eq!(other.page_of(&live).await.batch.len(), 1);
    assert_eq!(http(lab.address, "GET", "/healthz", &[], "").await.status, 200);
    waits.send(json!({ "_tag": "Interrupt", "requestId": slow }).to_string()).await;
    assert_eq!(waits.push("b", 1, 1).await, Exit::Pushed, "who waits is there as before");
    while lab.metric("sockets").await > 2 {}
    assert_eq!(lab.metric("live_pulls").await, 1, "nothing is left of those that ended");
}
