//! What a new reader is told of a log, whatever is told late.

use larder_wire::Event;

use super::*;
use crate::storage::MemoryStorage;

fn event(number: u64) -> Event {
    Event {
        name: "n".to_owned(),
        args: None,
        seq_num: number,
        parent_seq_num: number - 1,
        client_id: "c".to_owned(),
        session_id: "s".to_owned(),
        id: None,
    }
}

#[tokio::test]
async fn what_was_appended_before_anybody_followed_is_in_the_first_page_however_late_the_push_before_it_is_told() {
    let storage = Arc::new(MemoryStorage::new());
    let hub = Hub::new(storage.clone(), Arc::default());
    let store = StoreId::new("a").expect("an id");
    let mut appended = Vec::new();
    for number in 1..=7 {
        let append = Append::new(store.clone(), number - 1, 0, vec![event(number)]);
        appended.push(append.batch.clone());
        storage.append(append).await.expect("appended");
    }
    // Two pushes end at once: the later one is told first, when nobody follows.
    hub.publish(&store, 7, &appended[6], 10);
    hub.follow(&store, &Arc::default());
    hub.publish(&store, 6, &appended[5], 10);
    let size = PageSize { events: 100, bytes: 1 << 20 };
    for after in [5, 6] {
        let Pulled::Page { page, .. } = hub.clone().pull(store.clone(), None, after, size).await else {
            panic!("it is there")
        };
        let numbers: Vec<_> = page.events.iter().map(|pulled| pulled.event.seq_num).collect();
        assert_eq!((numbers, page.head), ((after + 1..=7).collect(), 7), "after {after}");
    }
    assert!(hub.recent(&store, 5, size).is_none(), "a read is not taken back by what is told late");
    let append = Append::new(store.clone(), 7, 0, vec![event(8)]);
    let batch = append.batch.clone();
    storage.append(append).await.expect("appended");
    hub.publish(&store, 8, &batch, 10);
    assert_eq!(hub.recent(&store, 7, size).map(|page| page.head), Some(8), "what comes now is at hand");
}
