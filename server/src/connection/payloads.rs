//! Who asks, as the requests of a connection say it: kept once, however many of them say the same.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use larder_wire::Payload;
use serde_json::Value;

/// The longest payload of a request, a URL or a header, in bytes of JSON.
const LONGEST: usize = 16 * 1024;

/// Bytes of memory that all payloads of a connection may take.
const ALL: usize = 4 * 1024 * 1024;

/// Payloads after which those that no request has any more are looked for.
const MANY: usize = 1024;

#[derive(Default)]
pub(super) struct Payloads {
    /// By their hashes.
    known: BTreeMap<[u8; 32], Known>,
    bytes: usize,
}

struct Known {
    payload: Weak<Payload>,
    bytes: usize,
}

/// A payload as JSON; what to say where it is too long.
pub(crate) fn bounded(payload: &Payload) -> Result<String, String> {
    let text = payload.0.to_string();
    match text.len() > LONGEST {
        true => Err(format!("the payload has {} bytes, at most {LONGEST} are taken; send a token alone", text.len())),
        false => Ok(text),
    }
}

impl Payloads {
    /// Keeps a payload for as long as somebody has it; what to say where it is too much.
    pub(super) fn keep(&mut self, payload: Payload) -> Result<Arc<Payload>, String> {
        let text = bounded(&payload)?;
        let hash = *blake3::hash(text.as_bytes()).as_bytes();
        if let Some(known) = self.known.get(&hash).and_then(|known| known.payload.upgrade()) {
            return Ok(known);
        }
        let bytes = size(&payload.0);
        if self.bytes + bytes > ALL || self.known.len() >= MANY {
            self.known.retain(|_, known| known.payload.strong_count() > 0);
            self.bytes = self.known.values().map(|known| known.bytes).sum();
        }
        if self.bytes + bytes > ALL {
            return Err("the requests of this connection have too many different payloads; open another".to_owned());
        }
        let payload = Arc::new(payload);
        let known = Known { payload: Arc::downgrade(&payload), bytes };
        let before = self.known.insert(hash, known).map_or(0, |before| before.bytes);
        self.bytes = self.bytes - before + bytes;
        Ok(payload)
    }
}

/// About how many bytes of memory a value takes. It is no deeper than messages may be.
fn size(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| 64 + name.len() + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    64 + inside
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_payloads_are_kept_once_and_those_that_nobody_has_count_for_nothing() {
        let mut payloads = Payloads::default();
        let token = |number: usize| Payload(json!({ "authToken": format!("{number}{}", "x".repeat(10_000)) }));
        let first = payloads.keep(token(0)).expect("kept");
        assert!(Arc::ptr_eq(&first, &payloads.keep(token(0)).expect("kept")));
        for number in 1..10_000 {
            payloads.keep(token(number)).expect("nobody has those before it any more");
        }
        let mut kept = Vec::new();
        let refused = (0..10_000).find_map(|number| payloads.keep(token(number)).map(|one| kept.push(one)).err());
        assert!(refused.expect("too many").contains("too many different payloads"));
        assert!((300..500).contains(&kept.len()), "{}", kept.len());
        drop(kept);
        payloads.keep(token(1)).expect("there is room again");
    }
}
