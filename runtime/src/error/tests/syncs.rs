//! Errors of sync.

use super::*;
use crate::error::SyncError;

#[test]
fn sync_errors() {
    let evicted = StoreError::Evicted { store: store() };
    let quarantined =
        SyncError::Quarantined { store: store(), number: "e4r1".parse().unwrap(), reason: "no room".to_owned() };
    let (reason, message) = ("no route".to_owned(), "no route".to_owned());
    let (event, number) = ("v9.Later".to_owned(), "e7".parse().unwrap());
    let syncs: [Case<SyncError>; 9] = [
        (SyncError::Offline { store: store(), reason: reason.clone() }, &["no route"], "again"),
        (SyncError::Unauthorized { store: store(), reason }, &["no route"], "sync_payload"),
        (SyncError::Backend { store: store(), message }, &["no route"], "again"),
        (
            SyncError::BackendIdMismatch { store: store(), expected: "one".to_owned(), found: "two".to_owned() },
            &["one", "two"],
            "bring the old log back",
        ),
        (SyncError::BackendRolledBack { store: store(), confirmed: 9, head: 4 }, &["e9", "e4"], "new id"),
        (SyncError::UnknownEvent { store: store(), event, number }, &["e7", "v9.Later"], "update"),
        (quarantined, &["e4r1", "no room"], "commit"),
        (SyncError::Store(evicted), &["evicted"], "again"),
        (SyncError::NotConfigured { store: store() }, &["no sync backend"], "set `sync`"),
    ];
    check(syncs, identity);
}
