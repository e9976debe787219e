//! Apps that sync their stores with the server: larder on both sides, over real sockets.

use std::{sync::Arc, time::Duration};

use larder::{
    BackendError, Payload, PullRequest, PushRequest, StoreOptions, SyncBackend, SyncPhase, WsBackend,
    testing::sync_backend_conforms,
};
use larder_server::{MemoryStorage, OpenToAll, Rules, Server, Settings, SqliteStorage, Storage};
use tokio::time::timeout;

use crate::{
    apps::{Client, LineEvent, PATIENCE, Way, added, shows, texts},
    cuts::Network,
    lab::Lab,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_the_server_is_a_backend_as_apps_expect_it() {
    let settings = Settings { pushes_per_second: 10_000, ..Settings::default() };
    let lab = Lab::start(settings, Arc::new(MemoryStorage::new()), Arc::new(OpenToAll)).await;
    for way in Way::ALL {
        println!("{way:?}");
        let conforms = sync_backend_conforms([way.to(lab.address), way.to(lab.address)]);
        timeout(PATIENCE, conforms).await.expect("it answers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_commits_the_other_shows_and_the_receipt_is_confirmed() {
    let lab = Lab::open().await;
    let client = || Client::new(Way::Ws.to(lab.address), StoreOptions::new());
    let (ada, ben) = (client(), client());
    let (of_ada, of_ben) = (ada.page("page:1").await, ben.page("page:1").await);
    let receipt = of_ada.commit([added("a"), added("b")]).expect("it commits");
    timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    shows(&of_ben, &["a", "b"]).await;
    // An event without arguments.
    let receipt = of_ben.commit(LineEvent::Cleared).expect("it commits");
    timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    shows(&of_ada, &[]).await;
    assert_eq!(lab.metric("sockets").await, 2, "one connection a client");
    let _second = ada.page("page:2").await;
    let receipt = _second.commit(added("c")).expect("it commits");
    timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    assert_eq!(lab.metric("sockets").await, 2, "however many stores it has");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_both_go_on_and_after_it_is_back_they_meet() {
    let data = tempfile::tempdir().expect("a folder");
    let storage = || Arc::new(SqliteStorage::open(data.path()).expect("a log")) as Arc<dyn Storage>;
    let lab = Lab::start(Settings::default(), storage(), Arc::new(OpenToAll)).await;
    let address = lab.address;
    // One hears of the other by a WebSocket, the other one asks.
    let client = |way: Way| Client::new(way.to(address), StoreOptions::new());
    let (ada, ben) = (client(Way::Ws), client(Way::Http));
    let (of_ada, of_ben) = (ada.page("page:1").await, ben.page("page:1").await);
    let receipt = of_ada.commit(added("before")).expect("it commits");
    timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    shows(&of_ben, &["before"]).await;
    lab.server.stop().await;
    let of_both = [of_ada.commit(added("of ada")), of_ben.commit(added("of ben"))].map(|made| made.expect("offline"));
    assert_eq!(texts(&of_ada), ["before", "of ada"]);
    let server = Server::start(Settings::default(), storage(), Arc::new(OpenToAll), &address.to_string()).await;
    let server = server.expect("the same port");
    for receipt in of_both {
        timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    }
    shows(&of_ada, &["before", "of ada", "of ben"]).await;
    shows(&of_ben, &["before", "of ada", "of ben"]).await;
    drop((of_ada, of_ben));
    for client in [ada, ben] {
        let report = client.registry.shutdown(Duration::from_secs(10)).await;
        assert!(report.is_clean(), "{report:?}");
        drop(client.folder);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_and_a_new_one_is_asked_for() {
    let rules = toml::from_str("[[rules]]\nstores = [\"page*\"]\ntokens = [\"right\"]").expect("rules");
    let rules = Arc::new(Rules::new(&rules).expect("rules"));
    let lab = Lab::start(Settings::default(), Arc::new(MemoryStorage::new()), rules).await;
    for way in Way::ALL {
        let token = Arc::new(std::sync::Mutex::new("wrong-canary"));
        let asked = Arc::clone(&token);
        let provider = Payload::provider(move || {
            let token = *asked.lock().expect("no panic");
            async move { Ok(Payload::new().with("authToken", token)) }
        });
        let client = Client::new(way.to(lab.address), StoreOptions::new().sync_payload(provider));
        let page = client.page(&format!("page-{way:?}")).await;
        let receipt = page.commit(added("a")).expect("it commits");
        let mut status = page.watch_sync();
        let refused = timeout(PATIENCE, async {
            loop {
                let now = page.sync_status();
                if let Some(error) = now.last_error {
                    return error.to_string();
                }
                status.next().await;
            }
        });
        let refused = refused.await.expect("in time");
        assert!(refused.contains("access") && !refused.contains("canary"), "{way:?}: {refused}");
        *token.lock().expect("no panic") = "right";
        timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
        assert_eq!(page.sync_status().phase, SyncPhase::Live);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_none_of_larders_is_said_to_be_one() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port");
    // A server of WebSockets that knows no subprotocol.
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = tokio_tungstenite::accept_async(stream).await;
        }
    });
    let backend = WsBackend::new(format!("ws://{address}")).expect("a URL");
    let error = backend.connect().await.expect_err("no larder server");
    assert!(matches!(error, BackendError::Other(_)) && error.to_string().contains("of_livestore"), "{error}");
    let nobody = WsBackend::new("ws://127.0.0.1:9").expect("a URL");
    assert!(matches!(nobody.connect().await, Err(BackendError::Offline { .. })));
    assert!(!nobody.connected());
    let mut pull = nobody.pull(PullRequest::new("a", Box::leak(Box::default())));
    let first = futures_util::StreamExt::next(&mut pull).await;
    assert!(matches!(first, Some(Err(BackendError::Offline { .. }))), "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_too_a_server_that_is_none_of_larders_is_said_to_be_one() {
    let lab = Lab::open().await;
    let page = axum::Router::new().fallback(|| async { axum::response::Html("<h1>Sign in to this network</h1>") });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port");
    tokio::spawn(async move { axum::serve(listener, page).await });
    let first = async |way: Way, address| {
        let (backend, payload) = (way.to(address), Payload::new());
        let mut pull = backend.pull(PullRequest::new("a", &payload));
        (futures_util::StreamExt::next(&mut pull).await.expect("an answer"), backend.connected())
    };
    for way in [Way::Http, Way::HttpOfLiveStore] {
        let (answer, connected) = first(way, address).await;
        assert!(
            matches!(&answer, Err(BackendError::Other(error)) if error.to_string().contains("no frames")),
            "{answer:?}"
        );
        assert!(connected, "somebody is there");
        let nobody = "127.0.0.1:9".parse().expect("an address");
        let (answer, connected) = first(way, nobody).await;
        assert!(matches!(answer, Err(BackendError::Offline { .. })) && !connected, "{answer:?}");
        assert!(first(way, lab.address).await.0.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_over_http_is_read_page_by_page_and_connections_are_used_again() {
    let lab = Lab::open().await;
    let backend = Way::Http.to(lab.address);
    let payload = Payload::new();
    let mut writer = lab.larder().await;
    for batch in 0..30 {
        assert_eq!(writer.push("long", batch * 100, 100).await, larder_wire::Exit::Pushed);
    }
    writer.quit().await;
    let read = async || {
        let mut pull = backend.pull(PullRequest::new("long", &payload));
        let (mut pages, mut events) = (0, 0);
        while let Some(page) = futures_util::StreamExt::next(&mut pull).await {
            events += page.expect("a page").events.len();
            pages += 1;
        }
        (pages, events)
    };
    for _ in 0..5 {
        assert_eq!(read().await, (30, 3_000));
    }
    // One for all that was asked, and the one that asks for this.
    while lab.metric("connections").await > 2 {}
    // A pull that nobody reads on leaves nothing behind.
    let mut pull = backend.pull(PullRequest::new("long", &payload));
    futures_util::StreamExt::next(&mut pull).await.expect("a page").expect("a page");
    drop(pull);
    while lab.metric("connections").await > 2 {}
    assert_eq!(read().await.1, 3_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_gateway_with_nobody_behind_it_tries_become_rare() {
    let nobody = "127.0.0.1:9".parse().expect("an address");
    let gateway = Network::to(nobody).await;
    let mut apps = Vec::new();
    for way in Way::ALL {
        let client = Client::new(way.to(gateway.address), StoreOptions::new());
        let page = client.page("page-1").await;
        page.commit(added("a")).expect("it commits");
        apps.push((client, page));
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    // At once, and then after 1 s, and 2 s, some of them on two connections: not thousands.
    assert!(gateway.connections() <= 60, "{} connections in 4 s", gateway.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls_over_http_that_nobody_reads_on_are_in_no_pushs_way() {
    let settings = Settings { pushes_per_second: 10_000, ..Settings::default() };
    let lab = Lab::start(settings, Arc::new(MemoryStorage::new()), Arc::new(OpenToAll)).await;
    let mut writer = lab.larder().await;
    for batch in 0..20 {
        assert_eq!(writer.push("long", batch * 100, 100).await, larder_wire::Exit::Pushed);
    }
    let (backend, payload) = (Way::Http.to(lab.address), Payload::new());
    let mut pulls = Vec::new();
    for _ in 0..20 {
        let mut pull = backend.pull(PullRequest::new("long", &payload));
        // Those that have no turn yet are asked for, too.
        let first = timeout(Duration::from_millis(200), futures_util::StreamExt::next(&mut pull)).await;
        assert!(first.is_err() || matches!(first, Ok(Some(Ok(_)))));
        pulls.push(pull);
    }
    let push = backend.push(PushRequest::new("new", 0, &[], &payload));
    assert!(timeout(PATIENCE, push).await.expect("in time").is_ok());
    for mut pull in pulls {
        let mut last = 0;
        while let Some(page) = timeout(PATIENCE, futures_util::StreamExt::next(&mut pull)).await.expect("in time") {
            last = page.expect("a page").events.last().map_or(last, |event| event.number.global());
        }
        assert!(last == 2_000 || last == 0, "{last}");
    }
}
