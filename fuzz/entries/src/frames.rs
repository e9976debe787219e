//! Frames of the sync wire, and the URLs of TypeScript clients.

use std::sync::Arc;

use larder_wire::{
    Call, ClientFrame, Event, Limits, PageInfo, Peer, PullResponse, PulledEvent, Query, RequestId, ServerFrame,
    StoreId, check_batch,
};

use crate::events::is_one_line;

/// The first byte chooses what the rest is read as.
pub fn run(data: &[u8]) {
    let [choice, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    match choice % 4 {
        0 => of_a_client(text),
        1 => of_a_server(text),
        2 => answers(text),
        _ => urls(text),
    }
}

/// An encoding may be a level deeper than what was read, and longer.
const DEEPER: Limits = Limits {
    json_depth: Limits::JSON_DEPTH + 2,
    event_bytes: Limits::EVENT_BYTES,
    batch_events: Limits::BATCH_EVENTS,
    batch_bytes: Limits::BATCH_BYTES,
    message_bytes: usize::MAX,
};

fn of_a_client(text: &str) {
    match ClientFrame::decode(text, &Limits::default()) {
        Ok(frame) => {
            let written = frame.encode(Peer::Larder);
            assert_eq!(ClientFrame::decode(&written, &DEEPER), Ok(frame.clone()), "{written}");
            assert!(ClientFrame::decode(&frame.encode(Peer::TypeScript), &DEEPER).is_ok());
            if let ClientFrame::Request(request) = frame
                && let Call::Push { batch, .. } = request.call
            {
                batch.iter().filter_map(|event| event.args_text()).for_each(|args| assert!(text.contains(args)));
                match check_batch(&batch, &Limits::default()) {
                    Ok(()) => is_pulled(batch),
                    Err(error) => is_one_line(&error.to_string()),
                }
            }
        }
        Err(error) => is_one_line(&error.to_string()),
    }
}

/// What a server takes, every client reads.
fn is_pulled(batch: Vec<Event>) {
    let batch = batch.into_iter().map(|event| Arc::new(PulledEvent { event, metadata: None })).collect();
    let page = PullResponse { batch, page_info: PageInfo::NoMore, backend_id: "b".to_owned(), head: Some(1) };
    let page = ServerFrame::Chunk { request_id: RequestId::Number(1), values: vec![page] };
    assert_eq!(ServerFrame::decode(&page.encode(Peer::Larder), &Limits::default()), Ok(page));
}

fn of_a_server(text: &str) {
    match ServerFrame::decode(text, &Limits::default()) {
        Ok(frame) => {
            let written = frame.encode(Peer::Larder);
            assert_eq!(ServerFrame::decode(&written, &DEEPER), Ok(frame.clone()), "{written}");
            assert!(ServerFrame::decode(&frame.encode(Peer::TypeScript), &DEEPER).is_ok());
        }
        Err(error) => is_one_line(&error.to_string()),
    }
}

fn answers(text: &str) {
    if let Ok(frames) = ServerFrame::decode_answer(text, &Limits::default()) {
        let written: Vec<_> = frames.iter().map(|frame| frame.encode(Peer::Larder)).collect();
        assert_eq!(ServerFrame::decode_answer(&format!("[{}]", written.join(",")), &DEEPER), Ok(frames));
    }
}

fn urls(text: &str) {
    match Query::parse(text) {
        Ok(query) => assert_eq!(Query::parse(&query.encode()), Ok(query)),
        Err(error) => is_one_line(&error.to_string()),
    }
    match StoreId::new(text) {
        Ok(id) => assert_eq!(id.as_str(), text),
        Err(error) => is_one_line(&error.to_string()),
    }
}
