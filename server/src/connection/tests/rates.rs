//! Pushes and bytes a second, at times that the test says.

use super::*;

fn refusals(bench: &mut Bench) -> Vec<Refusal> {
    let refusal = |frame| match frame {
        ServerFrame::Exit { exit: Exit::Failed(Cause::Fail(Failure::Refused(refusal))), .. } => Some(refusal),
        _ => None,
    };
    bench.frames().into_iter().filter_map(refusal).collect()
}

#[test]
fn fifty_pushes_a_second_are_taken_and_one_more_is_told_what_to_do() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    for id in 0..50 {
        bench.push(id, &format!("s{id}"), 0);
    }
    assert!(refusals(&mut bench).is_empty());
    bench.push(50, "s50", 0);
    let refused = refusals(&mut bench);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].kind, RefusalKind::TooFast);
    assert_eq!(refused[0].message, "more than 50 pushes in a second; push more at once");
    bench.pass(Duration::from_millis(20));
    bench.push(51, "s51", 0);
    assert!(refusals(&mut bench).is_empty(), "one fiftieth of a second later there is room for one");
    bench.push(52, "s52", 0);
    assert_eq!(refusals(&mut bench).len(), 1);
}

#[test]
fn five_mebibytes_a_second_are_taken_what_is_more_is_refused_and_far_more_ends_the_connection() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    let push = |bench: &mut Bench, id: u64| {
        let batch = (1..=4).map(|number| event(number, 250_000)).collect();
        bench.ask(id, "a", Call::Push { batch, backend_id: None });
        let ticket = match bench.open.pop() {
            Some(Action::Authorize { ticket, .. }) => ticket,
            other => return assert!(other.is_none(), "{other:?}"),
        };
        bench.permit(ticket);
        let ticket = bench.only("push");
        bench.done(Done::Pushed { ticket, outcome: Pushed::Done });
    };
    (0..5).for_each(|id| push(&mut bench, id));
    assert!(refusals(&mut bench).is_empty());
    push(&mut bench, 5);
    let refused = refusals(&mut bench);
    assert_eq!(refused[0].message, "more than 5242880 bytes in a second; send less at once");
    (6..25).for_each(|id| push(&mut bench, id));
    assert_eq!(bench.connection.closing(), None);
    (25..27).for_each(|id| push(&mut bench, id));
    assert_eq!(bench.connection.closing().map(|close| close.code), Some(1008));
}

#[test]
fn pings_of_the_socket_are_bytes_too() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    let mut ping = |times: usize| (0..times).for_each(|_| bench.connection.control(125, bench.now));
    // 5 MiB, and 20 MiB of patience.
    ping(5 * (5 << 20) / 131 - 2);
    assert_eq!(bench.connection.closing(), None);
    bench.connection.control(1_000, bench.now);
    assert_eq!(bench.connection.closing().map(|close| close.code), Some(1008));
}
