//! How long clients wait: for each other, for a thousand others, for many stores, for all that there is.

use std::time::{Duration, Instant};

use larder::InitialSync;

use super::{
    app::{Line, LineEvent, Page, append, by_hand, event, registry, text},
    lab::{Socket, median, runtime, start, timed, wait},
};
use crate::report::{Bar, Row, Unit};

/// From a commit on one client until a live query of another has it.
pub(crate) fn to_another_client() -> Row {
    const COMMITS: u64 = 300;
    let folder = tempfile::tempdir().expect("a folder");
    let mut waits = runtime().block_on(async {
        let server = start(&folder.path().join("server")).await;
        let open = |name: &str| registry(&folder.path().join(name), &server, InitialSync::Skip);
        let (ada, ben) = (open("ada"), open("ben"));
        let of_ada = ada.get::<Page>("page").await.expect("it loads");
        let of_ben = ben.get::<Page>("page").await.expect("it loads");
        let mut lines = of_ben.subscribe(Line::all().count());
        let mut waits = Vec::new();
        for number in 0..COMMITS {
            let began = Instant::now();
            of_ada.commit(LineEvent::Added { id: number as i64, text: text(number) }).expect("it commits");
            while **lines.next().await.expect("a result").expect("it reads") <= number {}
            waits.push(began.elapsed());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        drop((of_ada, of_ben, lines));
        ada.shutdown(Duration::from_secs(5)).await;
        ben.shutdown(Duration::from_secs(5)).await;
        server.stop().await;
        // Connecting is not what is measured.
        waits.split_off(20)
    });
    let mut file = by_hand(&folder.path().join("by-hand.sqlite"));
    let mut hand: Vec<_> = (1..=COMMITS)
        .map(|number| {
            let began = Instant::now();
            append(&mut file, 1, &[event(number)], true);
            began.elapsed()
        })
        .collect();
    let (half, late) = median(&mut waits);
    let note = format!("99% {:.2} ms; baseline: one synced append and its row by hand", late.as_secs_f64() * 1e3);
    wait("server: a commit until another client shows it", half, Some(median(&mut hand).0), 3.0).note(note)
}

/// From a push until the last of a thousand sockets has it.
pub(crate) fn to_a_thousand_sockets() -> Row {
    const SOCKETS: usize = 1_000;
    let folder = tempfile::tempdir().expect("a folder");
    let mut waits = runtime().block_on(async {
        let server = start(&folder.path().join("server")).await;
        let mut sockets = Vec::new();
        for _ in 0..SOCKETS {
            let mut socket = Socket::open(&server).await;
            socket.follow("page").await;
            sockets.push(socket);
        }
        let mut writer = Socket::open(&server).await;
        let mut waits = Vec::new();
        for number in 1..=30 {
            let began = Instant::now();
            let (all, ()) = tokio::join!(
                futures_util::future::join_all(sockets.into_iter().map(|mut socket| {
                    tokio::spawn(async move {
                        socket.next().await;
                        socket
                    })
                })),
                writer.push("page", vec![event(number)])
            );
            waits.push(began.elapsed());
            sockets = all.into_iter().map(|socket| socket.expect("no panic")).collect();
        }
        drop(sockets);
        server.stop().await;
        waits
    });
    let (half, late) = median(&mut waits);
    let late = late.as_secs_f64() * 1e3;
    let note = format!("worst of 30: {late:.2} ms; their thousand ends are on this machine, too");
    wait("server: a push until 1,000 sockets have it", half, None, 100.0).note(note)
}

/// Ten thousand stores that are new, with one event each.
pub(crate) fn ten_thousand_stores() -> Row {
    const STORES: u64 = 10_000;
    const AT_ONCE: u64 = 48;
    let folder = tempfile::tempdir().expect("a folder");
    let took = runtime().block_on(async {
        let server = start(&folder.path().join("server")).await;
        let mut socket = Socket::open(&server).await;
        let began = Instant::now();
        let (mut asked, mut answered) = (0, 0);
        while answered < STORES {
            while asked < STORES && asked < answered + AT_ONCE {
                let call = larder_wire::Call::Push { batch: vec![event(1)], backend_id: None };
                socket.ask(asked, &format!("page:{asked}"), call).await;
                asked += 1;
            }
            match socket.next().await {
                larder_wire::ServerFrame::Exit { exit: larder_wire::Exit::Pushed, .. } => answered += 1,
                other => panic!("{other:?}"),
            }
        }
        let took = began.elapsed();
        server.stop().await;
        took
    });
    let mut file = by_hand(&folder.path().join("by-hand.sqlite"));
    let hand = timed(|| (0..STORES).for_each(|store| append(&mut file, store as i64, &[event(1)], false)));
    let a_second = |took: Duration| STORES as f64 / took.as_secs_f64();
    let note = "one connection, 48 on their way; baseline: one synced append each";
    let (took, hand) = (a_second(took), a_second(hand));
    Row::number("server: 10,000 new stores of one event", Unit::PerSecond, took, Some(hand), Bar::Least(2_500.0))
        .note(note)
}

/// From an empty disk to all of a store.
pub(crate) fn a_new_client() -> Row {
    const EVENTS: u64 = 100_000;
    let folder = tempfile::tempdir().expect("a folder");
    let events: Vec<_> = (1..=EVENTS).map(event).collect();
    let took = runtime().block_on(async {
        let server = start(&folder.path().join("server")).await;
        let mut socket = Socket::open(&server).await;
        for batch in events.chunks(100) {
            socket.push("page", batch.to_vec()).await;
        }
        let wait = InitialSync::Blocking { timeout: Duration::from_secs(120) };
        let mut took = Vec::new();
        for client in 0..3 {
            let registry = registry(&folder.path().join(format!("client-{client}")), &server, wait);
            let began = Instant::now();
            let page = registry.get::<Page>("page").await.expect("it loads");
            let lines = page.query(Line::all().count()).expect("it reads");
            took.push(began.elapsed());
            assert_eq!(lines, EVENTS, "all of it");
            drop(page);
            registry.shutdown(Duration::from_secs(5)).await;
        }
        server.stop().await;
        median(&mut took).0
    });
    let mut file = by_hand(&folder.path().join("by-hand.sqlite"));
    let hand = timed(|| events.chunks(100).for_each(|page| append(&mut file, 1, page, true)));
    let note = "median of 3; baseline: JSON decoded, both rows inserted by hand, a synced transaction for 100";
    wait("server: a new client over 100,000 events", took, Some(hand), 2_000.0).note(note)
}
