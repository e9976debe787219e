//! Tables after any rebase are those that the log makes: random events of two sides, in pages of random length.

use std::sync::Arc;

use larder::{LocalBackend, StoreHandle};
use proptest::prelude::*;

use super::clients::{Client, STORE, push_foreign};
use crate::{
    board::{BoardEvent, BoardStore, Card, Remark},
    kept_changes::any_event,
};

/// What happens in a history.
#[derive(Clone, Debug)]
enum Step {
    /// The client commits.
    Own(Vec<BoardEvent>),
    /// Others push.
    Foreign(Vec<BoardEvent>),
    /// The client is connected for a while.
    Sync,
    /// It restarts, if it is stored.
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let events = || prop::collection::vec(any_event(), 1..5);
    prop_oneof![
        5 => events().prop_map(Step::Own),
        4 => events().prop_map(Step::Foreign),
        2 => Just(Step::Sync),
        1 => Just(Step::Restart),
    ]
}

async fn run(steps: Vec<Step>, in_files: bool, listened: bool) {
    let backend = LocalBackend::new("local");
    backend.set_connected(false);
    let client = Client::new(&backend, in_files);
    let mut store = client.open::<BoardStore>().await;
    let (mut committed, mut last) = (0, [Vec::new(), Vec::new()]);
    let cards = || Card::all().order_by(Card::NUMBER.asc());
    let lives = |store: &StoreHandle<BoardStore>| [store.subscribe(cards()), store.subscribe(cards().limit(2))];
    let mut live = listened.then(|| lives(&store));
    for step in steps.into_iter().chain([Step::Sync]) {
        match step {
            Step::Own(events) => committed += events.len() * usize::from(store.commit(events).is_ok()),
            Step::Foreign(events) => push_foreign(&backend, &events).await,
            Step::Sync => {
                client.sync_once().await;
                assert_eq!(store.sync_status().pending, 0, "{:?}", store.sync_status());
            }
            Step::Restart if !in_files => {}
            Step::Restart => {
                drop((live.take(), store));
                client.evict::<BoardStore>(STORE).await.unwrap();
                store = client.open::<BoardStore>().await;
                live = listened.then(|| lives(&store));
            }
        }
        let report = store.verify().unwrap();
        assert!(report.is_sound(), "{report:?}");
        for (live, rows) in live.iter_mut().flatten().zip([usize::MAX, 2]) {
            let fresh: Vec<_> = store.query(cards()).unwrap().into_iter().take(rows).collect();
            let last = &mut last[usize::from(rows == 2)];
            let shown = larder_tests::lab::poll_once(&mut std::pin::pin!(live.next())).await;
            if let Some(shown) = shown {
                *last = shown.unwrap().unwrap().to_vec();
            }
            assert_eq!(*last, fresh);
        }
    }
    // Nothing is lost: what is not in the agreed log is quarantined here.
    let quarantined = store.quarantined_events().unwrap().len();
    let own = backend.events(STORE).iter().filter(|event| event.client_id != "another".into()).count();
    assert_eq!(own + quarantined, committed);
    let log = store.log_numbers().unwrap();
    assert_eq!(log.confirmed().len(), backend.events(STORE).len());
    // A client that has seen nothing of it has the same tables.
    let late = Client::new(&backend.another(), false);
    let fresh = late.open::<BoardStore>().await;
    late.sync().await;
    assert_eq!(fresh.query(cards()).unwrap(), store.query(cards()).unwrap());
    let remarks = || Remark::all().order_by((Remark::CARD.asc(), Remark::AT.asc()));
    assert_eq!(fresh.query(remarks()).unwrap(), store.query(remarks()).unwrap());
    assert_eq!(fresh.failed_events().unwrap().len(), store.failed_events().unwrap().len());
    drop(Arc::clone(&backend));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_every_rebase_the_tables_are_those_that_the_log_makes_and_nothing_is_lost(
        steps in prop::collection::vec(any_step(), 1..14),
        in_files in any::<bool>(),
        listened in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps, in_files, listened));
    }
}
