//! Whatever arrives, the answer is a frame or an error.

use larder_wire::{ClientFrame, Limits, Peer, Query, RequestId, ServerFrame, StoreId, WireError};
use proptest::prelude::*;

use crate::strategies::{client_frame, server_frame};

fn read_as_everything(text: &str) {
    let limits = Limits::default();
    let _ = ClientFrame::decode(text, &limits);
    let _ = ServerFrame::decode(text, &limits);
    let _ = ServerFrame::decode_answer(text, &limits);
    let _ = Query::parse(text);
    let _ = StoreId::new(text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn bytes_at_random_panic_nowhere(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_as_everything(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_frame_with_changed_bytes_panics_nowhere(
        frame in client_frame(), answer in server_frame(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for text in [frame.encode(Peer::Larder), answer.encode(Peer::Larder)] {
            let mut bytes = text.into_bytes();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                match byte % 3 {
                    0 => bytes[at] = *byte,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, *byte),
                }
            }
            read_as_everything(&String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn json_of_the_right_words_in_the_wrong_places_panics_nowhere(
        text in r#"(\{|\}|\[|\]|:|,|"_tag"|"Request"|"Chunk"|"Exit"|"id"|"payload"|"exit"|"cause"|"value"|"values"|"requestId"|null|1|-1|1e999|"SyncWsRpc.Push"|"batch"|"x"){0,40}"#
    ) {
        read_as_everything(&text);
    }
}

#[test]
fn ten_million_brackets_overflow_no_stack() {
    let limits = Limits::default();
    let of_a_request = r#"{"_tag":"Request","id":"#;
    let of_a_chunk = r#"{"_tag":"Chunk","requestId":"1","values":"#;
    for (begin, open) in [
        ("", "["),
        ("", "{\"a\":"),
        ("", "[[{\"x\":["),
        (of_a_request, "["),
        (of_a_chunk, "[{\"batch\":["),
        (of_a_chunk, "["),
    ] {
        let deep = format!("{begin}{}", open.repeat(10_000_000 / open.len()));
        let error = ClientFrame::decode(&deep, &limits).expect_err("too long");
        assert!(matches!(error, WireError::MessageTooLong { limit: Limits::MESSAGE_BYTES, .. }), "{error}");
        assert!(error.to_string().contains("send fewer or smaller events"), "{error}");
        let longer = Limits { message_bytes: usize::MAX, ..limits };
        for error in [ServerFrame::decode(&deep, &longer).err(), ClientFrame::decode(&deep, &longer).err()] {
            let error = error.expect("too deep");
            assert!(matches!(error, WireError::TooDeep { limit: Limits::JSON_DEPTH, .. }), "{error}");
            assert!(error.to_string().contains("flatter"), "{error}");
        }
        assert!(ServerFrame::decode_answer(&format!("[{deep}"), &longer).is_err());
    }
}

#[test]
fn a_bad_request_is_told_apart_from_garbage_and_neither_repeats_what_it_held() {
    let limits = Limits::default();
    let decode = |text: &str| ClientFrame::decode(text, &limits).expect_err("an error");
    let answerable = [
        r#"{"_tag":"Request","id":"7","tag":"canary","payload":{}}"#,
        r#"{"_tag":"Request","id":"7","tag":"SyncWsRpc.canary","payload":{}}"#,
        r#"{"_tag":"Request","id":"7","tag":"SyncWsRpc.Pull"}"#,
        r#"{"_tag":"Request","id":"7","tag":"SyncWsRpc.Pull","payload":{"storeId":["canary"]}}"#,
        r#"{"_tag":"Request","id":"7","tag":"SyncWsRpc.Pull","payload":"canary"}"#,
        r#"{"_tag":"Request","id":"7","tag":"SyncWsRpc.Push","payload":{"storeId":"s","backendId":{"_tag":"canary"},"batch":[]}}"#,
        r#"{"_tag":"Request","id":"7","tag":"SyncWsRpc.Push","payload":{"storeId":"s","backendId":{"_tag":"None"},"batch":[{"name":"n","seqNum":-1}]}}"#,
    ];
    for text in answerable {
        let error = decode(text);
        assert!(matches!(error, WireError::BadRequest { .. }), "{text}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let garbage = [
        "",
        "null",
        "[]",
        "canary",
        "{}",
        r#"{"_tag":"canary"}"#,
        r#"{"_tag":"Ack"}"#,
        r#"{"_tag":"Request","tag":"canary"}"#,
    ];
    for text in garbage {
        let error = decode(text);
        assert!(matches!(error, WireError::NotAFrame { .. }), "{text}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let long = format!(r#"{{"_tag":"Ack","requestId":"{}"}}"#, "x".repeat(129));
    assert!(decode(&long).to_string().contains("count requests"));
}

#[test]
fn an_error_is_one_line_whatever_the_id_of_its_request_is() {
    for id in ["\n", "\u{7}", "\u{1b}[31m", "\u{9b}"] {
        let frame = serde_json::json!({ "_tag": "Request", "id": id }).to_string();
        let error = ClientFrame::decode(&frame, &Limits::default()).expect_err("no tag");
        assert!(matches!(&error, WireError::BadRequest { id: asked, .. } if *asked == RequestId::Text(id.to_owned())));
        assert!(!error.to_string().contains(char::is_control), "{error:?}");
    }
}
