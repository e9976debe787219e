//! How a server ends: what was begun is answered, and whoever asks is told.

use std::sync::Arc;

use futures_util::FutureExt as _;
use larder_server::{
    Append, AppendError, BoxFuture, MemoryStorage, OpenToAll, Page, PageSize, Settings, Storage, StorageError,
};
use larder_wire::{Exit, ServerFrame, StoreId};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

use crate::lab::{Lab, events, post, push};

/// A storage that takes each append when the test lets it.
struct Held {
    inner: MemoryStorage,
    begun: Semaphore,
    taken: Semaphore,
}

impl Held {
    fn new() -> Arc<Self> {
        Arc::new(Self { inner: MemoryStorage::new(), begun: Semaphore::new(0), taken: Semaphore::new(0) })
    }
}

impl Storage for Held {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<u64, AppendError>> {
        Box::pin(async {
            self.begun.add_permits(1);
            self.taken.acquire().await.expect("open").forget();
            self.inner.append(append).await
        })
    }

    fn read<'a>(&'a self, store: &'a StoreId, after: u64, size: PageSize) -> BoxFuture<'a, Result<Page, StorageError>> {
        self.inner.read(store, after, size)
    }

    fn head<'a>(&'a self, store: &'a StoreId) -> BoxFuture<'a, Result<u64, StorageError>> {
        self.inner.head(store)
    }

    fn identity<'a>(&'a self, store: &'a StoreId) -> BoxFuture<'a, Result<Arc<str>, StorageError>> {
        self.inner.identity(store)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

#[tokio::test]
async fn a_push_that_was_begun_before_the_end_is_in_the_log_and_answered_at_both_doors() {
    let storage = Held::new();
    let lab = Lab::start(Settings::default(), storage.clone(), Arc::new(OpenToAll)).await;
    let address = lab.address;
    let mut socket = lab.typescript("a").await;
    let pushed = socket.ask("a", None, push(events(0, 2))).await;
    let over_http = tokio::spawn(async move { post(address, "b", None, push(events(0, 1))).await });
    storage.begun.acquire_many(2).await.expect("both are begun").forget();
    let mut stopping = Box::pin(lab.server.stop());
    assert!(stopping.as_mut().now_or_never().is_none(), "it waits for them");
    let late = socket.ask("a", None, push(events(2, 1))).await;
    assert!(matches!(socket.exit_of(&late).await, Exit::Failed(_)), "nothing new is taken");
    storage.taken.add_permits(2);
    let (answer, ()) = tokio::join!(over_http, stopping);
    assert_eq!(socket.exit_of(&pushed).await, Exit::Pushed);
    assert_eq!(socket.closed().await, 1001);
    let frames = answer.expect("no panic").frames();
    assert!(matches!(&frames[..], [ServerFrame::Exit { exit: Exit::Pushed, .. }]), "{frames:?}");
    for (store, head) in [("a", 2), ("b", 1)] {
        assert_eq!(storage.head(&StoreId::new(store).expect("an id")).await, Ok(head));
    }
}

#[tokio::test]
async fn a_server_that_stops_takes_no_connections_and_says_so_on_those_that_it_has() {
    let storage = Held::new();
    let lab = Lab::start(Settings::default(), storage.clone(), Arc::new(OpenToAll)).await;
    let address = lab.address;
    let mut socket = lab.typescript("a").await;
    socket.ask("a", None, push(events(0, 1))).await;
    storage.begun.acquire().await.expect("it is begun").forget();
    let mut asks = TcpStream::connect(address).await.expect("the server is there");
    asks.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await.expect("half a request");
    // A socket is no connection of HTTP any more; the one that asks for the metric is.
    while lab.metric("connections").await < 2 {}
    // It has been read, too: what came after it on the same thread has been answered.
    assert_eq!(lab.metric("sockets").await, 1);
    let mut stopping = Box::pin(lab.server.stop());
    assert!(stopping.as_mut().now_or_never().is_none());
    asks.write_all(b"\r\n").await.expect("the other half");
    let mut answer = String::new();
    asks.read_to_string(&mut answer).await.expect("an answer, and the end");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("stopping\n"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    storage.taken.add_permits(1);
    stopping.await;
}
