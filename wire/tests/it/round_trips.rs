//! What one side writes, the other reads as the same.

use larder_wire::{Call, ClientFrame, EventId, Limits, Peer, ServerFrame};
use proptest::prelude::*;

use crate::strategies::{client_frame, event, server_frame};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_a_client_writes_a_server_reads(frame in client_frame()) {
        let text = frame.encode(Peer::Larder);
        prop_assert_eq!(ClientFrame::decode(&text, &Limits::default()), Ok(frame));
    }

    #[test]
    fn what_a_server_writes_a_client_reads(frame in server_frame()) {
        let text = frame.encode(Peer::Larder);
        prop_assert_eq!(ServerFrame::decode(&text, &Limits::default()), Ok(frame));
    }

    #[test]
    fn an_answer_over_http_is_an_array_of_frames(frames in proptest::collection::vec(server_frame(), 0..5)) {
        let written: Vec<_> = frames.iter().map(|frame| frame.encode(Peer::Larder)).collect();
        let answer = format!("[{}]", written.join(","));
        prop_assert_eq!(ServerFrame::decode_answer(&answer, &Limits::default()), Ok(frames));
    }

    #[test]
    fn a_typescript_peer_sees_neither_event_ids_nor_the_head(frame in server_frame()) {
        let without = |frame: &mut ServerFrame| {
            if let ServerFrame::Chunk { values, .. } = frame {
                for page in values {
                    page.head = None;
                    for pulled in &mut page.batch {
                        std::sync::Arc::make_mut(pulled).event.id = None;
                    }
                }
            }
        };
        let text = frame.encode(Peer::TypeScript);
        let mut expected = frame;
        without(&mut expected);
        prop_assert_eq!(ServerFrame::decode(&text, &Limits::default()), Ok(expected));
    }

    #[test]
    fn an_event_id_is_its_own_text(bits in any::<[u8; 16]>()) {
        let id = EventId(bits);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert!(id.to_string().to_uppercase().parse::<EventId>().is_err() || !id.to_string().contains(|digit: char| digit.is_alphabetic()));
    }

    #[test]
    fn arguments_stay_the_text_they_were(event in event()) {
        let text = serde_json::to_string(&event).expect("an event has a text");
        let again: larder_wire::Event = serde_json::from_str(&text).expect("it is read again");
        prop_assert_eq!(again.args_text(), event.args_text());
    }
}

#[test]
fn absent_arguments_stay_absent_and_null_stays_null() {
    let decode = |args: &str| {
        let text = format!(
            r#"{{"_tag":"Request","id":"1","tag":"SyncWsRpc.Push","payload":{{"storeId":"s","batch":[
            {{"name":"n"{args},"seqNum":1,"parentSeqNum":0,"clientId":"c","sessionId":"s"}}],"backendId":{{"_tag":"None"}}}}}}"#
        );
        let frame = ClientFrame::decode(&text, &Limits::default()).expect("a frame");
        let ClientFrame::Request(request) = &frame else { panic!("no request") };
        let Call::Push { batch, .. } = &request.call else { panic!("no push") };
        (batch[0].args_text().map(str::to_owned), frame.encode(Peer::TypeScript))
    };
    let (args, text) = decode("");
    assert_eq!(args, None);
    assert!(!text.contains("args"), "{text}");
    let (args, text) = decode(",\"args\":null");
    assert_eq!(args.as_deref(), Some("null"));
    assert!(text.contains("\"args\":null"), "{text}");
    let (args, text) = decode(",\"args\":{ \"n\" : 1.0 }");
    assert_eq!(args.as_deref(), Some("{ \"n\" : 1.0 }"));
    assert!(text.contains("{ \"n\" : 1.0 }"), "{text}");
}
