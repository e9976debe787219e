//! An app of larder's, for tests of what its clients and the server make together.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use larder::{GcTime, HttpBackend, StoreOptions, SyncBackend, WsBackend, prelude::*};
use tempfile::TempDir;
use tokio::time::timeout;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "lines")]
pub(crate) struct Line {
    #[table(primary_key)]
    pub(crate) id: Uuid,
    pub(crate) text: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum LineEvent {
    #[event(name = "v1.LineAdded")]
    Added { id: Uuid, text: String },
    #[event(name = "v1.Cleared")]
    Cleared,
}

#[derive(StoreSchema)]
#[schema(events = LineEvent, tables(Line), version = 1)]
pub(crate) struct PageSchema;

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
    pub(crate) Page {
        name: "page",
        schema: PageSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::NEVER,
    }
}

pub(crate) fn added(text: &str) -> LineEvent {
    LineEvent::Added { id: Uuid::new_v4(), text: text.to_owned() }
}

/// One person's app.
pub(crate) struct Client {
    pub(crate) folder: TempDir,
    pub(crate) registry: StoreRegistry,
}

impl Client {
    pub(crate) fn new(backend: Arc<dyn SyncBackend>, options: StoreOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = StoreRegistry::builder()
            .data_dir(folder.path())
            .defaults(options.sync(backend))
            .build()
            .expect("a registry");
        Self { folder, registry }
    }

    pub(crate) async fn page(&self, id: &str) -> StoreHandle<Page> {
        self.registry.get::<Page>(id).await.expect("it loads")
    }
}

/// The ways to a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Ws,
    Http,
    WsOfLiveStore,
    HttpOfLiveStore,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Ws, Self::Http, Self::WsOfLiveStore, Self::HttpOfLiveStore];

    /// A client of its own that goes this way.
    pub(crate) fn to(self, address: SocketAddr) -> Arc<dyn SyncBackend> {
        let (ws, http) = (format!("ws://{address}/any/path"), format!("http://{address}/any/path"));
        match self {
            Self::Ws => WsBackend::new(ws).expect("a URL"),
            Self::Http => HttpBackend::new(http).expect("a URL"),
            Self::WsOfLiveStore => WsBackend::builder(ws).of_livestore().build().expect("a URL"),
            Self::HttpOfLiveStore => HttpBackend::builder(http).of_livestore().build().expect("a URL"),
        }
    }
}

pub(crate) fn texts(page: &Store<Page>) -> Vec<String> {
    let mut texts: Vec<_> = page.query(Line::all()).expect("it reads").into_iter().map(|line| line.text).collect();
    texts.sort();
    texts
}

/// Waits until a store shows these lines.
pub(crate) async fn shows(page: &Store<Page>, expected: &[&str]) {
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
