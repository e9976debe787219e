//! Connections that are cut, or swallow what one side says.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::sync::CancellationToken;

/// A network between clients and a server, with a port that stays when the server's changes.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<SocketAddr>,
    /// What is swallowed: a [`Lost`].
    lost: AtomicU8,
    cut: Mutex<CancellationToken>,
    connections: AtomicU64,
    /// What clients said.
    said: Mutex<Vec<u8>>,
}

/// What a network loses, without a word to anybody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lost {
    Nothing = 0,
    ToServer = 1,
    ToClient = 2,
}

impl Network {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("a port");
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            lost: AtomicU8::new(0),
            cut: Mutex::default(),
            connections: AtomicU64::new(0),
            said: Mutex::default(),
        });
        let network = Self { address, shared };
        tokio::spawn(network.clone().take(listener));
        network
    }

    /// From now on a server is somewhere else.
    pub(crate) fn move_to(&self, server: SocketAddr) {
        *lock(&self.shared.server) = server;
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *lock(&self.shared.cut)).cancel();
    }

    pub(crate) fn lose(&self, lost: Lost) {
        self.shared.lost.store(lost as u8, Ordering::Release);
    }

    /// Connections that there were.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// The first line of each request that clients have made: what ends in logs.
    pub(crate) fn requests(&self) -> Vec<String> {
        let said = String::from_utf8_lossy(&lock(&self.shared.said)).into_owned();
        let lines = said.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1"));
        // The line of a request follows the body of the one before, without a break.
        lines
            .map(|line| {
                line.rsplit_once("GET ").or(line.rsplit_once("POST ")).map_or(line, |(_, target)| target).to_owned()
            })
            .collect()
    }

    async fn take(self, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            self.shared.connections.fetch_add(1, Ordering::AcqRel);
            let (server, cut) = (*lock(&self.shared.server), lock(&self.shared.cut).clone());
            let network = self.clone();
            tokio::spawn(async move {
                // Where no server is the connection ends.
                let Ok(server) = TcpStream::connect(server).await else { return };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::select! {
                    () = network.carry(from_client, to_server, Lost::ToServer) => {}
                    () = network.carry(from_server, to_client, Lost::ToClient) => {}
                    () = cut.cancelled() => {}
                }
            });
        }
    }

    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Lost) {
        let mut bytes = vec![0; 16 * 1024];
        // What was swallowed once is missing for ever: what comes after it on this connection would be no frame.
        let mut broken = false;
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            if way == Lost::ToServer {
                lock(&self.shared.said).extend(&bytes[..read]);
            }
            broken |= self.shared.lost.load(Ordering::Acquire) == way as u8;
            if !broken && to.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
