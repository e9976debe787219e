//! The recorded exchanges of real clients, answered by this server as the original answered them, through both doors.
//!
//! Long frames were cut when they were recorded: the pushes among them are made again, and of the pages the requests, sizes and ends are
//! compared. Moments, the backend's name and how an interrupt is written are what may differ.

use std::{collections::BTreeMap, fs, path::Path};

use larder_wire::{Cause, ClientFrame, Exit, Limits, Peer, RequestId, ServerFrame};
use serde_json::{Value, json};

use crate::lab::{Lab, Socket, http};

fn recording(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/data").join(file);
    let text = fs::read_to_string(path).expect("the recording is there");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// A client's text, as it was before it was cut, and with this server's name.
fn sent(text: &str, backends: &BTreeMap<String, String>) -> String {
    let mut text = if text.contains("characters cut]") { mended(text) } else { text.to_owned() };
    for (theirs, ours) in backends {
        text = text.replace(theirs, ours);
    }
    text
}

/// The pushes of 130 events in batches of 50: what was cut are the events between the first and the last.
fn mended(text: &str) -> String {
    let (before, _) = text.split_once(r#"{"name":"v1.TodoCreated","args":{"id":"m"#).expect("a push of many");
    let first: u64 = number_after(text, r#""args":{"id":"m"#);
    let count = if first == 100 { 30 } else { 50 };
    let events = (first..first + count).map(|many| {
        json!({ "name": "v1.TodoCreated", "args": { "id": format!("m{many}"), "text": format!("many {many}") },
            "seqNum": many + 8, "parentSeqNum": many + 7, "clientId": "A", "sessionId": "static" })
    });
    let events: Vec<_> = events.map(|event| event.to_string()).collect();
    let tail = "\"backendId\":{\"_tag\":\"Some\"";
    let after = text.rfind(tail).map(|at| text[at..].to_owned());
    let after = after.unwrap_or_else(|| r#""backendId":{"_tag":"None"}},"headers":[]}"#.to_owned());
    format!("{before}{}],{after}", events.join(","))
}

fn number_after(text: &str, mark: &str) -> u64 {
    let (_, rest) = text.split_once(mark).expect("the mark is there");
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

/// A frame without what may differ.
fn plain(frame: &ServerFrame) -> Value {
    let mut frame = frame.clone();
    if let ServerFrame::Exit { exit, .. } = &mut frame
        && let Exit::Failed(cause) = exit
        && cause.is_interrupt()
    {
        *exit = Exit::Failed(Cause::Interrupt);
    }
    let mut value: Value = serde_json::from_str(&frame.encode(Peer::TypeScript)).expect("JSON");
    for page in value["values"].as_array_mut().into_iter().flatten() {
        page["backendId"] = json!("");
        for event in page["batch"].as_array_mut().into_iter().flatten() {
            assert!(event["metadata"]["value"]["createdAt"].as_str().is_some_and(|at| at.ends_with('Z')));
            event["metadata"]["value"]["createdAt"] = json!("");
        }
    }
    value
}

/// The frame or frames of a recorded text; none where it was cut.
fn recorded(text: &str) -> Option<Vec<ServerFrame>> {
    if text.contains("characters cut]") {
        return None;
    }
    let limits = Limits::default();
    Some(match text.starts_with('[') {
        true => ServerFrame::decode_answer(text, &limits).expect("frames"),
        false => vec![ServerFrame::decode(text, &limits).expect("a frame")],
    })
}

/// What is known of a cut text is so in ours, too: how it begins and how its last page ends.
fn like_the_cut(ours: &[ServerFrame], cut: &str) {
    let pages: Vec<_> = ours
        .iter()
        .filter_map(|frame| match frame {
            ServerFrame::Chunk { request_id, values } => Some((request_id, &values[0])),
            _ => None,
        })
        .collect();
    let ((request_id, first), (_, last)) = (pages[0], pages[pages.len() - 1]);
    let begins = serde_json::to_string(request_id).expect("JSON");
    assert!(cut.contains(&format!(r#""requestId":{begins}"#)), "{request_id} for {cut}");
    let info = serde_json::to_string(&last.page_info).expect("JSON");
    assert!(cut.contains(&info), "{info} for {cut}");
    let number = first.batch.first().expect("events").event.seq_num;
    assert_eq!(number, number_after(cut, r#""seqNum":"#), "{cut}");
}

/// Remembers which of the recorded backends' names is which of ours.
fn learn(backends: &mut BTreeMap<String, String>, theirs: &str, ours: &ServerFrame) {
    if let ServerFrame::Chunk { values, .. } = ours
        && let Some((_, rest)) = theirs.split_once(r#""backendId":""#)
        && let Some((name, _)) = rest.split_once('"')
    {
        let known = backends.entry(name.to_owned()).or_insert_with(|| values[0].backend_id.clone());
        assert_eq!(*known, values[0].backend_id, "a log has one name");
    }
}

struct Replay {
    lab: Lab,
    sockets: BTreeMap<String, Socket>,
    backends: BTreeMap<String, String>,
    compared: usize,
}

impl Replay {
    async fn line(&mut self, line: &Value) {
        let text = line["data"].as_str().unwrap_or_default();
        let name = line["conn"].as_str().unwrap_or_default().to_owned();
        match (line["kind"].as_str().expect("a kind"), line["dir"].as_str().unwrap_or_default()) {
            ("upgrade", _) => {
                let url = format!("ws://{}{}", self.lab.address, line["url"].as_str().expect("a URL"));
                let socket = Socket::connect(&url, &[], Peer::TypeScript).await.expect("open");
                self.sockets.insert(name, socket);
            }
            ("text", "c->s") => {
                let socket = self.sockets.get_mut(&name).expect("it is open");
                let text = sent(text, &self.backends);
                socket.send(text.clone()).await;
                self.wait_for_the_push(&name, &text).await;
            }
            ("text", "s->c") => self.compare(&name, text).await,
            // The answers to what was sent before a close were recorded after it.
            ("close", "c->s") if line["code"] != 1000 => drop(self.sockets.remove(&name)),
            _ => {}
        }
    }

    /// Pushes of different sockets are taken in the order of the recording.
    async fn wait_for_the_push(&mut self, name: &str, text: &str) {
        let limits = Limits::default();
        let Ok(ClientFrame::Request(request)) = ClientFrame::decode(text, &limits) else { return };
        if !matches!(request.call, larder_wire::Call::Push { .. }) {
            return;
        }
        let socket = self.sockets.get_mut(name).expect("it is open");
        let id: RequestId = request.id;
        let exit = socket.exit_of(&id).await;
        socket.put_back(ServerFrame::Exit { request_id: id, exit });
    }

    async fn compare(&mut self, name: &str, text: &str) {
        let Some(socket) = self.sockets.get_mut(name) else { return };
        let kind =
            ["Pong", "Chunk", "Exit"].into_iter().find(|kind| text.starts_with(&format!(r#"{{"_tag":"{kind}""#)));
        let wanted = recorded(text).map(|frames| plain(&frames[0]));
        let id = text
            .split_once(r#""requestId":"#)
            .map(|(_, rest)| rest.split([',', '}']).next().unwrap_or_default().to_owned());
        let of_the_kind = |frame: &ServerFrame| match frame {
            ServerFrame::Pong => kind == Some("Pong"),
            ServerFrame::Chunk { request_id, .. } => {
                kind == Some("Chunk") && serde_json::to_string(request_id).ok() == id
            }
            ServerFrame::Exit { request_id, .. } => {
                kind == Some("Exit") && serde_json::to_string(request_id).ok() == id
            }
            ServerFrame::Defect(_) => false,
        };
        let ours = socket.wait_for(of_the_kind).await.expect("the connection is open");
        match wanted {
            Some(wanted) => assert_eq!(plain(&ours), wanted),
            None => like_the_cut(std::slice::from_ref(&ours), text),
        }
        learn(&mut self.backends, text, &ours);
        self.compared += 1;
    }
}

#[tokio::test]
async fn what_was_recorded_on_websockets_is_answered_alike() {
    for (file, frames) in [("websocket.jsonl", 54), ("websocket-effect4.jsonl", 8)] {
        let lab = Lab::open().await;
        let mut replay = Replay { lab, sockets: BTreeMap::new(), backends: BTreeMap::new(), compared: 0 };
        for line in recording(file) {
            replay.line(&line).await;
        }
        assert_eq!(replay.compared, frames, "{file}");
        for (name, mut socket) in replay.sockets {
            socket.send(r#"{"_tag":"Ping"}"#).await;
            assert_eq!(socket.next().await, Ok(ServerFrame::Pong), "{file}, {name}: nothing else was said");
        }
    }
}

#[tokio::test]
async fn what_was_recorded_over_http_is_answered_alike() {
    let lab = Lab::open().await;
    let lines = recording("http.jsonl");
    let mut backends = BTreeMap::new();
    let mut compared = 0;
    // In the order of the answers, which is the order in which the original server had them.
    for line in lines.iter().filter(|line| line["kind"] == "http-response") {
        let asked = lines.iter().find(|asked| asked["conn"] == line["conn"] && asked["kind"] == "http-request");
        let asked = asked.expect("every answer was asked for");
        let (url, body) = (asked["url"].as_str().expect("a URL"), asked["body"].as_str().expect("a body"));
        let headers = [("content-type", "application/json")];
        let ours = http(lab.address, "POST", url, &headers, &sent(body, &backends)).await;
        assert_eq!(i64::from(ours.status), line["status"].as_i64().expect("a status"));
        let theirs = line["body"].as_str().expect("a body");
        let frames = ours.frames();
        match recorded(theirs) {
            Some(wanted) => {
                let (ours, wanted): (Vec<_>, Vec<_>) =
                    (frames.iter().map(plain).collect(), wanted.iter().map(plain).collect());
                assert_eq!(ours, wanted, "{body}");
            }
            None => like_the_cut(&frames, theirs),
        }
        frames.iter().for_each(|frame| learn(&mut backends, theirs, frame));
        compared += 1;
    }
    assert!(compared > 100, "{compared} answers");
}
