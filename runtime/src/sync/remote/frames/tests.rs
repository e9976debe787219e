//! What a server may say, true or not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const WRITER: Writer = Writer { peer: Peer::Larder, transport: Transport::WebSocket };

fn push() -> Push<'static> {
    let event = StoredEvent {
        number: EventNumber::synced(4),
        name: "v1.Happened".into(),
        args: Some(r#"{ "b":1.0,"a":"\u00e9" }"#.into()),
        client_id: "c".into(),
        session_id: "s".into(),
        id: Some(EventId(7)),
    };
    Push { sync_id: "a".into(), events: vec![event].into(), backend_id: "log".into(), payload: None }
}

fn heard(frames: &mut Frames, text: &str) -> Vec<Heard> {
    frames.hear(text).expect("a frame")
}

#[test]
fn arguments_go_out_and_come_back_as_they_were_written() {
    let mut frames = Frames::default();
    let sent = push().events;
    let text = WRITER.push(1, push()).expect("JSON");
    assert!(text.contains(r#""args":{ "b":1.0,"a":"\u00e9" }"#), "{text}");
    frames.pull(2, 0);
    let event = text.split(r#""batch":["#).nth(1).and_then(|rest| rest.split("],").next()).expect("the batch");
    let chunk = format!(
        r#"{{"_tag":"Chunk","requestId":"2","values":[{{"batch":[{{"eventEncoded":{event},"metadata":{{"_tag":"None"}}}}],
            "pageInfo":{{"_tag":"NoMore"}},"backendId":"log"}}]}}"#
    );
    let [Heard::Page { id: 2, page }] = &heard(&mut frames, &chunk)[..] else { panic!("no page") };
    assert_eq!((&page.events[..], page.remaining, &*page.backend_id), (&sent[..], Remaining::Nothing, "log"));
    let mut no_json = push();
    no_json.events.to_mut()[0].args = Some("{".into());
    assert!(matches!(WRITER.push(3, no_json), Err(BackendError::Other(_))));
}

#[test]
fn events_at_or_before_the_number_of_a_pull_are_passed_over() {
    let mut frames = Frames::default();
    frames.pull(1, 2);
    let event = |number: u64| {
        format!(
            r#"{{"eventEncoded":{{"name":"x","seqNum":{number},"parentSeqNum":{},"clientId":"c","sessionId":"s"}},"metadata":{{"_tag":"None"}}}}"#,
            number - 1
        )
    };
    let batch = [1, 2, 3].map(event).join(",");
    let chunk = format!(
        r#"{{"_tag":"Chunk","requestId":"1","values":[{{"batch":[{batch}],"pageInfo":{{"_tag":"MoreUnknown"}},"backendId":"log"}}]}}"#
    );
    let [Heard::Page { page, .. }] = &heard(&mut frames, &chunk)[..] else { panic!("no page") };
    let numbers: Vec<_> = page.events.iter().map(|event| event.number.global()).collect();
    assert_eq!((numbers, page.remaining), (vec![3], Remaining::Some));
}

#[test]
fn an_answer_to_what_was_given_up_or_never_asked_says_nothing() {
    let mut frames = Frames::default();
    frames.pull(1, 0);
    assert!(frames.give_up(1) && !frames.give_up(1) && frames.is_idle());
    for id in [r#""1""#, "1", r#""x""#, r#""99""#] {
        let exit = format!(r#"{{"_tag":"Exit","requestId":{id},"exit":{{"_tag":"Success"}}}}"#);
        assert!(heard(&mut frames, &exit).is_empty());
    }
}

#[test]
fn each_refusal_is_what_an_app_can_act_on() {
    let mut frames = Frames::default();
    let mut answer = |error: &str| {
        frames.push(1, "log".to_owned());
        let exit = format!(
            r#"{{"_tag":"Exit","requestId":"1","exit":{{"_tag":"Failure","cause":{{"_tag":"Fail","error":{error}}}}}}}"#
        );
        match heard(&mut frames, &exit).pop() {
            Some(Heard::Pushed { id: 1, answer }) => answer,
            other => panic!("{other:?}"),
        }
    };
    let ahead = answer(r#"{"_tag":"ServerAheadError","minimumExpectedNum":9,"providedNum":3}"#);
    assert!(matches!(ahead, Ok(PushAnswer::Ahead { head: 9 })));
    let other = answer(r#"{"_tag":"BackendIdMismatchError","expected":"new","received":"log"}"#);
    assert!(matches!(other, Ok(PushAnswer::OtherBackend { backend_id }) if backend_id == "new"));
    let refused = |name: &str| format!(r#"{{"_tag":"UnknownError","cause":{{"name":"{name}","message":"why"}}}}"#);
    assert!(
        matches!(answer(&refused("larder.Forbidden")), Err(BackendError::Unauthorized { reason }) if reason == "why")
    );
    assert!(matches!(answer(&refused("larder.Unavailable")), Err(BackendError::Offline { .. })));
    let kinds = [
        ("TooFast", Refusal::TooFast),
        ("TooLarge", Refusal::TooLarge),
        // Who does not say how many may have less and less.
        ("Full", Refusal::TooLarge),
        ("Invalid", Refusal::Invalid),
    ];
    for (name, kind) in kinds {
        let answer = answer(&refused(&format!("larder.{name}")));
        assert!(
            matches!(&answer, Err(BackendError::Refused { refusal, reason }) if *refusal == kind && reason == "why"),
            "{answer:?}"
        );
    }
    assert!(matches!(answer(&refused("Error")), Err(BackendError::Other(_))));
    let full = r#"{"_tag":"UnknownError","cause":{"name":"larder.Full","message":"why","limit":3}}"#;
    let Err(BackendError::Other(full)) = answer(full) else { panic!("no refusal") };
    assert_eq!(full.downcast_ref::<Full>().map(|full| full.stores), Some(3), "{full}");
}

#[test]
fn what_a_server_says_is_one_line_of_a_message_however_much_it_says() {
    let said = "no\n\u{1b}[31m\u{9b}".repeat(1_000);
    let failures = [
        json!({ "_tag": "BackendIdMismatchError", "expected": said, "received": "log" }),
        json!({ "_tag": "UnknownError", "cause": said }),
        json!({ "_tag": "UnknownError", "cause": { "name": "larder.Forbidden", "message": said } }),
        json!({ "_tag": "UnknownError", "cause": { "name": "larder.Unavailable", "message": said } }),
        json!({ "_tag": "UnknownError", "cause": { "name": "larder.TooLarge", "message": said } }),
    ];
    let failed = failures.map(|error| json!({ "_tag": "Fail", "error": error }));
    let causes = failed.into_iter().chain([json!({ "_tag": "Die", "defect": said }), json!({ "_tag": said })]);
    for cause in causes {
        let mut frames = Frames::default();
        frames.pull(1, 0);
        let exit = json!({ "_tag": "Exit", "requestId": "1", "exit": { "_tag": "Failure", "cause": cause } });
        let message = match heard(&mut frames, &exit.to_string()).pop() {
            Some(Heard::PullEnded { error: Some(error), .. }) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(!message.contains(char::is_control) && message.len() < 4_000, "{message:?}");
    }
    let mut frames = Frames::default();
    let defect = json!({ "_tag": "Defect", "defect": said }).to_string();
    let [Heard::Broken { reason }] = &heard(&mut frames, &defect)[..] else { panic!("no defect") };
    assert!(!reason.contains(char::is_control) && reason.len() < 4_000, "{reason:?}");
}

proptest! {
    #[test]
    fn whatever_a_server_sends_nothing_panics(text in r#"\PC{0,80}"#, id in 0_u64..4) {
        let mut frames = Frames::default();
        frames.pull(0, 0);
        frames.push(1, "log".to_owned());
        let _ = frames.hear(&text);
        for tag in ["Chunk", "Exit", "Defect", "Pong"] {
            let quoted = serde_json::Value::String(text.clone());
            let frame = format!(
                r#"{{"_tag":"{tag}","requestId":"{id}","values":[{quoted}],"exit":{{"_tag":{quoted}}},"defect":{quoted}}}"#
            );
            let _ = frames.hear(&frame);
        }
    }
}
