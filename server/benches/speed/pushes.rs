//! How much the server takes, durably, beside the same appends by hand.
//!
//! Clients, server and disk are one machine; the clients are larder's kind, with many stores a connection and many pushes on their way. By
//! hand means one connection to SQLite that appends the same rows, with the same durability, one transaction a push.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use larder_wire::{
    Call, ClientFrame, Event, Exit, Peer, Request, RequestId, SUBPROTOCOL, ServerFrame, Tracing, Transport,
};
use rusqlite::{Connection, TransactionBehavior};
use serde_json::value::RawValue;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{
    STORES,
    lab::{runtime, start},
    table::{Bar, Row},
};

const CONNECTIONS: usize = 8;
/// Pushes on their way, a connection; more than this the server does not let wait.
const ON_THEIR_WAY: usize = 48;

/// What is measured: its name, events a push, and the events a second that are to be reached.
const WORK: [(&str, u64, f64); 2] = [("events/s, pushes of 50", 50, 20_000.0), ("pushes/s, of one event", 1, 2_500.0)];

pub(crate) fn rows(time: Duration) -> Vec<Row> {
    let row = |(work, events, least): (&'static str, u64, f64)| {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, mut waits) = serve(&folder.path().join("server"), events, time);
        let by_hand = append_by_hand(&folder.path().join("by-hand.sqlite"), events, time);
        waits.sort_unstable();
        let wait = |part: usize| waits.get(waits.len() * part / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
        let note = format!("{STORES} stores; a push waits {:.1} ms, 99% {:.1} ms", wait(50), wait(99));
        Row::new(work, server, Some(by_hand), Bar::Least(least), note)
    };
    WORK.map(row).into()
}

fn event(store: usize, number: u64) -> Event {
    let args = format!("{{\"number\":{number},\"title\":\"an issue of store {store}\",\"at\":1795360170231}}");
    Event {
        name: "v1.IssueOpened".to_owned(),
        args: Some(RawValue::from_string(args).expect("JSON")),
        seq_num: number,
        parent_seq_num: number - 1,
        client_id: "01jdqz3k7m8n9p0q1r2s3t4v5w".to_owned(),
        session_id: "static".to_owned(),
        id: None,
    }
}

/// Events a second that the server acknowledged, and how long each push waited for it.
fn serve(data: &Path, events: u64, time: Duration) -> (f64, Vec<Duration>) {
    runtime().block_on(async {
        let server = start(data).await;
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let clients = (0..CONNECTIONS).map(|connection| {
            let stores = (connection..STORES).step_by(CONNECTIONS).collect();
            tokio::spawn(client(server.address(), stores, events, over.clone(), done.clone()))
        });
        let clients: Vec<_> = clients.collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (before, began) = (done.load(Ordering::Relaxed), Instant::now());
        tokio::time::sleep(time).await;
        let taken = done.load(Ordering::Relaxed) - before;
        let per_second = taken as f64 / began.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        let mut waits = Vec::new();
        for client in clients {
            waits.extend(client.await.expect("no panic"));
        }
        server.stop().await;
        (per_second, waits)
    })
}

async fn client(
    address: std::net::SocketAddr,
    stores: Vec<usize>,
    events: u64,
    over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
) -> Vec<Duration> {
    let mut request = format!("ws://{address}/").into_client_request().expect("a URL");
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().expect("a value"));
    let (socket, _) = connect_async(request).await.expect("the server is there");
    let (mut sink, mut stream) = socket.split();
    let mut heads = vec![0_u64; stores.len()];
    let mut asked = vec![Instant::now(); stores.len()];
    let mut waits = Vec::new();
    // Answers come in any order, and a store's next push follows from the answer to its last.
    let mut free = (0..stores.len()).collect::<VecDeque<_>>();
    let mut on_their_way = 0;
    loop {
        while on_their_way < ON_THEIR_WAY
            && !over.load(Ordering::Relaxed)
            && let Some(next) = free.pop_front()
        {
            asked[next] = Instant::now();
            sink.feed(Message::Text(push(next, stores[next], heads[next], events).into())).await.expect("sent");
            on_their_way += 1;
        }
        sink.flush().await.expect("sent");
        if on_their_way == 0 {
            return waits;
        }
        let Some(Ok(Message::Text(text))) = stream.next().await else { panic!("the server ended the connection") };
        match ServerFrame::decode(&text, &larder_wire::Limits::default()) {
            Ok(ServerFrame::Exit { request_id: RequestId::Number(slot), exit: Exit::Pushed }) => {
                let slot = usize::try_from(slot).expect("a slot");
                heads[slot] += events;
                waits.push(asked[slot].elapsed());
                free.push_back(slot);
            }
            other => panic!("{other:?}"),
        }
        done.fetch_add(events, Ordering::Relaxed);
        on_their_way -= 1;
    }
}

fn push(slot: usize, store: usize, head: u64, events: u64) -> String {
    let batch = (head + 1..=head + events).map(|number| event(store, number)).collect();
    let request = Request {
        id: RequestId::Number(slot as u64),
        transport: Transport::WebSocket,
        store_id: format!("workspace:{store}"),
        payload: None,
        call: Call::Push { batch, backend_id: None },
        tracing: Tracing::default(),
        headers: Vec::new(),
    };
    ClientFrame::Request(request).encode(Peer::Larder)
}

/// Events a second by hand: the same rows, one fsynced transaction a push, no network and nobody to answer.
fn append_by_hand(path: &Path, events: u64, time: Duration) -> f64 {
    let mut file = Connection::open(path).expect("a file");
    file.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000;
         CREATE TABLE events (store INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, args TEXT, client TEXT NOT NULL,
             session TEXT NOT NULL, PRIMARY KEY (store, number)) STRICT, WITHOUT ROWID;",
    )
    .expect("tables");
    let mut heads = vec![0_u64; STORES];
    let (began, mut taken) = (Instant::now(), 0_u64);
    while began.elapsed() < time {
        for (store, head) in heads.iter_mut().enumerate() {
            let batch: Vec<_> = (*head + 1..=*head + events).map(|number| event(store, number)).collect();
            let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate).expect("a transaction");
            {
                let insert = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let mut insert = transaction.prepare_cached(insert).expect("a statement");
                for event in &batch {
                    let number = i64::try_from(event.seq_num).expect("small");
                    let row = (store, number, &event.name, event.args_text(), &event.client_id, &event.session_id);
                    insert
                        .execute((i64::try_from(row.0).expect("small"), row.1, row.2, row.3, row.4, row.5))
                        .expect("a row");
                }
            }
            transaction.commit().expect("on disk");
            *head += events;
            taken += events;
            if began.elapsed() >= time {
                break;
            }
        }
    }
    taken as f64 / began.elapsed().as_secs_f64()
}
