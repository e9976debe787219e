//! What one connection may have others keep, ask and read for it.

use super::*;

/// As many as are asked of the rules for pulls at once.
const ASKED_AT_ONCE: usize = 32;

#[test]
fn whoever_interrupts_pulls_has_no_more_read_or_asked_at_once_than_who_does_not() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.pull(0, "a");
    let read = bench.permitted("pull");
    for id in 1..100 {
        bench.interrupt(id - 1);
        bench.pull(id, "a");
    }
    assert!(bench.open.is_empty(), "the first read is still going on: {:?}", bench.open);
    bench.done(Done::Pulled { ticket: read, outcome: pulled(1..=1, 1, 1) });
    assert_eq!(bench.open.len(), 1, "{:?}", bench.open);
    for id in 100..200 {
        bench.interrupt(id - 1);
        bench.pull(id, "a");
    }
    assert_eq!(bench.open.len(), ASKED_AT_ONCE, "the rules are asked for so many");
    for action in std::mem::take(&mut bench.open) {
        let Action::Authorize { ticket, .. } = action else { panic!("{action:?}") };
        bench.permit(ticket);
    }
    let ticket = bench.only("authorize");
    bench.permit(ticket);
    bench.only("pull");
}

/// What a request is told that is not begun.
fn refused(bench: &mut Bench) -> Option<(RefusalKind, String)> {
    bench.frames().into_iter().find_map(|frame| match frame {
        ServerFrame::Exit {
            exit: Exit::Failed(Cause::Fail(Failure::Refused(Refusal { kind, message, .. }))), ..
        } => Some((kind, message)),
        _ => None,
    })
}

fn with_payload(bench: &mut Bench, id: u64, payload: &str) {
    let text = format!(
        r#"{{"_tag":"Request","id":{id},"tag":"SyncWsRpc.Pull","payload":{{"storeId":"a","payload":"{payload}","live":true,"cursor":{{"_tag":"None"}}}},"headers":[]}}"#
    );
    bench.connection.frame(&text, bench.now);
    bench.collect();
}

#[test]
fn a_request_keeps_no_long_payload_and_no_long_name_of_a_backend() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    with_payload(&mut bench, 1, &"x".repeat(16 * 1024));
    let (kind, said) = refused(&mut bench).expect("refused");
    assert_eq!(kind, RefusalKind::TooLarge);
    assert_eq!(said, "the payload has 16386 bytes, at most 16384 are taken; send a token alone");
    let met = "x".repeat(1025);
    let cursor = Some(larder_wire::Cursor { backend_id: met.clone(), event_sequence_number: 1 });
    for (id, call) in
        [(2, Call::Pull { cursor, live: true }), (3, Call::Push { batch: vec![event(1, 1)], backend_id: Some(met) })]
    {
        bench.ask(id, "a", call);
        let (kind, said) = refused(&mut bench).expect("refused");
        assert_eq!(kind, RefusalKind::TooLarge);
        assert!(said.starts_with("the backend's id has 1025 bytes, at most 1024 are taken"), "{said}");
    }
    assert!(bench.open.is_empty() && bench.connection.is_idle());
    with_payload(&mut bench, 4, &"x".repeat(16 * 1024 - 2));
    assert_eq!((refused(&mut bench), bench.open.len()), (None, 1));
}

#[test]
fn many_pulls_may_have_one_long_payload_and_not_each_its_own() {
    let settings = Settings { bytes_per_second: 1 << 40, unauthenticated: Duration::MAX, ..Settings::default() };
    let mut bench = Bench::new(Peer::Larder, settings);
    let payload = "x".repeat(16_000);
    (0..512).for_each(|id| with_payload(&mut bench, id, &payload));
    assert_eq!(refused(&mut bench), None);
    (0..512).for_each(|id| bench.interrupt(id));
    assert!(bench.connection.is_idle());
    bench.frames();
    let refused = (0..512).find_map(|id| {
        with_payload(&mut bench, id, &format!("{payload}{id}"));
        refused(&mut bench).map(|(kind, _)| (id, kind))
    });
    let (id, kind) = refused.expect("refused at last");
    assert_eq!(kind, RefusalKind::TooLarge);
    assert!((200..300).contains(&id), "{id}");
}

#[test]
fn what_a_storage_says_of_its_files_is_not_told_to_clients() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.push(1, "a", 0);
    let ticket = bench.permitted("push");
    let error = StorageError::Open("/var/lib/larder-server/log.sqlite: no space".to_owned());
    bench.done(Done::Pushed { ticket, outcome: Pushed::Failed(error.clone()) });
    let told = Some((RefusalKind::Unavailable, "the storage failed; try again later".to_owned()));
    assert_eq!(refused(&mut bench), told);
    bench.pull(2, "a");
    let ticket = bench.permitted("pull");
    bench.done(Done::Pulled { ticket, outcome: Pulled::Failed(error) });
    assert_eq!(refused(&mut bench), told);
}

#[test]
fn a_typescript_client_that_has_more_than_the_log_is_told_so() {
    for (peer, is_refused) in [(Peer::TypeScript, true), (Peer::Larder, false)] {
        let mut bench = Bench::new(peer, Settings::default());
        let cursor = Some(larder_wire::Cursor { backend_id: "backend".to_owned(), event_sequence_number: 7 });
        bench.ask(1, "a", Call::Pull { cursor, live: true });
        let ticket = bench.permitted("pull");
        let page = Page { events: Vec::new(), head: 4 };
        bench.done(Done::Pulled { ticket, outcome: Pulled::Page { page, backend_id: "backend".into() } });
        let said = refused(&mut bench);
        assert_eq!(said.is_some(), is_refused, "{said:?}");
        said.inspect(|(_, said)| assert!(said.contains("ends at e4, before the e7"), "{said}"));
    }
}
