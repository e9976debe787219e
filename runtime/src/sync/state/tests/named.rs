//! The cases that have names. Client `a` is the one that is looked at; what others have committed is foreign to it.

use super::*;

/// Client `a` with a log that is committed word by word (a dot before it: client-only), the first `confirmed` synced ones confirmed.
fn client(words: &str, confirmed: u64) -> Client {
    let mut client = Client::new("a");
    for word in words.split_whitespace() {
        client.commit(word.trim_start_matches('.'), word.starts_with('.'));
    }
    client.confirmed = confirmed;
    client
}

/// A page: own events by their words, foreign ones as `f:word`.
fn page(first: u64, words: &str) -> Vec<StoredEvent> {
    let made = words.split_whitespace().enumerate().map(|(at, word)| {
        let number = EventNumber::synced(first + at as u64);
        let (name, word) = word.split_once(':').map_or(("a", word), |(_, word)| ("b", word));
        let id = EventId(u128::from_str_radix(&hex(name, word), 16).unwrap());
        event(number, word, (name, 1), Some(id))
    });
    made.collect()
}

#[test]
fn a_page_that_is_a_part_of_what_is_pending_confirms_that_part() {
    let mut client = client("w x .y z", 1);
    client.take(&page(2, "x")).unwrap();
    assert_eq!(client.shown(), "e1 e2 e2.1 | e3");
}

#[test]
fn a_page_that_goes_beyond_what_is_pending_confirms_all_and_appends_the_rest() {
    let mut client = client("w x y", 1);
    client.take(&page(2, "x y f:p f:q")).unwrap();
    assert_eq!((client.shown().as_str(), client.texts().as_str()), ("e1 e2 e3 e4 e5", "w x y p q"));
}

#[test]
fn a_foreign_event_in_the_place_of_a_pending_one_renumbers_what_is_pending_from_there_on() {
    let mut client = client("w x y", 1);
    client.take(&page(2, "f:p")).unwrap();
    assert_eq!((client.shown().as_str(), client.texts().as_str()), ("e1 e2 | e3r1 e4r1", "w p x y"));
    let mut client = super::named::client("w x y z", 1);
    client.take(&page(2, "x f:p f:q")).unwrap();
    assert_eq!((client.shown().as_str(), client.texts().as_str()), ("e1 e2 e3 e4 | e5r1 e6r1", "w x p q y z"));
}

#[test]
fn a_client_only_event_goes_with_the_synced_event_that_it_follows() {
    let mut client = client("w .v x .y z .u .t", 1);
    client.take(&page(2, "f:p")).unwrap();
    assert_eq!(client.shown(), "e1 e1.1 e2 | e3r1 e3.1r1 e4r1 e4.1r1 e4.2r1");
    assert_eq!(client.texts(), "w v p x y z u t");
}

#[test]
fn a_client_only_event_before_an_own_unechoed_event_and_a_foreign_one_in_one_page() {
    // `x` and `z` were accepted, and nobody has said so yet.
    let mut client = client("w x .y z", 1);
    client.take(&page(2, "x z f:p")).unwrap();
    assert_eq!((client.shown().as_str(), client.texts().as_str()), ("e1 e2 e2.1 e3 e4", "w x y z p"));
    assert_eq!(client.rebases, 0, "what is own stays where it is, and nothing is undone for it");
    // Before the first event of all, too.
    let mut client = super::named::client(".v w", 0);
    client.take(&page(1, "w f:p")).unwrap();
    assert_eq!(client.shown(), "e0.1 e1 e2");
}

#[test]
fn a_client_only_event_behind_everything_confirmed_stays_where_it_is() {
    let mut client = client("w .v .u", 1);
    client.take(&page(2, "f:p")).unwrap();
    assert_eq!((client.shown().as_str(), client.texts().as_str()), ("e1 e1.1 e1.2 e2", "w v u p"));
    client.commit("x", true);
    assert_eq!(client.shown(), "e1 e1.1 e1.2 e2 e2.1");
}

#[test]
fn three_rebases_in_a_row() {
    let mut client = client("w x .y", 1);
    for (first, generation) in [(2, 1), (3, 2), (4, 3)] {
        client.take(&page(first, &format!("f:p{first}"))).unwrap();
        assert_eq!(client.head().generation(), generation);
    }
    assert_eq!(client.shown(), "e1 e2 e3 e4 | e5r3 e5.1r3");
    // What follows is of the same branch, until a foreign event is the head.
    client.commit("z", false);
    assert_eq!(client.shown(), "e1 e2 e3 e4 | e5r3 e5.1r3 e6r3");
    client.take(&page(5, "x z f:q")).unwrap();
    client.commit("s", false);
    assert_eq!(client.shown(), "e1 e2 e3 e4 e5r3 e5.1r3 e6r3 e7 | e8");
}

#[test]
fn equal_events_under_equal_numbers_are_two_when_two_have_committed_them() {
    for without_ids in [false, true] {
        let mut backend = Backend { without_ids, ..Backend::default() };
        let (mut one, mut other) = (Client::new("a"), Client::new("b"));
        one.commit("x", false);
        other.commit("x", false);
        assert!(backend.push(0, &other.batch(9)));
        one.take(&backend.page(0, 9)).unwrap();
        assert_eq!((one.shown().as_str(), one.texts().as_str()), ("e1 | e2r1", "x x"));
        // One session that says a thing twice has said it twice.
        let mut twice = client("x x", 0);
        let mut backend = Backend { without_ids, ..Backend::default() };
        for event in &mut twice.log[1..] {
            event.id = Some(EventId(7));
        }
        assert!(backend.push(0, &twice.batch(9)));
        twice.take(&backend.page(0, 1)).unwrap();
        assert_eq!(twice.shown(), "e1 | e2");
    }
}

#[test]
fn a_page_with_a_gap_is_refused_and_changes_nothing() {
    let number = |text: &str| text.parse::<EventNumber>().unwrap();
    let mut client = client("w x", 1);
    assert_eq!(client.take(&page(3, "f:p")), Err(Reject::Gap { after: 1, found: number("e3") }));
    let mut inside = page(2, "x f:p f:q");
    inside.remove(1);
    assert_eq!(client.take(&inside), Err(Reject::Gap { after: 2, found: number("e4") }));
    let mut twice = page(2, "x f:p");
    twice[1].number = number("e2");
    assert_eq!(client.take(&twice), Err(Reject::Gap { after: 2, found: number("e2") }));
    twice[1].number = number("e2.1");
    assert_eq!(client.take(&twice), Err(Reject::Gap { after: 2, found: number("e2.1") }));
    assert_eq!(client.shown(), "e1 | e2");
}

#[test]
fn a_page_behind_the_head_is_refused_and_one_that_begins_behind_it_counts_from_there() {
    let mut client = client("w x y z", 3);
    assert_eq!(client.take(&page(1, "w x y")), Err(Reject::Behind { last: 3, confirmed: 3 }));
    assert_eq!(client.shown(), "e1 e2 e3 | e4");
    client.take(&page(2, "x y f:p")).unwrap();
    assert_eq!((client.shown().as_str(), client.texts().as_str()), ("e1 e2 e3 e4 | e5r1", "w x y p z"));
}

#[test]
fn an_empty_page_is_no_news() {
    let mut client = client("w x", 1);
    client.take(&[]).unwrap();
    assert_eq!(client.shown(), "e1 | e2");
}

#[test]
fn an_event_that_was_pushed_under_another_number_is_known_by_its_id() {
    // Before the loss of power `x` was rebased on `p`, pushed and accepted; what came back is from before.
    let mut client = client("w x .y z", 1);
    client.take(&page(2, "f:p x f:q")).unwrap();
    assert_eq!((client.shown().as_str(), client.texts().as_str()), ("e1 e2 e3 e4 e4.1r1 | e5r1", "w p x q y z"));
}

#[test]
fn a_rebased_event_that_no_longer_materializes_takes_no_number() {
    let mut client = client("w x .y z", 1);
    client.refused.push("x".to_owned());
    client.take(&page(2, "f:p")).unwrap();
    assert_eq!((client.shown().as_str(), client.texts().as_str()), ("e1 e2 e2.1r1 | e3r1", "w p y z"));
    assert_eq!(client.quarantined.len(), 1);
}

#[test]
fn an_accepted_push_is_an_advance_by_itself_however_often_it_is_heard_of() {
    let mut client = client("w x y", 1);
    let batch = client.batch(9);
    client.take(&batch).unwrap();
    assert_eq!(client.shown(), "e1 e2 e3");
    assert_eq!(client.take(&batch), Err(Reject::Behind { last: 3, confirmed: 3 }));
}
