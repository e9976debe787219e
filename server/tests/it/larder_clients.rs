//! Apps that sync their stores with the server: larder on both sides, over real sockets.

use std::{sync::Arc, time::Duration};

use larder::{
    BackendError, GcTime, Payload, PullRequest, StoreOptions, SyncBackend, SyncPhase, WsBackend, prelude::*,
    testing::sync_backend_conforms,
};
use larder_server::{MemoryStorage, OpenToAll, Rules, Server, Settings, SqliteStorage, Storage};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::lab::Lab;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "lines")]
struct Line {
    #[table(primary_key)]
    id: Uuid,
    text: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum LineEvent {
    #[event(name = "v1.LineAdded")]
    Added { id: Uuid, text: String },
    #[event(name = "v1.Cleared")]
    Cleared,
}

#[derive(StoreSchema)]
#[schema(events = LineEvent, tables(Line), version = 1)]
struct PageSchema;

#[larder::materializer]
impl Materializer for PageSchema {
    fn materialize(event: &LineEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        match event {
            LineEvent::Added { id, text } => tables.insert(Line { id: *id, text: text.clone() }),
            LineEvent::Cleared => tables.delete(Line::all()).run(),
        }
    }
}

define_store! {
    /// Lines that several people write.
    Page {
        name: "page",
        schema: PageSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

fn added(text: &str) -> LineEvent {
    LineEvent::Added { id: Uuid::new_v4(), text: text.to_owned() }
}

/// One person's app.
struct Client {
    folder: TempDir,
    backend: Arc<WsBackend>,
    registry: StoreRegistry,
}

impl Client {
    fn new(url: &str, options: StoreOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let backend = WsBackend::new(url).expect("a URL");
        let registry = StoreRegistry::builder()
            .data_dir(folder.path())
            .defaults(options.sync(Arc::clone(&backend) as Arc<dyn SyncBackend>))
            .build()
            .expect("a registry");
        Self { folder, backend, registry }
    }

    async fn page(&self, id: &str) -> StoreHandle<Page> {
        self.registry.get::<Page>(id).await.expect("it loads")
    }
}

fn texts(page: &Store<Page>) -> Vec<String> {
    let mut texts: Vec<_> = page.query(Line::all()).expect("it reads").into_iter().map(|line| line.text).collect();
    texts.sort();
    texts
}

/// Waits until a store shows these lines.
async fn shows(page: &Store<Page>, expected: &[&str]) {
    let mut lines = page.subscribe(Line::all());
    let found = timeout(PATIENCE, async {
        while let Some(result) = lines.next().await {
            result.expect("it reads");
            if texts(page) == expected {
                return;
            }
        }
    });
    assert!(found.await.is_ok(), "expected {expected:?}, found {:?}, {:?}", texts(page), page.sync_status());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_to_the_server_is_a_backend_as_apps_expect_it() {
    let settings = Settings { pushes_per_second: 10_000, ..Settings::default() };
    let lab = Lab::start(settings, Arc::new(MemoryStorage::new()), Arc::new(OpenToAll)).await;
    let url = format!("ws://{}", lab.address);
    let client = || WsBackend::new(&url).expect("a URL") as Arc<dyn SyncBackend>;
    timeout(PATIENCE, sync_backend_conforms([client(), client()])).await.expect("it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_client_of_livestore_it_is_the_same() {
    let settings = Settings { pushes_per_second: 10_000, ..Settings::default() };
    let lab = Lab::start(settings, Arc::new(MemoryStorage::new()), Arc::new(OpenToAll)).await;
    let url = format!("ws://{}/any/path", lab.address);
    let client = || WsBackend::builder(&url).of_livestore().build().expect("a URL") as Arc<dyn SyncBackend>;
    timeout(PATIENCE, sync_backend_conforms([client(), client()])).await.expect("it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_commits_the_other_shows_and_the_receipt_is_confirmed() {
    let lab = Lab::open().await;
    let url = format!("ws://{}", lab.address);
    let (ada, ben) = (Client::new(&url, StoreOptions::new()), Client::new(&url, StoreOptions::new()));
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
    let (address, url) = (lab.address, format!("ws://{}", lab.address));
    let (ada, ben) = (Client::new(&url, StoreOptions::new()), Client::new(&url, StoreOptions::new()));
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
        drop((client.backend, client.folder));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_and_a_new_one_is_asked_for() {
    let rules = toml::from_str("[[rules]]\nstores = [\"page:*\"]\ntokens = [\"right\"]").expect("rules");
    let rules = Arc::new(Rules::new(&rules).expect("rules"));
    let lab = Lab::start(Settings::default(), Arc::new(MemoryStorage::new()), rules).await;
    let token = Arc::new(std::sync::Mutex::new("wrong-canary"));
    let asked = Arc::clone(&token);
    let provider = Payload::provider(move || {
        let token = *asked.lock().expect("no panic");
        async move { Ok(Payload::new().with("authToken", token)) }
    });
    let client = Client::new(&format!("ws://{}", lab.address), StoreOptions::new().sync_payload(provider));
    let page = client.page("page:1").await;
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
    assert!(refused.contains("access") && !refused.contains("canary"), "{refused}");
    *token.lock().expect("no panic") = "right";
    timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    assert_eq!(page.sync_status().phase, SyncPhase::Live);
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
