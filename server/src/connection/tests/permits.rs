//! For how long the rules have permitted something.

use super::*;

#[test]
fn a_page_that_was_read_for_a_permit_of_before_is_not_shown() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.caught_up(1, "a");
    bench.hear("a", 1, 1, 1);
    let ticket = bench.only("pull");
    bench.now.revision += 1;
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=1, 1, 1) });
    assert!(bench.frames().is_empty());
    let ticket = bench.only("authorize");
    let answer = Err(Refused::Forbidden("no".to_owned()));
    bench.done(Done::Authorized { ticket, revision: bench.now.revision, answer });
    assert!(matches!(bench.frames()[..], [ServerFrame::Exit { exit: Exit::Failed(_), .. }]));
    assert!(bench.open.is_empty() && bench.followed.values().all(|count| *count == 0));
}

#[test]
fn a_permit_holds_no_longer_than_its_token() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.pull(1, "a");
    let ticket = bench.only("authorize");
    let permit = Permit { valid_for: Some(Duration::from_secs(1)) };
    bench.done(Done::Authorized { ticket, revision: 0, answer: Ok(permit) });
    let ticket = bench.only("pull");
    bench.done(Done::Pulled { ticket, outcome: empty() });
    bench.pass(Duration::from_millis(999));
    bench.hear("a", 1, 1, 1);
    let ticket = bench.only("pull");
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=1, 1, 1) });
    bench.pass(Duration::from_millis(1));
    bench.hear("a", 2, 1, 1);
    bench.only("authorize");
}

#[test]
fn a_permit_is_for_one_page_at_least_however_short_it_is() {
    for (valid_for, permit) in [(Some(Duration::ZERO), Duration::from_secs(10)), (None, Duration::ZERO)] {
        let mut bench = Bench::new(Peer::Larder, Settings { permit, ..Settings::default() });
        bench.pull(1, "a");
        for page in 1..=3 {
            let ticket = bench.only("authorize");
            bench.done(Done::Authorized { ticket, revision: 0, answer: Ok(Permit { valid_for }) });
            let ticket = bench.only("pull");
            bench.pass(Duration::from_secs(1));
            bench.done(Done::Pulled { ticket, outcome: pulled(page..=page, 1, 3) });
            assert_eq!(bench.frames().len(), 1, "page {page}");
        }
        assert!(bench.open.is_empty(), "it has all: {:?}", bench.open);
    }
}

#[test]
fn a_page_that_takes_half_a_minute_is_not_shown_for_a_permit_that_has_ended() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.pull(1, "a");
    let ticket = bench.permitted("pull");
    bench.pass(Duration::from_secs(30));
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=1, 1, 1) });
    assert!(bench.frames().is_empty());
    let ticket = bench.permitted("pull");
    bench.pass(Duration::from_secs(29));
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=1, 1, 1) });
    assert_eq!(bench.frames().len(), 1);
}

#[test]
fn a_permit_that_ended_while_a_page_was_read_is_asked_for_again_and_only_once() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.caught_up(1, "a");
    bench.hear("a", 1, 1, 1);
    let ticket = bench.only("pull");
    bench.pass(Duration::from_secs(10));
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=1, 1, 1) });
    assert!(bench.frames().is_empty(), "it is over");
    let ticket = bench.permitted("pull");
    bench.pass(Duration::from_secs(11));
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=1, 1, 1) });
    assert_eq!(bench.frames().len(), 1);
}

#[test]
fn a_push_that_was_permitted_by_rules_of_before_is_asked_for_again() {
    let mut bench = Bench::new(Peer::Larder, Settings::default());
    bench.push(1, "a", 0);
    let ticket = bench.only("authorize");
    bench.now.revision += 1;
    bench.done(Done::Authorized { ticket, revision: 0, answer: Ok(Permit::default()) });
    let ticket = bench.only("authorize");
    let answer = Err(Refused::Forbidden("no longer".to_owned()));
    bench.done(Done::Authorized { ticket, revision: 1, answer });
    assert!(bench.open.is_empty(), "nothing is pushed");
    assert!(matches!(bench.frames()[..], [ServerFrame::Exit { exit: Exit::Failed(_), .. }]));
}

#[test]
fn rules_that_change_each_time_that_they_are_asked_end_in_a_refusal_to_try_again_later() {
    for begin in [(|bench: &mut Bench| bench.push(1, "a", 0)) as fn(&mut Bench), |bench| bench.pull(1, "a")] {
        let mut bench = Bench::new(Peer::Larder, Settings::default());
        begin(&mut bench);
        let mut asked = 0;
        while let Some(action) = bench.open.pop() {
            let Action::Authorize { ticket, .. } = action else { panic!("it is done all the same: {action:?}") };
            asked += 1;
            assert!(asked <= MOST_ASKED, "it goes on");
            let revision = bench.now.revision;
            bench.now.revision += 1;
            bench.done(Done::Authorized { ticket, revision, answer: Ok(Permit::default()) });
        }
        let [ServerFrame::Exit { exit: Exit::Failed(cause), .. }] = &bench.frames()[..] else { panic!("no refusal") };
        let refused = cause.found_failure();
        let kind = RefusalKind::Unavailable;
        assert!(matches!(&refused, Some(Failure::Refused(refusal)) if refusal.kind == kind), "{refused:?}");
        assert!(bench.connection.is_idle() && bench.followed.values().all(|count| *count == 0));
    }
}

#[test]
fn times_without_end_are_no_reason_to_fall_over() {
    let settings = Settings {
        permit: Duration::MAX,
        slow_reader: Duration::MAX,
        unauthenticated: Duration::MAX,
        queue_bytes: 10,
        ..Settings::default()
    };
    let mut bench = Bench::new(Peer::Larder, settings);
    bench.pass(Duration::from_secs(1));
    bench.caught_up(1, "a");
    bench.hear("a", 1, 1, 1);
    let ticket = bench.only("pull");
    bench.done(Done::Pulled { ticket, outcome: pulled(1..=1, 100, 1) });
    bench.pass(Duration::from_secs(1));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.connection.closing(), None);
}
