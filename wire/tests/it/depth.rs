//! How deep arguments may be: what one side takes, every other side can carry and read.

use std::sync::Arc;

use larder_wire::{
    BatchError, Call, ClientFrame, Event, Limits, PageInfo, Peer, PullResponse, PulledEvent, RequestId, ServerFrame,
    WireError, check_batch,
};
use serde_json::value::RawValue;

fn nested(levels: usize) -> [String; 2] {
    [
        format!("{}{}", "[".repeat(levels), "]".repeat(levels)),
        format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels)),
    ]
}

fn push(args: &str) -> String {
    format!(
        r#"{{"_tag":"Request","id":"7","tag":"SyncWsRpc.Push","payload":{{"storeId":"s","batch":[{{"name":"n","args":{args},
        "seqNum":1,"parentSeqNum":0,"clientId":"c","sessionId":"s"}}],"backendId":{{"_tag":"None"}}}}}}"#
    )
}

fn decode(text: &str) -> Result<Vec<Event>, WireError> {
    match ClientFrame::decode(text, &Limits::default())? {
        ClientFrame::Request(request) => match request.call {
            Call::Push { batch, .. } => Ok(batch),
            other => panic!("no push: {other:?}"),
        },
        other => panic!("no request: {other:?}"),
    }
}

fn page(event: Event) -> ServerFrame {
    let batch = vec![Arc::new(PulledEvent { event, metadata: None })];
    let page = PullResponse { batch, page_info: PageInfo::NoMore, backend_id: "b".to_owned(), head: Some(1) };
    ServerFrame::Chunk { request_id: RequestId::Number(1), values: vec![page] }
}

#[test]
fn arguments_that_a_server_takes_every_client_can_pull() {
    let limits = Limits::default();
    for levels in 1..=70 {
        for args in nested(levels) {
            let taken = decode(&push(&args)).ok().filter(|batch| check_batch(batch, &limits).is_ok());
            assert_eq!(taken.is_some(), levels <= Limits::JSON_DEPTH, "{levels} levels");
            let Some(mut batch) = taken else { continue };
            let page = page(batch.remove(0));
            let text = page.encode(Peer::Larder);
            assert_eq!(ServerFrame::decode(&text, &limits).as_ref(), Ok(&page), "{levels} levels");
            assert_eq!(ServerFrame::decode_answer(&format!("[{text}]"), &limits), Ok(vec![page]));
        }
    }
}

#[test]
fn arguments_that_are_too_deep_are_told_to_whoever_asked() {
    let limits = Limits::default();
    for levels in [65, 68, 69, 1_000, 300_000] {
        for args in nested(levels) {
            match decode(&push(&args)) {
                Ok(batch) => {
                    let error = check_batch(&batch, &limits).expect_err("too deep");
                    assert_eq!(error, BatchError::TooDeep { number: 1, limit: Limits::JSON_DEPTH });
                    assert!(error.to_string().contains("arguments of e1") && error.to_string().contains("flatten"));
                }
                Err(error) => {
                    let id = RequestId::Text("7".to_owned());
                    assert_eq!(error, WireError::RequestTooDeep { id, limit: Limits::JSON_DEPTH });
                    assert!(error.to_string().contains("deeper than 64 levels"), "{error}");
                }
            }
        }
    }
    let nobodys = [
        format!(r#"{{"_tag":"Ack","requestId":"7","x":{}}}"#, nested(80)[0]),
        format!(r#"{{"_tag":"Request","tag":"SyncWsRpc.Push","payload":{}}}"#, nested(80)[0]),
        format!(r#"{{"_tag":"Request","id":{}}}"#, nested(80)[0]),
        format!(r#"{{"_tag":"Request","id":"7","payload":{}"#, nested(80)[0]),
    ];
    for text in nobodys {
        assert!(matches!(decode(&text), Err(WireError::TooDeep { .. })), "{text}");
    }
}

#[test]
fn a_payload_is_bounded_too() {
    let pull = |levels: usize| {
        let payload = &nested(levels)[0];
        format!(
            r#"{{"_tag":"Request","id":"7","tag":"SyncWsRpc.Pull","payload":{{"storeId":"s","payload":{payload},"cursor":{{"_tag":"None"}}}}}}"#
        )
    };
    assert!(ClientFrame::decode(&pull(64), &Limits::default()).is_ok());
    for levels in [71, 100_000] {
        let read = ClientFrame::decode(&pull(levels), &Limits::default());
        assert!(matches!(read, Err(WireError::RequestTooDeep { .. })), "{levels} levels");
    }
}

#[test]
fn a_page_of_a_server_that_takes_deeper_ones_is_read() {
    for levels in [65, 80, 300_000] {
        let event = Event {
            name: "n".to_owned(),
            args: Some(RawValue::from_string(nested(levels)[0].clone()).expect("JSON")),
            seq_num: 1,
            parent_seq_num: 0,
            client_id: "c".to_owned(),
            session_id: "s".to_owned(),
            id: None,
        };
        let page = page(event);
        let text = page.encode(Peer::Larder);
        assert_eq!(ServerFrame::decode(&text, &Limits::default()).as_ref(), Ok(&page), "{levels} levels");
        assert_eq!(ServerFrame::decode_answer(&format!("[{text}]"), &Limits::default()), Ok(vec![page]));
    }
    // What is taken apart at once is not.
    let exit = format!(r#"{{"_tag":"Exit","requestId":"1","exit":{}}}"#, nested(80)[0]);
    assert!(matches!(ServerFrame::decode(&exit, &Limits::default()), Err(WireError::TooDeep { .. })));
}

#[test]
fn brackets_inside_strings_are_text() {
    let quoted = format!("\"\\\"{}\"", "[".repeat(1_000));
    let batch = decode(&push(&quoted)).expect("a push");
    assert_eq!(check_batch(&batch, &Limits::default()), Ok(()));
}
