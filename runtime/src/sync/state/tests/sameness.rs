//! When an event that arrives is the pending one.

use super::{super::is_same, *};

fn pair(own: Option<&str>, arrived: Option<&str>) -> (StoredEvent, StoredEvent) {
    let by = ("a", 1);
    let mut events = [own, arrived].map(|args| {
        let mut event = event(EventNumber::synced(1), "", by, None);
        event.args = args.map(str::to_owned);
        event
    });
    events[0].id = Some(EventId(1));
    let [own, arrived] = events;
    (own, arrived)
}

#[test]
fn ids_decide_where_both_have_one() {
    let (own, mut arrived) = pair(Some("1"), Some("2"));
    arrived.id = own.id;
    arrived.number = EventNumber::synced(7);
    assert!(is_same(&own, &arrived));
    let (own, mut arrived) = pair(Some("1"), Some("1"));
    arrived.id = Some(EventId(2));
    assert!(!is_same(&own, &arrived));
}

#[test]
fn without_ids_everything_that_was_committed_counts() {
    let (own, same) = pair(Some("1"), Some("1"));
    assert!(is_same(&own, &same));
    let changes: [fn(&mut StoredEvent); 5] = [
        |event| event.number = EventNumber::synced(2),
        |event| event.name.push('2'),
        |event| event.client_id = "b".into(),
        |event| event.session_id = "2".into(),
        |event| event.args = Some("2".to_owned()),
    ];
    for change in changes {
        let mut other = same.clone();
        change(&mut other);
        assert!(!is_same(&own, &other), "{other:?}");
    }
}

#[test]
fn arguments_are_the_same_when_their_json_is() {
    for (own, arrived) in [
        (r#"{"a":1,"b":[true,null]}"#, r#"{ "b": [true, null], "a": 1.0 }"#),
        (r#""é""#, r#""\u00e9""#),
        ("1e2", "100"),
        ("9007199254740993", "9007199254740993"),
    ] {
        let (own, arrived) = pair(Some(own), Some(arrived));
        assert!(is_same(&own, &arrived), "{own:?} {arrived:?}");
    }
    for (own, arrived) in [
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        ("[1,2]", "[2,1]"),
        ("9007199254740993", "9007199254740992"),
        ("1", r#""1""#),
        ("{", "{ "),
    ] {
        let (own, arrived) = pair(Some(own), Some(arrived));
        assert!(!is_same(&own, &arrived), "{own:?} {arrived:?}");
    }
    let (own, arrived) = pair(None, Some("null"));
    assert!(is_same(&own, &arrived));
    let (own, arrived) = pair(None, Some("{}"));
    assert!(!is_same(&own, &arrived));
}
