//! Every verb, asked by everybody who may not: refused, and nothing of the store is told.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use larder_server::{MemoryStorage, Rules, RulesConfig, Settings};
use larder_wire::{Call, Exit, Failure, HEADER, HEADER_VALUE, Peer, RefusalKind, RequestId, ServerFrame, Transport};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::lab::{Answer, Lab, Socket, events, failure, http, post, push, request};

const SECRET: &str = "thirty-two bytes are just enough";

fn rules(tokens: &str) -> RulesConfig {
    let text = format!(
        "[[rules]]\nstores = [\"a:*\", \"tenant-a\"]\ntokens = [{tokens}]\n\
         [[rules]]\nstores = [\"tenant-a\"]\ntokens = [\"reader\"]\nallow = [\"pull\"]\n\
         [[rules]]\nstores = [\"tenant-b\"]\ntokens = [\"of-b\"]\n\
         [jwt]\nalgorithm = \"HS256\"\nsecret = \"{SECRET}\""
    );
    toml::from_str(&text).expect("rules")
}

async fn lab(config: &RulesConfig) -> (Lab, Arc<Rules>) {
    let rules = Arc::new(Rules::new(config).expect("rules"));
    let lab = Lab::start(Settings::default(), Arc::new(MemoryStorage::new()), rules.clone()).await;
    (lab, rules)
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    i64::try_from(now).expect("not that far")
}

fn token_with(claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>, algorithm: &str) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&json!({ "alg": algorithm })), part(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn jwt(expires_in: i64, stores: Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let claims = json!({ "exp": now() + expires_in, "stores": stores });
    token_with(&claims, |message| hmac::sign(&key, message).as_ref().to_vec(), "HS256")
}

fn payload(token: &str) -> Option<Value> {
    Some(json!({ "authToken": token }))
}

const PULL: Call = Call::Pull { cursor: None, live: false };

/// Everybody who may not read or write `tenant-a`, and with which status they are turned away.
fn strangers() -> Vec<(&'static str, Option<Value>, u16)> {
    vec![
        ("no token", None, 401),
        ("an empty payload", Some(json!({})), 401),
        ("an empty token", payload(""), 401),
        ("a token of another type", Some(json!({ "authToken": ["good"] })), 401),
        ("a token in another field", Some(json!({ "token": "good" })), 401),
        ("a wrong token", payload("bad"), 401),
        ("a longer token", payload("good "), 401),
        ("an expired token", payload(&jwt(-1, json!("tenant-a"))), 401),
        ("another tenant's token", payload("of-b"), 403),
        ("another tenant's signed token", payload(&jwt(60, json!("tenant-b"))), 403),
        ("a signed token for nothing", payload(&jwt(60, json!([]))), 403),
    ]
}

fn shows_nothing(answer: &Answer) {
    for secret in ["v1.Noted", "Pong", "backendId", "ServerAhead", "minimumExpected", "good"] {
        assert!(!answer.body.contains(secret), "{secret}: {}", answer.body);
    }
}

#[tokio::test]
async fn whoever_may_not_is_refused_at_both_doors_for_every_verb_and_told_nothing() {
    let (lab, _) = lab(&rules("\"good\"")).await;
    let stored = post(lab.address, "tenant-a", payload("good"), push(events(0, 3))).await;
    assert_eq!(stored.status, 200);
    for (who, payload, status) in strangers() {
        let refused = Socket::typescript(lab.address, "tenant-a", payload.clone()).await;
        assert_eq!(refused.err(), Some(status), "{who}: a socket");
        for call in [PULL, push(events(3, 1)), push(events(0, 1)), push(Vec::new()), Call::Ping] {
            let answer = post(lab.address, "tenant-a", payload.clone(), call).await;
            assert_eq!(answer.status, status, "{who}: http");
            shows_nothing(&answer);
        }
    }
    let still = post(lab.address, "tenant-a", payload("good"), PULL).await.frames();
    assert!(matches!(&still[0], ServerFrame::Chunk { values, .. } if values[0].batch.len() == 3), "nothing was added");
}

#[tokio::test]
async fn a_larder_client_is_refused_for_each_store_by_itself() {
    let (lab, _) = lab(&rules("\"good\"")).await;
    let stored = post(lab.address, "tenant-a", payload("good"), push(events(0, 3))).await;
    assert_eq!(stored.status, 200);
    let mut socket = Socket::larder(lab.address, None).await.expect("its requests may say who asks");
    for (who, payload, status) in strangers() {
        let expected = if status == 401 { RefusalKind::Unauthenticated } else { RefusalKind::Forbidden };
        let live = Call::Pull { cursor: None, live: true };
        for call in [PULL, live, push(events(3, 1)), push(events(0, 1)), push(Vec::new()), Call::Ping] {
            let id = socket.ask("tenant-a", payload.clone(), call.clone()).await;
            match socket.next().await {
                Ok(ServerFrame::Exit { request_id, exit }) if request_id == id => match failure(exit) {
                    Failure::Refused(refusal) => assert_eq!(refusal.kind, expected, "{who}"),
                    other => panic!("{who}: {other:?}"),
                },
                other => panic!("{who}: {other:?}"),
            }
            let text = RequestId::Text("1".to_owned());
            let body = request(&text, Transport::Http, "tenant-a", payload.clone(), call).encode(Peer::Larder);
            let answer = http(lab.address, "POST", "/", &[(HEADER, HEADER_VALUE)], &body).await;
            assert_eq!(answer.status, status, "{who}: {}", answer.body);
            shows_nothing(&answer);
        }
        if payload.is_some() {
            // A header that is wrong is refused; one of another tenant has stores of its own.
            let refused = Socket::larder(lab.address, payload).await.err();
            assert_eq!(refused, (status == 401).then_some(401), "{who}: a header");
        }
    }
    let id = socket.ask("a:1", payload("good"), push(events(0, 1))).await;
    assert_eq!(socket.exit_of(&id).await, Exit::Pushed, "the connection is no worse for it");
    let refused = Socket::larder(lab.address, payload("bad")).await;
    assert_eq!(refused.err(), Some(401), "a wrong header is refused at once");
}

#[tokio::test]
async fn a_token_for_reading_does_not_write() {
    let (lab, _) = lab(&rules("\"good\"")).await;
    let mut socket = Socket::typescript(lab.address, "tenant-a", payload("reader")).await.expect("it may read");
    let id = socket.ask("tenant-a", payload("reader"), PULL).await;
    assert_eq!(socket.exit_of(&id).await, Exit::Ended);
    let id = socket.ask("tenant-a", None, push(events(0, 1))).await;
    assert!(
        matches!(failure(socket.exit_of(&id).await), Failure::Refused(refusal) if refusal.kind == RefusalKind::Forbidden)
    );
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_live_pulls_before_anything_more_is_told() {
    let (lab, rules_now) = lab(&rules("\"good\", \"kept\"")).await;
    let mut revoked = Socket::typescript(lab.address, "tenant-a", payload("good")).await.expect("good");
    let mut larder = Socket::larder(lab.address, payload("good")).await.expect("good");
    let mut kept = Socket::typescript(lab.address, "tenant-a", payload("kept")).await.expect("kept");
    let live = Call::Pull { cursor: None, live: true };
    let first = revoked.ask("tenant-a", payload("good"), live.clone()).await;
    revoked.page_of(&first).await;
    let second = larder.ask("tenant-a", None, live.clone()).await;
    larder.page_of(&second).await;
    let third = kept.ask("tenant-a", None, live).await;
    kept.page_of(&third).await;
    rules_now.replace(&rules("\"kept\"")).expect("rules");
    let pushed = kept.ask("tenant-a", None, push(events(0, 2))).await;
    assert_eq!(kept.exit_of(&pushed).await, Exit::Pushed);
    assert_eq!(kept.page_of(&third).await.batch.len(), 2);
    assert_eq!(revoked.next().await, Err(1008), "no page, an end");
    match larder.next().await {
        Ok(ServerFrame::Exit { request_id, exit }) if request_id == second => {
            assert!(matches!(failure(exit), Failure::Refused(refusal) if refusal.kind == RefusalKind::Unauthenticated));
        }
        other => panic!("{other:?}"),
    }
    let id = larder.ask("tenant-a", None, push(events(2, 1))).await;
    assert!(matches!(failure(larder.exit_of(&id).await), Failure::Refused(_)));
    let back = Socket::typescript(lab.address, "tenant-a", payload("good")).await;
    assert_eq!(back.err(), Some(401));
    assert_eq!(post(lab.address, "tenant-a", payload("good"), PULL).await.status, 401);
}

#[tokio::test]
async fn a_token_that_was_revoked_opens_no_door_for_any_verb() {
    let (lab, rules_now) = lab(&rules("\"good\"")).await;
    let mut socket = Socket::larder(lab.address, None).await.expect("its requests say who asks");
    let mut typescript = Socket::typescript(lab.address, "tenant-a", payload("good")).await.expect("good");
    assert_eq!(post(lab.address, "tenant-a", payload("good"), push(events(0, 1))).await.status, 200);
    rules_now.replace(&rules("\"kept\"")).expect("rules");
    let live = Call::Pull { cursor: None, live: true };
    for call in [PULL, live, push(events(1, 1)), push(Vec::new()), Call::Ping] {
        let id = socket.ask("tenant-a", payload("good"), call.clone()).await;
        let refused = failure(socket.exit_of(&id).await);
        assert!(matches!(refused, Failure::Refused(refusal) if refusal.kind == RefusalKind::Unauthenticated));
        let body = request(&RequestId::Number(1), Transport::Http, "tenant-a", payload("good"), call.clone());
        let answer = http(lab.address, "POST", "/", &[(HEADER, HEADER_VALUE)], &body.encode(Peer::Larder)).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        shows_nothing(&answer);
        let answer = post(lab.address, "tenant-a", payload("good"), call).await;
        assert_eq!(answer.status, 401);
        shows_nothing(&answer);
    }
    assert_eq!(Socket::larder(lab.address, payload("good")).await.err(), Some(401));
    assert_eq!(Socket::typescript(lab.address, "tenant-a", payload("good")).await.err(), Some(401));
    // A socket that was open before.
    let id = typescript.ask("tenant-a", payload("good"), push(events(1, 1))).await;
    assert!(matches!(failure(typescript.exit_of(&id).await), Failure::Refused(_)));
    typescript.ask("tenant-a", payload("good"), PULL).await;
    assert_eq!(typescript.closed().await, 1008);
    let kept = post(lab.address, "tenant-a", payload("kept"), PULL).await.frames();
    assert!(matches!(&kept[0], ServerFrame::Chunk { values, .. } if values[0].batch.len() == 1), "nothing was added");
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_an_answer_over_http_before_all_of_it_is_told() {
    let (lab, rules_now) = lab(&rules("\"good\"")).await;
    let large = format!("\"{}\"", "x".repeat(200_000));
    let mut writer = Socket::larder(lab.address, payload("good")).await.expect("good");
    for number in 1..=100 {
        let id = writer.ask("tenant-a", None, push(vec![crate::lab::event(number, &large)])).await;
        // What is too fast is refused, and asked again.
        if writer.exit_of(&id).await != Exit::Pushed {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let id = writer.ask("tenant-a", None, push(vec![crate::lab::event(number, &large)])).await;
            assert_eq!(writer.exit_of(&id).await, Exit::Pushed);
        }
    }
    let body = request(&RequestId::Number(1), Transport::Http, "tenant-a", payload("good"), PULL).encode(Peer::Larder);
    let mut answer = crate::lab::SlowAnswer::ask(lab.address, &[(HEADER, HEADER_VALUE)], &body).await;
    answer.read(100_000).await;
    rules_now.replace(&rules("\"kept\"")).expect("rules");
    let all = answer.rest().await;
    let told = all.matches("\"eventEncoded\"").count();
    assert!((1..100).contains(&told), "{told} events were told");
    assert!(all.contains("larder.Unauthenticated"), "and why it ended");
}

#[tokio::test]
async fn a_live_pull_ends_when_its_token_expires() {
    let (lab, _) = lab(&rules("\"good\"")).await;
    let token = jwt(6, json!(["tenant-*"]));
    let expires = now() + 6;
    let mut socket = Socket::typescript(lab.address, "tenant-a", payload(&token)).await.expect("still good");
    let live = socket.ask("tenant-a", payload(&token), Call::Pull { cursor: None, live: true }).await;
    socket.page_of(&live).await;
    assert_eq!(post(lab.address, "tenant-a", payload("good"), push(events(0, 1))).await.status, 200);
    assert_eq!(socket.page_of(&live).await.batch.len(), 1);
    while now() <= expires {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(post(lab.address, "tenant-a", payload("good"), push(events(1, 1))).await.status, 200);
    assert_eq!(socket.next().await, Err(1008));
    assert_eq!(Socket::typescript(lab.address, "tenant-a", payload(&token)).await.err(), Some(401));
}

#[tokio::test]
async fn tokens_signed_with_eddsa_are_checked_by_the_public_key() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let config: RulesConfig = toml::from_str(&format!(
        "[jwt]\nalgorithm = \"EdDSA\"\npublic_key = \"{}\"\nissuer = \"me\"\naudience = \"larder\"",
        BASE64_URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())
    ))
    .expect("rules");
    let (lab, _) = lab(&config).await;
    let sign = |claims: Value| token_with(&claims, |message| pair.sign(message).as_ref().to_vec(), "EdDSA");
    let claims = json!({ "exp": now() + 60, "stores": "notes:*", "iss": "me", "aud": ["other", "larder"] });
    let answer = post(lab.address, "notes", payload(&sign(claims.clone())), PULL).await;
    assert_eq!(answer.status, 403, "a store that the pattern does not fit");
    let good = payload(&sign(claims.clone()));
    let mut socket = Socket::larder(lab.address, good).await.expect("signed");
    assert_eq!(socket.push("notes:1", 0, 1).await, Exit::Pushed);
    for (claim, wrong) in [("iss", json!("you")), ("aud", json!("other")), ("exp", json!("never"))] {
        let mut claims = claims.clone();
        claims[claim] = wrong;
        let refused = Socket::larder(lab.address, payload(&sign(claims))).await;
        assert_eq!(refused.err(), Some(401), "{claim}");
    }
    // The public key as a secret, which some checkers fall for.
    let key = hmac::Key::new(hmac::HMAC_SHA256, pair.public_key().as_ref());
    let forged = token_with(&claims, |message| hmac::sign(&key, message).as_ref().to_vec(), "HS256");
    assert_eq!(Socket::larder(lab.address, payload(&forged)).await.err(), Some(401));
}

#[tokio::test]
async fn a_bearer_token_in_a_header_serves_where_there_is_no_payload() {
    let (lab, _) = lab(&rules("\"good\"")).await;
    let body = request(&RequestId::Number(1), Transport::Http, "tenant-a", None, PULL).encode(Peer::TypeScript);
    for (token, status) in [("Bearer good", 200), ("Bearer bad", 401), ("good", 401)] {
        let answer = http(lab.address, "POST", "/?storeId=tenant-a", &[("authorization", token)], &body).await;
        assert_eq!(answer.status, status, "{token}");
    }
}
