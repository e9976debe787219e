//! How far a pull runs ahead of a client that says what it has taken.

use super::*;

/// The pages that come until the pull waits, of a log with many.
fn pages(bench: &mut Bench, from: u64) -> u64 {
    let mut pages = 0;
    while let Some(Action::Pull { ticket, .. }) = bench.open.pop() {
        let number = from + pages + 1;
        bench.done(Done::Pulled { ticket, outcome: pulled(number..=number, 10, 1_000) });
        pages += bench.frames().len() as u64;
    }
    pages
}

fn ack(bench: &mut Bench, id: u64) {
    let frame = ClientFrame::Ack { request_id: RequestId::Number(id) };
    bench.connection.frame(&frame.encode(Peer::Larder), bench.now);
    bench.collect();
}

#[test]
fn eight_pages_come_before_a_larder_client_has_said_that_it_took_one() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.pull(7, "a");
    let ticket = bench.only("authorize");
    bench.permit(ticket);
    assert_eq!(pages(&mut bench, 0), 8);
    ack(&mut bench, 7);
    assert_eq!(pages(&mut bench, 8), 1, "one was taken, one more comes");
    ack(&mut bench, 6);
    assert_eq!(pages(&mut bench, 9), 0, "that is another pull's");
    (0..3).for_each(|_| ack(&mut bench, 7));
    assert_eq!(pages(&mut bench, 9), 3);
}

#[test]
fn a_typescript_client_is_not_waited_for() {
    let mut bench = Bench::new(Peer::TypeScript, Settings::default());
    bench.pull(7, "a");
    let ticket = bench.only("authorize");
    bench.permit(ticket);
    for page in 1..=100 {
        let ticket = bench.only("pull");
        bench.done(Done::Pulled { ticket, outcome: pulled(page..=page, 10, 1_000) });
        assert_eq!(bench.frames().len(), 1);
    }
}

#[test]
fn a_store_that_takes_nothing_ends_no_connection_of_others() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.caught_up(1, "slow");
    bench.hear("slow", 1_000, 1_000, 1_000);
    assert_eq!(pages(&mut bench, 0), 7, "and the one without events before");
    bench.hear("slow", 5_000, 4_000, 90_000_000);
    (0..3).for_each(|_| bench.pass(Duration::from_secs(10)));
    assert_eq!(bench.connection.closing(), None);
    ack(&mut bench, 1);
    let ticket = bench.only("authorize");
    bench.permit(ticket);
    assert_eq!(pages(&mut bench, 7), 1, "it goes on when a page is taken");
}

/// A read of the log may be ahead of the news of it.
#[test]
fn news_of_what_a_page_has_shown_already_is_nothing_that_a_reader_owes() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.caught_up(1, "a");
    bench.hear("a", 1, 1, 600_000);
    let ticket = match bench.open.pop() {
        Some(Action::Authorize { ticket, .. }) => {
            bench.permit(ticket);
            bench.only("pull")
        }
        Some(Action::Pull { ticket, .. }) => ticket,
        other => panic!("nothing is asked for: {other:?}"),
    };
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=2, 10, 2) });
    assert_eq!(bench.frames().len(), 1);
    bench.hear("a", 2, 1, 2_000_000);
    (0..3).for_each(|_| bench.pass(Duration::from_secs(3)));
    assert_eq!(bench.connection.closing(), None);
}
