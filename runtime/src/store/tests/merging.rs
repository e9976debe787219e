//! What is taken over of which log.

use super::*;
use crate::{
    event::{EventId, EventNumber, StoredEvent},
    store::{MergeError, Upstream},
    sync::processor::Accepted,
};

fn foreign(global: u64) -> StoredEvent {
    foreign_note(global, global)
}

/// What another client has pushed.
pub(super) fn foreign_note(global: u64, note: u64) -> StoredEvent {
    StoredEvent {
        number: EventNumber::synced(global),
        name: "v1.NoteWritten".to_owned(),
        args: Some(format!(r#"{{"number":{note},"text":"theirs"}}"#)),
        client_id: "another".into(),
        session_id: "session".into(),
        id: Some(EventId(0xf000 + u128::from(global))),
    }
}

#[test]
fn nothing_is_taken_over_of_another_log_than_that_of_the_confirmed_events() {
    for (place, _dir) in places() {
        let (store, _host) = open(&place);
        store.commit(note(100, 10)).unwrap();
        store.engine.merge(&[foreign(1)], Upstream::of("one")).unwrap();
        let before = (store.head(), store.engine.confirmed());
        assert_eq!((before.0.to_string().as_str(), before.1), ("e2r1", 1));
        // A page that was asked for before the store knew of a log.
        let refused = store.engine.merge(&[foreign(1), foreign(2)], Upstream::of("two")).unwrap_err();
        assert!(
            matches!(&refused, MergeError::OtherBackend { expected, found } if expected == "one" && found == "two")
        );
        let rebases = store.engine.unsent(None, 9).unwrap().rebases;
        let accepted = |backend_id: &str| Accepted { head: 2, rebases, backend_id: backend_id.to_owned() };
        assert!(matches!(store.engine.confirm(&accepted("two")), Err(MergeError::OtherBackend { .. })));
        assert_eq!((store.head(), store.engine.confirmed()), before);
        assert!(store.engine.confirm(&accepted("one")).unwrap());
        assert_eq!(store.engine.confirmed(), 2);
    }
}
