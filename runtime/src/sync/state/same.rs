//! Whether an event that comes in the agreed order is the one that is pending.

use serde_json::Value;

use crate::{event::StoredEvent, seeded};

/// Whether `arrived` is `pending`, come back from the backend.
///
/// Where both have an id, that alone decides: equal ones are one event, whatever their numbers, and different ones are two, however
/// equal they look. A wire without ids leaves the number and what was committed. An event that was accepted has the number it was pushed
/// with, because a push is accepted only if it follows the backend's head.
pub(super) fn is_same(pending: &StoredEvent, arrived: &StoredEvent) -> bool {
    match (pending.id, arrived.id) {
        (Some(own), Some(other)) if !seeded::bug("ids-ignored") => own == other,
        _ => {
            pending.number == arrived.number
                && pending.client_id == arrived.client_id
                && pending.session_id == arrived.session_id
                && same_content(pending, arrived)
        }
    }
}

/// Whether two events of one session say the same.
pub(super) fn same_content(own: &StoredEvent, arrived: &StoredEvent) -> bool {
    own.name == arrived.name && same_args(own.args.as_deref(), arrived.args.as_deref())
}

/// Whether two texts are the same arguments: equal texts are, and so are texts of equal JSON.
///
/// Between larder peers the text is never encoded again. A TypeScript server parses it and writes its own: keys in another order, `1` for
/// `1.0`, an escape more or less, and `null` for arguments that are absent. To take that for a foreign event would push the own one a second
/// time, for ever twice in everybody's log. The other mistake takes two commits of one session, under one number, with one meaning, and a
/// backend that dropped one of them.
fn same_args(own: Option<&str>, arrived: Option<&str>) -> bool {
    if own == arrived {
        return true;
    }
    let parse = |text: Option<&str>| serde_json::from_str::<Value>(text.unwrap_or("null"));
    match (parse(own), parse(arrived)) {
        (Ok(own), Ok(arrived)) => same_json(&own, &arrived),
        _ => false,
    }
}

/// The parser bounds the depth.
fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        // `1` and `1.0` are one number; integers too large for a float are themselves.
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_json(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same_json(value, other)))
        }
        _ => one == other,
    }
}
