//! Places: how an event's number is packed into one rowid, and which number follows.

use crate::event::EventNumber;

const CLIENT_BITS: u32 = 24;

/// The rowid of a number: rowid order is the order of numbers. The generation is not in it.
pub(crate) fn place_of(number: EventNumber) -> i64 {
    // 39 + 24 bits: the sign stays clear.
    ((number.global() << CLIENT_BITS) | u64::from(number.client())) as i64
}

/// The number at a rowid; `None` for one that is no place.
pub(crate) fn number_at(place: i64, generation: u32) -> Option<EventNumber> {
    let place = u64::try_from(place).ok()?;
    let (global, client) = (place >> CLIENT_BITS, (place & u64::from(EventNumber::MAX_CLIENT)) as u32);
    let number = if client == 0 { EventNumber::synced(global) } else { EventNumber::client_only(global, client) };
    (place > 0).then(|| number.with_generation(generation))
}

/// The last number that a client-only event after the synced one at `global` can have: whatever is up to it is confirmed when that is.
pub(crate) fn last_of(global: u64) -> EventNumber {
    EventNumber::client_only(global, EventNumber::MAX_CLIENT)
}

/// The number of an event after `head`; `None` when there is none left.
pub(crate) fn following(head: EventNumber, client_only: bool) -> Option<EventNumber> {
    let left =
        if client_only { head.client() < EventNumber::MAX_CLIENT } else { head.global() < EventNumber::MAX_GLOBAL };
    left.then(|| head.next(client_only))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> EventNumber {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_in_the_order_of_numbers_and_read_back() {
        let all = ["e0.1", "e0.2", "e1", "e1.1", "e1.16777215", "e2r3", "e549755813887", "e549755813887.16777215"];
        let mut before = 0;
        for text in all {
            let place = place_of(number(text));
            assert!(place > before, "{text}");
            before = place;
            let back = number_at(place, number(text).generation()).unwrap();
            assert_eq!(back.to_string(), text);
        }
        assert_eq!((number_at(0, 0), number_at(-1, 0)), (None, None));
    }

    #[test]
    fn numbers_follow_until_there_are_none_left() {
        assert_eq!(following(EventNumber::ZERO, false), Some(number("e1")));
        assert_eq!(following(EventNumber::ZERO, true), Some(number("e0.1")));
        assert_eq!(following(number("e5.2"), false), Some(number("e6")));
        assert_eq!(following(number("e5.2"), true), Some(number("e5.3")));
        assert_eq!(following(number("e5r2"), false).map(|next| next.to_string()), Some("e6r2".to_owned()));
        assert_eq!(following(number("e549755813887"), false), None);
        assert_eq!(following(number("e1.16777215"), true), None);
        assert_eq!(following(number("e1.16777215"), false), Some(number("e2")));
    }
}
