//! What commits and pushes make is what the wire takes.

use larder_wire::{Call, ClientFrame, Event, Limits, Peer, Request, RequestId, Tracing, Transport, check_batch};
use proptest::{collection::vec, prelude::*};
use serde_json::value::RawValue;

use super::processor::{BATCH_EVENTS, batch};
use crate::{
    event::{EventNumber, MAX_DEPTH, MAX_LABELS, StoredEvent},
    options,
};

#[test]
fn a_commit_and_a_server_have_the_same_limits_for_an_event() {
    assert_eq!(options::Limits::default().max_event_bytes, Limits::EVENT_BYTES);
    assert_eq!((MAX_DEPTH, MAX_LABELS), (Limits::JSON_DEPTH, Limits::LABEL_BYTES));
    assert_eq!(BATCH_EVENTS, Limits::BATCH_EVENTS);
}

/// Labels as long as they may be, of which each byte is six in JSON.
fn event(number: u64, args: usize, labels: usize) -> StoredEvent {
    let label = |bytes: usize| "\u{1}".repeat(bytes);
    StoredEvent {
        number: EventNumber::synced(number),
        name: label(labels / 2),
        args: (args >= 2).then(|| format!("\"{}\"", "x".repeat(args - 2))),
        client_id: label(labels / 4).as_str().into(),
        session_id: label(labels - labels / 2 - labels / 4).as_str().into(),
        id: Some(crate::event::EventId(u128::MAX)),
    }
}

fn on_the_wire(event: &StoredEvent) -> Event {
    Event {
        name: event.name.clone(),
        args: event.args.clone().map(|args| RawValue::from_string(args).expect("JSON")),
        seq_num: event.number.global(),
        parent_seq_num: event.number.global() - 1,
        client_id: event.client_id.to_string(),
        session_id: event.session_id.to_string(),
        id: event.id.map(|id| larder_wire::EventId(id.0.to_be_bytes())),
    }
}

/// Bytes of arguments: small ones, so many that a hundred fill a push, and any that may be.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![0..400_usize, 7_500..9_000_usize, 0..=Limits::EVENT_BYTES, Just(Limits::EVENT_BYTES)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_push_that_a_client_makes_is_one_that_a_server_takes(
        sizes in prop_oneof![vec(sizes(), 1..130), (7_500..9_000_usize).prop_map(|size| vec![size; 120])],
        labels in prop_oneof![0..=MAX_LABELS, Just(MAX_LABELS)], before in 0..1_u64 << 38,
    ) {
        let unsent: Vec<_> = (before + 1..).zip(sizes).map(|(number, size)| event(number, size, labels)).collect();
        let pushed: Vec<_> = unsent[..batch(&unsent)].iter().map(on_the_wire).collect();
        let request = Request {
            id: RequestId::Number(u64::MAX),
            transport: Transport::WebSocket,
            store_id: "s".repeat(120),
            payload: None,
            call: Call::Push { batch: pushed.clone(), backend_id: Some("b".repeat(100)) },
            tracing: Tracing::default(),
            headers: Vec::new(),
        };
        let text = ClientFrame::Request(request).encode(Peer::Larder);
        prop_assert!(text.len() <= Limits::MESSAGE_BYTES, "{} events are {} bytes", pushed.len(), text.len());
        prop_assert!(ClientFrame::decode(&text, &Limits::default()).is_ok());
        prop_assert_eq!(check_batch(&pushed, &Limits::default()), Ok(()));
    }
}
