//! A batch chains, and is within the limits.

use std::sync::Arc;

use larder_wire::{
    BatchError, Event, Limits, Metadata, PageInfo, Peer, PullResponse, PulledEvent, RequestId, ServerFrame, check_batch,
};
use serde_json::value::RawValue;

fn event(parent: u64, number: u64) -> Event {
    Event {
        name: "v1.Noted".to_owned(),
        args: None,
        seq_num: number,
        parent_seq_num: parent,
        client_id: "a".to_owned(),
        session_id: "s".to_owned(),
        id: None,
    }
}

fn check(batch: &[(u64, u64)]) -> Result<(), BatchError> {
    let batch: Vec<_> = batch.iter().map(|(parent, number)| event(*parent, *number)).collect();
    check_batch(&batch, &Limits::default())
}

#[test]
fn every_event_chains_and_not_only_the_first() {
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&[(0, 1)]), Ok(()));
    assert_eq!(check(&[(6, 7), (7, 8), (8, 9)]), Ok(()));
    let gap = |number, parent, before| Err(BatchError::Gap { number, parent, before });
    assert_eq!(check(&[(0, 1), (2, 3)]), gap(3, 2, 1), "the gap that the original server stores");
    assert_eq!(check(&[(0, 1), (1, 3)]), gap(3, 1, 1));
    assert_eq!(check(&[(0, 2)]), gap(2, 0, 0));
    assert_eq!(check(&[(0, 1), (0, 1)]), gap(1, 0, 1));
    assert_eq!(check(&[(1, 1)]), gap(1, 1, 1));
    assert_eq!(check(&[(5, 4)]), gap(4, 5, 5));
    assert_eq!(check(&[(u64::MAX, u64::MAX)]), Err(BatchError::NumberTooLarge { number: u64::MAX }));
    assert_eq!(check(&[(Limits::EVENT_NUMBER - 1, Limits::EVENT_NUMBER)]), Ok(()));
}

#[test]
fn each_limit_names_the_culprit_and_the_remedy() {
    let many: Vec<_> = (1..=101).map(|number| event(number - 1, number)).collect();
    let error = check_batch(&many, &Limits::default()).expect_err("101 events");
    assert_eq!(error, BatchError::TooManyEvents { events: 101, limit: 100 });
    assert_eq!(error.to_string(), "the push has 101 events, at most 100 are taken; split it");
    assert!(check_batch(&many[..100], &Limits::default()).is_ok());

    let sized = |number: u64, bytes: usize| {
        let mut event = event(number - 1, number);
        event.args = Some(RawValue::from_string(format!("\"{}\"", "x".repeat(bytes - 2))).expect("JSON"));
        event
    };
    assert!(check_batch(&[sized(1, Limits::EVENT_BYTES)], &Limits::default()).is_ok());
    let error = check_batch(&[event(0, 1), sized(2, Limits::EVENT_BYTES + 1)], &Limits::default()).expect_err("large");
    assert!(
        error.to_string().starts_with("e2 has 262145 bytes of arguments, at most 262144 are taken; put large values"),
        "{error}"
    );

    let labels = event(0, 1).size();
    let full: Vec<_> = (1..=4).map(|number| sized(number, Limits::EVENT_BYTES - labels)).collect();
    assert!(check_batch(&full, &Limits::default()).is_ok());
    let over: Vec<_> = full.into_iter().chain([event(4, 5)]).collect();
    let error = check_batch(&over, &Limits::default()).expect_err("more than 1 MiB");
    assert!(matches!(error, BatchError::TooManyBytes { limit: Limits::BATCH_BYTES, .. }), "{error}");
}

#[test]
fn a_name_and_ids_have_a_limit_of_their_own() {
    let labelled = |bytes: usize| Event { client_id: "c".repeat(bytes - "v1.Noted".len() - "s".len()), ..event(0, 1) };
    assert_eq!(check_batch(&[labelled(Limits::LABEL_BYTES)], &Limits::default()), Ok(()));
    let error = check_batch(&[labelled(Limits::LABEL_BYTES + 1)], &Limits::default()).expect_err("long");
    assert_eq!(error, BatchError::LabelsTooLong { number: 1, bytes: 1025, limit: 1024 });
    assert!(error.to_string().contains("the name and the ids of e1") && error.to_string().contains("shorter"));
}

/// A page holds the events of many pushes: what is in it may be escaped worse than any one message was.
#[test]
fn a_full_page_fits_a_message_however_its_names_are_escaped() {
    let page = |names: usize| {
        // As `larder-server` makes pages: 100 events, 900,000 bytes.
        let args = 900_000 / Limits::BATCH_EVENTS - names - "as".len();
        let one = |number: u64| Event {
            name: "\u{1}".repeat(names),
            args: Some(RawValue::from_string(format!("\"{}\"", "x".repeat(args - 2))).expect("JSON")),
            ..event(Limits::EVENT_NUMBER - 100 + number, Limits::EVENT_NUMBER - 99 + number)
        };
        let batch: Vec<_> = (0..99).map(one).collect();
        assert_eq!(check_batch(&batch, &Limits::default()), Ok(()));
        let metadata = Some(Metadata { created_at: "2026-11-22T15:09:30.231Z".to_owned() });
        let pulled = |event| Arc::new(PulledEvent { event, metadata: metadata.clone() });
        let batch = batch.into_iter().map(pulled).collect();
        let (page_info, backend_id) = (PageInfo::MoreKnown { remaining: u64::MAX }, "b".repeat(100));
        let page = PullResponse { batch, page_info, backend_id, head: Some(Limits::EVENT_NUMBER) };
        ServerFrame::Chunk { request_id: RequestId::Number(u64::MAX), values: vec![page] }.encode(Peer::Larder)
    };
    for names in [1, 500, Limits::LABEL_BYTES - "as".len()] {
        assert!(page(names).len() <= Limits::MESSAGE_BYTES, "{} bytes", page(names).len());
    }
}
