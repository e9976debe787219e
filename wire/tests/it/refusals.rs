//! A larder server's refusals are typed for larder's client and an `UnknownError` for others.

use larder_wire::{Exit, Failure, Limits, Peer, Refusal, RefusalKind, RequestId, ServerFrame};

#[test]
fn every_kind_of_refusal_comes_back_as_itself() {
    let kinds = [
        RefusalKind::Unauthenticated,
        RefusalKind::Forbidden,
        RefusalKind::TooFast,
        RefusalKind::TooLarge,
        RefusalKind::Full,
        RefusalKind::Invalid,
        RefusalKind::Unavailable,
    ];
    let refusals = kinds.map(|kind| Refusal::new(kind, "why")).into_iter().chain([Refusal::full(256, "why")]);
    for refusal in refusals {
        let kind = refusal.kind;
        let exit = Exit::failure(Failure::Refused(refusal));
        for request_id in [RequestId::Text("1".to_owned()), RequestId::Number(1)] {
            let frame = ServerFrame::Exit { request_id, exit: exit.clone() };
            let text = frame.encode(Peer::TypeScript);
            assert!(text.contains(r#""_tag":"UnknownError""#), "{text}");
            assert!(text.contains(kind.as_str()), "{text}");
            assert_eq!(ServerFrame::decode(&text, &Limits::default()), Ok(frame));
        }
    }
}

#[test]
fn an_error_of_another_server_is_no_refusal() {
    let text = r#"{"_tag":"Exit","requestId":"1","exit":{"_tag":"Failure","cause":{"_tag":"Fail",
        "error":{"cause":{"name":"Error","message":"rejected by onPush"},"_tag":"UnknownError"}}}}"#;
    let frame = ServerFrame::decode(text, &Limits::default()).expect("a frame");
    let ServerFrame::Exit { exit: Exit::Failed(cause), .. } = frame else { panic!("no failure") };
    assert!(matches!(cause.found_failure(), Some(Failure::Unknown { .. })));
}
