//! What the receipt of a commit says when its events are moved, quarantined or taken for unconfirmed again.

use futures_util::FutureExt;

use super::{merging::foreign_note, *};
use crate::{LocalBackend, Receipt, SyncError, store::Upstream, sync::processor::Accepted};

fn open_synced(place: &Place) -> Store<NoteStore> {
    let host = Arc::new(Ears::default());
    let options = StoreOptions::new().sync(LocalBackend::new("local"));
    let (engine, _) = Engine::open(request_with(options, place, &host, &Arc::new(ReaderPool::new(4)))).unwrap();
    Store::new(engine)
}

/// What it says now, if anything.
fn told(receipt: &Receipt) -> Option<Result<(), SyncError>> {
    receipt.confirmed().now_or_never()
}

#[test]
fn a_commit_that_is_quarantined_takes_no_receipt_of_another_along() {
    for (place, _dir) in places() {
        let store = open_synced(&place);
        let kept = store.commit(note(1, 10)).unwrap();
        let refused = store.commit(note(2, 10)).unwrap();
        // The one that is kept comes to stand where the other one was.
        store.engine.merge(&[foreign_note(1, 2)], Upstream::of("one")).unwrap();
        assert!(matches!(told(&refused), Some(Err(SyncError::Quarantined { .. }))));
        assert_eq!(store.head().to_string(), "e2r1");
        store.engine.merge(&[foreign_note(2, 3)], Upstream::of("one")).unwrap();
        assert_eq!(store.head().to_string(), "e3r2");
        assert!(told(&kept).is_none(), "it is pending");
        assert!(matches!(told(&refused), Some(Err(SyncError::Quarantined { .. }))));
    }
}

#[test]
fn a_receipt_that_was_confirmed_is_confirmed_whatever_becomes_of_the_backend_s_log() {
    for (place, _dir) in places() {
        let store = open_synced(&place);
        let receipt = store.commit(note(1, 10)).unwrap();
        let rebases = store.engine.unsent(None, 9).unwrap().rebases;
        let accepted = Accepted { head: 1, rebases, backend_id: "one".to_owned() };
        assert!(store.engine.confirm(&accepted).unwrap());
        for resend_own in [true, false] {
            store.engine.begin_anew(resend_own, "two").unwrap();
            assert!(matches!(told(&receipt), Some(Ok(()))), "{resend_own}");
        }
    }
}

#[test]
fn a_receipt_says_nothing_of_an_event_in_front_of_it_that_is_nobody_s() {
    for (place, _dir) in places() {
        let store = open_synced(&place);
        drop(store.commit(note(1, 10)).unwrap());
        let kept = store.commit(note(2, 10)).unwrap();
        store.engine.merge(&[foreign_note(1, 11), foreign_note(2, 12)], Upstream::of("one")).unwrap();
        assert_eq!(store.head().to_string(), "e4r1");
        // The one in front is quarantined, and stands behind the place that the other one had first.
        store.engine.merge(&[foreign_note(3, 1)], Upstream::of("one")).unwrap();
        assert_eq!((store.head().to_string(), store.quarantined_events().unwrap().len()), ("e4r2".to_owned(), 1));
        assert!(told(&kept).is_none(), "it is pending");
    }
}
