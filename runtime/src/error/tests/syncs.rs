//! Errors of sync.

use super::*;
use crate::{
    error::SyncError,
    sync::{BackendError, Refusal},
};

#[test]
fn sync_errors() {
    let evicted = StoreError::Evicted { store: store() };
    let quarantined =
        SyncError::Quarantined { store: store(), number: "e4r1".parse().unwrap(), reason: "no room".to_owned() };
    let (reason, message) = ("no route".to_owned(), "no route".to_owned());
    let (event, number) = ("v9.Later".to_owned(), "e7".parse().unwrap());
    let refused = |refusal| SyncError::Refused { store: store(), refusal, reason: "4 MiB".to_owned() };
    let syncs: [Case<SyncError>; 10] = [
        (SyncError::Offline { store: store(), reason: reason.clone() }, &["no route"], "again"),
        (SyncError::Unauthorized { store: store(), reason }, &["no route"], "sync_payload"),
        (refused(Refusal::TooFast), &["4 MiB", "too fast"], "after a pause"),
        (SyncError::Backend { store: store(), message }, &["no route"], "again"),
        (
            SyncError::BackendIdMismatch { store: store(), expected: "one".to_owned(), found: "two".to_owned() },
            &["one", "two", "OnBackendChange::Ignore", "OnBackendChange::Reset"],
            "bring the old log back",
        ),
        (SyncError::BackendRolledBack { store: store(), confirmed: 9, head: 4 }, &["e9", "e4"], "new id"),
        (SyncError::UnknownEvent { store: store(), event, number }, &["e7", "v9.Later"], "update"),
        (quarantined, &["e4r1", "no room"], "commit"),
        (SyncError::Store(evicted), &["evicted"], "again"),
        (SyncError::NotConfigured { store: store() }, &["no sync backend"], "set `sync`"),
    ];
    check(syncs, identity);
    for (refusal, what, remedy) in [
        (Refusal::TooLarge, "is beyond its limits", "raise the server's limits"),
        (Refusal::Invalid, "takes for invalid", "the events stay"),
    ] {
        let message = refused(refusal).to_string();
        assert!(["4 MiB", what, remedy].iter().all(|text| message.contains(text)), "{message}");
    }
}

#[test]
fn what_a_backend_says_is_one_line_of_a_message_however_much_it_says() {
    let said = || "no\n\u{1b}[31m\u{9b}".repeat(1_000);
    let number = "e7".parse().unwrap();
    let of_store = [
        SyncError::Quarantined { store: store(), number, reason: said() },
        SyncError::Offline { store: store(), reason: said() },
        SyncError::Unauthorized { store: store(), reason: said() },
        SyncError::Refused { store: store(), refusal: Refusal::Invalid, reason: said() },
        SyncError::Backend { store: store(), message: said() },
        SyncError::BackendIdMismatch { store: store(), expected: said(), found: said() },
        SyncError::UnknownEvent { store: store(), event: said(), number },
    ];
    let of_backend = [
        BackendError::Offline { reason: said() },
        BackendError::Unauthorized { reason: said() },
        BackendError::Refused { refusal: Refusal::Invalid, reason: said() },
        BackendError::OtherBackend { backend_id: said() },
    ];
    let messages = of_store.map(|error| error.to_string()).into_iter().chain(of_backend.map(|error| error.to_string()));
    for message in messages {
        assert!(!message.contains(char::is_control) && message.len() < 4_000, "{message:?}");
    }
}
