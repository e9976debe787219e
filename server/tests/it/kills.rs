//! What was acknowledged is there, whenever the program is killed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use larder_server::{PageSize, SqliteStorage, Storage as _};
use larder_wire::{Call, Exit, StoreId};

use crate::{
    lab::{Socket, event, push},
    process::Process,
};

const KILLS: usize = 30;
const WRITERS: usize = 4;

/// What one writer was told, per its store: the head, and one more that may or may not be there.
#[derive(Clone, Copy, Default)]
struct Told {
    head: u64,
    asked: u64,
}

async fn write(address: std::net::SocketAddr, store: String, told: Arc<Mutex<Told>>, over: Arc<AtomicBool>) {
    let Ok(mut socket) = Socket::typescript(address, &store, None).await else { return };
    while !over.load(Ordering::Acquire) {
        let head = told.lock().expect("no panic").head;
        let batch = (head + 1..=head + 3).map(|number| event(number, &format!("\"{store} {number}\""))).collect();
        told.lock().expect("no panic").asked = head + 3;
        let (id, text) = socket.request(&store, None, push(batch));
        if socket.try_send(text).await.is_err() {
            return;
        }
        let is_it = |frame: &larder_wire::ServerFrame| matches!(frame, larder_wire::ServerFrame::Exit { request_id, .. } if *request_id == id);
        match socket.wait_for(is_it).await {
            Ok(larder_wire::ServerFrame::Exit { exit: Exit::Pushed, .. }) => {
                told.lock().expect("no panic").head = head + 3;
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => return,
        }
    }
}

/// Moments that differ from run to run, printed so that one can be had again.
fn moments(seed: u64) -> impl FnMut() -> Duration {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Duration::from_micros(2_000 + state % 60_000)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_push_survives_a_kill_at_any_moment() {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 0x9e37);
    println!("LARDER_SEED={seed}");
    let mut moment = moments(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let config = folder.path().join("server.toml");
    std::fs::write(&config, "[limits]\npushes_per_second = 1000000").expect("a file");
    let config = config.to_str().expect("UTF-8");
    let told: Vec<_> = (0..WRITERS).map(|_| Arc::new(Mutex::new(Told::default()))).collect();
    let mut acknowledged = 0;
    for kill in 0..KILLS {
        let server = Process::start(&data, &["--config", config]);
        let over = Arc::new(AtomicBool::new(false));
        let writers = told.iter().enumerate().map(|(number, told)| {
            tokio::spawn(write(server.address, format!("store-{number}"), told.clone(), over.clone()))
        });
        let writers: Vec<_> = writers.collect();
        tokio::time::sleep(moment()).await;
        server.kill();
        over.store(true, Ordering::Release);
        for writer in writers {
            writer.await.expect("no panic");
        }
        acknowledged = check(&data, &told, kill).await;
    }
    assert!(acknowledged > 100, "only {acknowledged} events in {KILLS} kills");
}

/// Reads the log that the killed server left: all that was told is there, whole batches, nothing else. Sums up the heads.
async fn check(data: &std::path::Path, told: &[Arc<Mutex<Told>>], kill: usize) -> u64 {
    let storage = SqliteStorage::open(data).expect("a killed server's log opens");
    let mut sum = 0;
    for (number, told) in told.iter().enumerate() {
        let store = StoreId::new(&format!("store-{number}")).expect("an id");
        let mut told = told.lock().expect("no panic").to_owned();
        let head = storage.head(&store).await.expect("a head");
        assert!(head == told.head || head == told.asked, "kill {kill}: e{head}, told e{}", told.head);
        let mut after = 0;
        while after < head {
            let page = storage.read(&store, after, PageSize::default()).await.expect("a page");
            for pulled in &page.events {
                after += 1;
                let wanted = format!("\"{store} {after}\"");
                assert_eq!(pulled.event.args_text(), Some(wanted.as_str()), "kill {kill}");
            }
        }
        told.head = head;
        sum += head;
    }
    for (number, told) in told.iter().enumerate() {
        let store = StoreId::new(&format!("store-{number}")).expect("an id");
        told.lock().expect("no panic").head = storage.head(&store).await.expect("a head");
    }
    storage.close().await;
    sum
}

#[tokio::test]
async fn a_killed_server_starts_again_and_serves_what_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Process::start(&data, &[]);
    let mut socket = Socket::typescript(server.address, "a", None).await.expect("open");
    let id = socket.pull_live("a", None).await;
    let name = socket.page_of(&id).await.backend_id;
    assert_eq!(socket.push("a", 0, 5).await, Exit::Pushed);
    server.kill();
    let server = Process::start(&data, &[]);
    let mut socket = Socket::typescript(server.address, "a", None).await.expect("open");
    let id = socket.ask("a", None, Call::Pull { cursor: None, live: false }).await;
    let page = socket.page_of(&id).await;
    assert_eq!((page.batch.len(), page.backend_id), (5, name));
}
