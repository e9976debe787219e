//! Every recorded frame is understood, and written again as equal JSON.

use std::{fs, path::Path};

use larder_wire::{Call, Cause, ClientFrame, Exit, Limits, Peer, Query, RequestId, ServerFrame};
use serde_json::Value;

struct Line {
    from_client: bool,
    text: String,
}

/// The frames of a recording, one of HTTP's answers being several, and how many texts were cut when they were recorded.
fn frames(file: &str) -> (Vec<Line>, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    let text = fs::read_to_string(path).expect("the recording is there");
    let (mut frames, mut cut) = (Vec::new(), 0);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        let Some(data) = line.get("data").or_else(|| line.get("body")).and_then(Value::as_str) else { continue };
        if data.contains("characters cut]") {
            cut += 1;
            continue;
        }
        let from_client = line["dir"] == "c->s";
        match serde_json::from_str(data).expect("a frame is JSON") {
            Value::Array(each) => {
                frames.extend(each.iter().map(|frame| Line { from_client, text: frame.to_string() }));
            }
            _ => frames.push(Line { from_client, text: data.to_owned() }),
        }
    }
    (frames, cut)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn every_recorded_frame_is_read_and_written_again_as_equal_json() {
    let recordings = [("websocket.jsonl", 106, 11), ("websocket-effect4.jsonl", 17, 0), ("http.jsonl", 350, 11)];
    for (file, whole, were_cut) in recordings {
        let (frames, cut) = frames(file);
        assert_eq!((frames.len(), cut), (whole, were_cut), "{file}");
        for line in frames {
            let again = if line.from_client {
                let frame = ClientFrame::decode(&line.text, &Limits::default());
                frame.unwrap_or_else(|error| panic!("{file}: {error}: {}", line.text)).encode(Peer::TypeScript)
            } else {
                let frame = ServerFrame::decode(&line.text, &Limits::default());
                frame.unwrap_or_else(|error| panic!("{file}: {error}: {}", line.text)).encode(Peer::TypeScript)
            };
            assert_eq!(json(&again), json(&line.text), "{file}");
        }
    }
}

#[test]
fn arguments_are_the_text_that_was_recorded() {
    let (frames, _) = frames("websocket.jsonl");
    let mut seen = 0;
    for line in frames.iter().filter(|line| line.from_client) {
        let ClientFrame::Request(request) = ClientFrame::decode(&line.text, &Limits::default()).expect("a frame")
        else {
            continue;
        };
        let Call::Push { batch, .. } = request.call else { continue };
        for event in batch {
            let args = event.args_text().expect("all recorded events have arguments");
            assert!(line.text.contains(&format!("\"args\":{args},")), "{args}");
            seen += 1;
        }
    }
    assert!(seen >= 7, "{seen} events");
}

#[test]
fn recorded_urls_are_read_and_written_again() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut seen = 0;
    for file in ["websocket.jsonl", "websocket-effect4.jsonl", "http.jsonl"] {
        for line in fs::read_to_string(path.join(file)).expect("the recording is there").lines() {
            let line = json(line);
            let Some((_, query)) = line["url"].as_str().and_then(|url| url.split_once('?')) else { continue };
            let read = Query::parse(query).expect("a query");
            assert_eq!(read.payload.as_ref().expect("a payload").0, json(r#"{"authToken":"secret"}"#));
            assert_eq!(read.encode(), query);
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} URLs");
}

#[test]
fn the_interrupts_of_both_versions_are_known_as_such() {
    let mut seen = 0;
    for file in ["websocket.jsonl", "websocket-effect4.jsonl"] {
        for line in frames(file).0.iter().filter(|line| !line.from_client) {
            let frame = ServerFrame::decode(&line.text, &Limits::default()).expect("a frame");
            if let ServerFrame::Exit { exit: Exit::Failed(cause), .. } = frame {
                let ahead = matches!(&cause, Cause::Fail(_));
                assert_eq!(cause.is_interrupt(), !ahead, "{cause:?}");
                assert_eq!(cause.found_failure().is_some(), ahead, "{cause:?}");
                seen += usize::from(!ahead);
            }
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn an_exit_is_written_as_the_askers_version_has_it() {
    let exit = |request_id, exit| json(&ServerFrame::Exit { request_id, exit }.encode(Peer::TypeScript));
    let (old, new) = (RequestId::Text("1".to_owned()), RequestId::Number(1));
    assert_eq!(exit(old.clone(), Exit::Ended), json(r#"{"_tag":"Exit","requestId":"1","exit":{"_tag":"Success"}}"#));
    assert_eq!(
        exit(new.clone(), Exit::Ended),
        json(r#"{"_tag":"Exit","requestId":1,"exit":{"_tag":"Success","value":null}}"#)
    );
    let interrupted = Exit::Failed(Cause::Interrupt);
    let old_cause = &exit(old, interrupted.clone())["exit"]["cause"];
    assert_eq!(*old_cause, json(r#"{"_tag":"Interrupt","fiberId":{"_tag":"None"}}"#));
    assert_eq!(exit(new, interrupted)["exit"]["cause"], json(r#"[{"_tag":"Interrupt"}]"#));
}
