//! What one connection may have others keep, ask and read for it.

use super::*;

/// As many as are asked of the rules for pulls at once.
const ASKED_AT_ONCE: usize = 32;

#[test]
fn whoever_interrupts_pulls_has_no_more_read_or_asked_at_once_than_who_does_not() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.pull(0, "a");
    let ticket = bench.only("authorize");
    bench.permit(ticket);
    let read = bench.only("pull");
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
