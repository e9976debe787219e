//! Random frames.

use std::sync::Arc;

use larder_wire::{
    Call, Cause, ClientFrame, Cursor, Event, EventId, Exit, Failure, Metadata, PageInfo, Payload, PullResponse,
    PulledEvent, Refusal, RefusalKind, Request, RequestId, ServerFrame, Tracing, Transport,
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json, value::RawValue};

pub(crate) fn request_id() -> impl Strategy<Value = RequestId> {
    prop_oneof![any::<u64>().prop_map(RequestId::Number), "[ -~]{0,20}".prop_map(RequestId::Text)]
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

/// Arguments as somebody else may write them: with blanks, numbers of any form and `null`.
fn args() -> impl Strategy<Value = Option<Box<RawValue>>> {
    let written = prop_oneof![
        value().prop_map(|value| value.to_string()),
        Just("null".to_owned()),
        Just("1.0".to_owned()),
        Just("1e2".to_owned()),
        Just("{ \"a\" : 12345678901234567890123 , \"a\":\"\\u0041\" }".to_owned()),
    ];
    option::of(written.prop_map(|text| RawValue::from_string(text).expect("JSON")))
}

prop_compose! {
    pub(crate) fn event()(
        name in ".{0,20}", args in args(), seq_num in any::<u64>(), parent_seq_num in any::<u64>(),
        client_id in ".{0,10}", session_id in ".{0,10}", id in option::of(any::<[u8; 16]>()),
    ) -> Event {
        Event { name, args, seq_num, parent_seq_num, client_id, session_id, id: id.map(EventId) }
    }
}

fn payload() -> impl Strategy<Value = Option<Payload>> {
    // An absent payload and `null` are the same to everybody.
    option::of(value().prop_filter("absent", |value| !value.is_null()).prop_map(Payload))
}

prop_compose! {
    fn request()(
        id in request_id(), http in any::<bool>(), store_id in ".{0,20}", payload in payload(),
        cursor in option::of((".{0,10}", any::<u64>())), live in any::<bool>(), batch in vec(event(), 0..4),
        backend_id in option::of(".{0,10}"), verb in 0..3_u8, trace in option::of(".{0,10}"),
    ) -> Request {
        let cursor = cursor.map(|(backend_id, event_sequence_number)| Cursor { backend_id, event_sequence_number });
        let call = match verb {
            0 => Call::Pull { cursor, live: live && !http },
            1 => Call::Push { batch, backend_id },
            _ => Call::Ping,
        };
        let transport = if http { Transport::Http } else { Transport::WebSocket };
        let tracing = Tracing { trace_id: trace.clone(), span_id: trace, sampled: Some(live) };
        Request { id, transport, store_id, payload, call, tracing, headers: vec![("a".to_owned(), "b".to_owned())] }
    }
}

pub(crate) fn client_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        Just(ClientFrame::Ping),
        Just(ClientFrame::Eof),
        request_id().prop_map(|request_id| ClientFrame::Ack { request_id }),
        request_id().prop_map(|request_id| ClientFrame::Interrupt { request_id }),
        request().prop_map(ClientFrame::Request),
    ]
}

fn failure() -> impl Strategy<Value = Failure> {
    let kinds = [RefusalKind::Unauthenticated, RefusalKind::Forbidden, RefusalKind::TooFast, RefusalKind::TooLarge];
    prop_oneof![
        any::<(u64, u64)>()
            .prop_map(|(minimum_expected, provided)| Failure::ServerAhead { minimum_expected, provided }),
        (".{0,9}", ".{0,9}").prop_map(|(expected, received)| Failure::BackendIdMismatch { expected, received }),
        (proptest::sample::select(kinds.to_vec()), ".{0,9}")
            .prop_map(|(kind, message)| Failure::Refused(Refusal::new(kind, message))),
        (any::<usize>(), ".{0,9}").prop_map(|(stores, message)| Failure::Refused(Refusal::full(stores, message))),
        (value(), option::of(".{0,9}"), option::of(value())).prop_map(|(cause, note, payload)| Failure::Unknown {
            cause,
            note,
            payload
        }),
    ]
}

fn exit() -> impl Strategy<Value = Exit> {
    prop_oneof![
        Just(Exit::Ended),
        Just(Exit::Pushed),
        Just(Exit::Pong),
        failure().prop_map(Exit::failure),
        ".{0,9}".prop_map(Exit::die),
        Just(Exit::Failed(Cause::Interrupt)),
    ]
}

prop_compose! {
    fn page()(
        batch in vec((event(), option::of(".{0,9}")), 0..4), remaining in option::of(any::<u64>()),
        backend_id in ".{0,9}", head in option::of(any::<u64>()),
    ) -> PullResponse {
        let pulled = |(event, created_at): (Event, Option<String>)| {
            Arc::new(PulledEvent { event, metadata: created_at.map(|created_at| Metadata { created_at }) })
        };
        let page_info = remaining.map_or(PageInfo::NoMore, |remaining| PageInfo::MoreKnown { remaining });
        PullResponse { batch: batch.into_iter().map(pulled).collect(), page_info, backend_id, head }
    }
}

pub(crate) fn server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        Just(ServerFrame::Pong),
        (request_id(), vec(page(), 0..3)).prop_map(|(request_id, values)| ServerFrame::Chunk { request_id, values }),
        (request_id(), exit()).prop_map(|(request_id, exit)| ServerFrame::Exit { request_id, exit }),
        value().prop_map(ServerFrame::Defect),
    ]
}
