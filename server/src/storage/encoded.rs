//! How large events are on the wire, where JSON writes some bytes as six. Pages are cut by that, so that every page fits a message.

use std::sync::Arc;

use larder_wire::{Event, PulledEvent};

use super::PageSize;

/// What stands around the texts of one event, its numbers and its id included: never more.
const AROUND_EVENT: usize = 320;

/// What stands around the events of a page, the request's id and the log's identity included: never more.
pub(crate) const AROUND_PAGE: usize = 4 * 1024;

/// Bytes of an event in a page, or a few more.
pub(crate) fn encoded_size(event: &Event) -> usize {
    let args = event.args_text().map_or(0, str::len);
    let texts = [&event.name, &event.client_id, &event.session_id];
    texts.into_iter().map(|text| in_json(text)).fold(args.saturating_add(AROUND_EVENT), usize::saturating_add)
}

/// Bytes of a text in JSON, without its quotes.
fn in_json(text: &str) -> usize {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..=31 => 6,
        _ => 1,
    };
    text.bytes().map(byte).sum()
}

/// As many events as fit a page, and at least one.
pub(crate) fn take_page(events: impl Iterator<Item = Arc<PulledEvent>>, size: PageSize) -> Vec<Arc<PulledEvent>> {
    let mut bytes = 0_usize;
    let fits = |pulled: &Arc<PulledEvent>| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(encoded_size(&pulled.event));
        first || bytes <= size.bytes
    };
    events.take(size.events.max(1)).take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use larder_wire::{EventId, Limits, Metadata, PageInfo, Peer, PullResponse, RequestId, ServerFrame};
    use serde_json::value::RawValue;

    use super::*;

    fn event(text: &str, args: Option<String>) -> Event {
        Event {
            name: text.to_owned(),
            args: args.map(|args| RawValue::from_string(args).expect("JSON")),
            seq_num: u64::MAX,
            parent_seq_num: u64::MAX,
            client_id: text.to_owned(),
            session_id: text.to_owned(),
            id: Some(EventId([0xff; 16])),
        }
    }

    /// A page in its frame, with the longest of all that is around the events.
    fn encoded(events: Vec<Event>) -> usize {
        let stamped = |event| {
            let metadata = Some(Metadata { created_at: crate::clock::iso(0) });
            Arc::new(PulledEvent { event, metadata })
        };
        let page = PullResponse {
            batch: events.into_iter().map(stamped).collect(),
            page_info: PageInfo::MoreKnown { remaining: u64::MAX },
            backend_id: "b".repeat(1024),
            head: Some(u64::MAX),
        };
        let request_id = RequestId::Text("\u{1}".repeat(Limits::REQUEST_ID_BYTES));
        ServerFrame::Chunk { request_id, values: vec![page] }.encode(Peer::Larder).len()
    }

    #[test]
    fn no_event_is_larger_than_it_is_said_to_be_and_hardly_smaller() {
        let all: String = (0..=0x2ff_u32).filter_map(char::from_u32).collect();
        for text in ["", "v1.Noted", "\u{1}\u{1f}\u{7f}", "\"\\\n\r\t\u{8}\u{c}/", all.as_str()] {
            for args in [None, Some("{\"a\": \"\\u0001\"}".to_owned())] {
                let event = event(text, args);
                let (said, none) = (encoded_size(&event), encoded(Vec::new()));
                // A comma stands between two.
                let is = encoded(vec![event]) - none + 1;
                assert!(said >= is && said - is < 100, "{text:?}: {said} {is}");
            }
        }
        assert!(encoded(Vec::new()) <= AROUND_PAGE);
    }

    #[test]
    fn an_event_fits_a_message_even_where_json_writes_each_of_its_bytes_as_six() {
        let third = Limits::EVENT_BYTES / 3;
        let event = event(&"\u{1}".repeat(third), None);
        assert!(event.size() + 2 >= Limits::EVENT_BYTES);
        assert!(encoded_size(&event) + AROUND_PAGE <= Limits::MESSAGE_BYTES);
        assert!(encoded(vec![event]) <= Limits::MESSAGE_BYTES);
    }
}
