//! Decoding of events, ids and numbers.

use larder::{Event, EventNumber, StoreId, StoreKey};
use larder_tests::vault::VaultEvent;

/// The names: each event's, an old one, and one that nobody has.
const NAMES: &[&str] = &[
    "v1.ThingKept",
    "v1.ThingNoted",
    "v1.ThingRenamed",
    "v1.ThingThrownAway",
    "v1.NumbersKept",
    "v1.VaultEmptied",
    "v2.Shaped",
    "v1.Shaped",
    "v3.Pair",
    "v9.Unknown",
];

mod shaped {
    use std::collections::BTreeMap;

    use larder::{prelude::*, serde::Deserialize};

    /// Payloads of every shape that the derive knows, and an upcaster.
    #[derive(Event, Clone, Debug, PartialEq)]
    pub(super) enum ShapedEvent {
        #[event(name = "v2.Shaped", from("v1.Shaped" = upgrade))]
        Shaped {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            maybe: Option<String>,
            list: Vec<(i64, char)>,
            #[serde(flatten)]
            more: BTreeMap<String, serde_json::Value>,
        },
        #[event(name = "v3.Pair")]
        Pair(Option<(u8, bool)>),
    }

    #[derive(Deserialize)]
    #[serde(crate = "larder::serde")]
    struct Old {
        count: u8,
    }

    fn upgrade(old: Old) -> Result<ShapedEvent, String> {
        if old.count > 100 {
            return Err(format!("{} is too many", old.count));
        }
        Ok(ShapedEvent::Shaped { maybe: None, list: vec![(old.count.into(), 'x')], more: BTreeMap::new() })
    }

    #[derive(StoreKey, Clone, Debug, PartialEq)]
    #[store_key("a:{text}:b-{number}:c:{id}")]
    pub(super) struct Key {
        pub(super) text: String,
        pub(super) number: i64,
        pub(super) id: Uuid,
    }
}

/// The first byte chooses the event, the second whether there are arguments; the rest is their text.
pub fn run(data: &[u8]) {
    let [choice, present, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let args = (present % 8 != 0).then_some(text);
    reads_back::<VaultEvent>(name, args);
    reads_back::<shaped::ShapedEvent>(name, args);
    ids(text);
    if let Ok(number) = text.parse::<EventNumber>() {
        assert_eq!(number.to_string(), text);
    }
}

/// What was decoded has a text that decodes as the same.
fn reads_back<E: Event + PartialEq + std::fmt::Debug>(name: &str, args: Option<&str>) {
    let Ok(Some(event)) = E::decode(name, args).inspect_err(|error| is_one_line(&error.to_string())) else { return };
    // A float beyond an `f32` has become infinite, and a text may be deeper than larder writes one.
    let Ok(encoded) = event.encode() else { return };
    let info = &E::EVENTS[event.index()];
    assert_eq!(E::decode(info.name, encoded.as_deref()).expect("what was encoded decodes"), Some(event), "{args:?}");
}

fn ids(text: &str) {
    match text.parse::<StoreId>() {
        Ok(id) => {
            assert_eq!(id.as_str(), text);
            if let Ok(key) = shaped::Key::from_store_id(&id) {
                assert_eq!(key.store_id(), Ok(id));
            }
        }
        Err(error) => is_one_line(&error.to_string()),
    }
    if let Ok(id) = StoreId::from_parts(["x", text]) {
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        let key = shaped::Key { text: text.to_owned(), number: -1, id: larder::Uuid::max() };
        if let Ok(id) = key.store_id() {
            assert_eq!(shaped::Key::from_store_id(&id), Ok(key));
        }
    }
}

pub(crate) fn is_one_line(message: &str) {
    assert!(!message.chars().any(char::is_control) && message.len() < 4_000, "{message:?}");
}
