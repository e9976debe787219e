//! A canary in the place of a token: it shows up nowhere that is kept.

use larder_wire::{
    Call, ClientFrame, Exit, HEADER, HEADER_VALUE, PAYLOAD_HEADER, Payload, Peer, Request, RequestId, Tracing,
    Transport,
};
use serde_json::json;

use crate::{
    lab::{Socket, events, http, post, push, request},
    process::Process,
};

const CANARY: &str = "canary-7f3a91";

const PULL: Call = Call::Pull { cursor: None, live: true };

#[tokio::test]
async fn a_token_is_in_no_log_metric_or_answer_at_the_most_talkative_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("server.toml");
    let rules = format!("[auth]\n[[auth.rules]]\nstores = [\"a*\"]\ntokens = [\"{CANARY}\"]\n");
    std::fs::write(&config, rules).expect("a file");
    let config = config.to_str().expect("UTF-8");
    let data = folder.path().join("data");
    let server = Process::start(&data, &["--config", config, "--log", "trace"]);
    let good = Some(json!({ "authToken": CANARY }));
    let nearly = Some(json!({ "authToken": format!("{CANARY}-almost") }));
    let mut answers = String::new();

    let mut typescript = Socket::typescript(server.address, "a", good.clone()).await.expect("permitted");
    let id = typescript.ask("a", good.clone(), PULL).await;
    typescript.page_of(&id).await;
    assert_eq!(typescript.push("a", 0, 2).await, Exit::Pushed);
    typescript.send(format!("{{\"_tag\":\"{CANARY}\"}}")).await;
    typescript.send(CANARY).await;
    for _ in 0..2 {
        let defect = typescript.wait_for(|frame| matches!(frame, larder_wire::ServerFrame::Defect(_))).await;
        answers.push_str(&format!("{defect:?}"));
    }
    let mut larder = Socket::larder(server.address, good.clone()).await.expect("permitted");
    assert_eq!(larder.push("a2", 0, 1).await, Exit::Pushed);
    let id = larder.ask("b", good.clone(), push(events(0, 1))).await;
    answers.push_str(&format!("{:?}", larder.exit_of(&id).await));
    let bad = Call::Push { batch: Vec::new(), backend_id: Some("x".to_owned()) };
    let id = larder.ask("a2", nearly.clone(), bad).await;
    answers.push_str(&format!("{:?}", larder.exit_of(&id).await));
    assert!(Socket::typescript(server.address, "a", nearly.clone()).await.is_err());
    assert!(Socket::larder(server.address, nearly.clone()).await.is_err());

    for payload in [good.clone(), nearly.clone()] {
        answers.push_str(&post(server.address, "a", payload.clone(), PULL).await.body);
        let body = request(&RequestId::Number(1), Transport::Http, "a2", payload.clone(), PULL).encode(Peer::Larder);
        let header = Payload(payload.expect("a payload")).to_header();
        let headers = [(HEADER, HEADER_VALUE), ("x-larder-payload", header.as_str())];
        answers.push_str(&http(server.address, "POST", "/", &headers, &body).await.body);
        let bearer = format!("Bearer {CANARY}");
        answers.push_str(&http(server.address, "POST", "/?storeId=a", &[("authorization", &bearer)], &body).await.body);
    }
    for target in [format!("/?storeId=a&payload={CANARY}"), format!("/{CANARY}"), format!("/?storeId={CANARY}%2F")] {
        answers.push_str(&http(server.address, "POST", &target, &[("cookie", CANARY)], CANARY).await.body);
        answers.push_str(&http(server.address, "GET", &target, &[], "").await.body);
    }
    answers.push_str(&http(server.address, "GET", "/metrics", &[], "").await.body);
    typescript.quit().await;

    let logged = server.logged();
    assert!(logged.contains("listening") && logged.contains("open"), "it is talkative: {logged}");
    assert!(!logged.contains("canary"), "{logged}");
    assert!(!answers.contains("canary"), "{answers}");
    assert!(server.terminate().success());
    let mut files = String::new();
    for file in std::fs::read_dir(&data).expect("a folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        files.push_str(&String::from_utf8_lossy(&bytes));
    }
    assert!(files.contains("v1.Noted") && !files.contains("canary"), "the log has events and no tokens");
}

#[test]
fn what_holds_a_secret_shows_nothing_of_it() {
    let config = format!(
        "[auth]\n[[auth.rules]]\nstores = [\"*\"]\ntokens = [\"{CANARY}\"]\n[auth.jwt]\nalgorithm = \"HS256\"\nsecret = \"{CANARY}{CANARY}{CANARY}\""
    );
    let config: larder_server::Config = toml::from_str(&config).expect("a configuration");
    let rules = config.rules().expect("rules").expect("rules");
    let payload = Payload(json!({ "authToken": CANARY }));
    let mut headers = axum::http::HeaderMap::new();
    for name in ["authorization", "cookie", PAYLOAD_HEADER] {
        headers.insert(name, CANARY.parse().expect("a value"));
    }
    let access = larder_server::Access {
        verb: larder_server::Verb::Connect,
        store: None,
        payload: Some(&payload),
        headers: &headers,
    };
    let asked = Request {
        id: RequestId::Number(1),
        transport: Transport::Http,
        store_id: "a".to_owned(),
        payload: Some(payload.clone()),
        call: PULL,
        tracing: Tracing::default(),
        headers: vec![("authorization".to_owned(), CANARY.to_owned())],
    };
    let frame = ClientFrame::Request(asked.clone());
    let shown = format!("{config:?} {rules:?} {payload:?} {access:?} {access:#?} {asked:?} {frame:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("authorization") && shown.contains("cookie"), "names may be shown: {shown}");
}
