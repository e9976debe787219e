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

use larder_wire::{Call, Exit, RequestId, ServerFrame};

use super::{
    STORES,
    app::{append, by_hand, event},
    lab::{Socket, median, runtime, start},
};
use crate::report::{Bar, Row, Unit};

const CONNECTIONS: usize = 8;
/// Pushes on their way, a connection; more than this the server does not let wait.
const ON_THEIR_WAY: usize = 48;

/// What is measured: its name, events a push, and the events a second that are to be reached.
const WORK: [(&str, u64, f64); 2] =
    [("server: events in pushes of 50", 50, 20_000.0), ("server: pushes of one event", 1, 2_500.0)];

/// How long each is measured.
const TIME: Duration = Duration::from_secs(5);

/// The rows.
pub(crate) fn rows() -> Vec<Row> {
    let row = |(work, events, least): (&'static str, u64, f64)| {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, mut waits) = serve(&folder.path().join("server"), events, TIME);
        let by_hand = append_by_hand(&folder.path().join("by-hand.sqlite"), events, TIME);
        let (half, late) = median(&mut waits);
        let note = format!(
            "{STORES} stores; a push waits {:.1} ms, 99% {:.1} ms; baseline: a synced transaction for each push by hand",
            half.as_secs_f64() * 1e3,
            late.as_secs_f64() * 1e3
        );
        Row::number(work, Unit::PerSecond, server, Some(by_hand), Bar::Least(least)).note(note)
    };
    WORK.map(row).into()
}

/// Events a second that the server acknowledged, and how long each push waited for it.
fn serve(data: &Path, events: u64, time: Duration) -> (f64, Vec<Duration>) {
    runtime().block_on(async {
        let server = start(data).await;
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut clients = Vec::new();
        for connection in 0..CONNECTIONS {
            let stores = (connection..STORES).step_by(CONNECTIONS).collect();
            let client = client(Socket::open(&server).await, stores, events, over.clone(), done.clone());
            clients.push(tokio::spawn(client));
        }
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
    mut socket: Socket,
    stores: Vec<usize>,
    events: u64,
    over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
) -> Vec<Duration> {
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
            let batch = (heads[next] + 1..=heads[next] + events).map(event).collect();
            let push = Call::Push { batch, backend_id: None };
            socket.feed(next as u64, &format!("workspace:{}", stores[next]), push).await;
            on_their_way += 1;
        }
        socket.flush().await;
        if on_their_way == 0 {
            return waits;
        }
        match socket.next().await {
            ServerFrame::Exit { request_id: RequestId::Number(slot), exit: Exit::Pushed } => {
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

/// Events a second by hand: the same rows, one fsynced transaction a push, no network and nobody to answer.
fn append_by_hand(path: &Path, events: u64, time: Duration) -> f64 {
    let mut file = by_hand(path);
    let mut heads = vec![0_u64; STORES];
    let (began, mut taken) = (Instant::now(), 0_u64);
    for store in (0..STORES).cycle() {
        let batch: Vec<_> = (heads[store] + 1..=heads[store] + events).map(event).collect();
        append(&mut file, store as i64, &batch, false);
        heads[store] += events;
        taken += events;
        if began.elapsed() >= time {
            break;
        }
    }
    taken as f64 / began.elapsed().as_secs_f64()
}
