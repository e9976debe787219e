//! The fourteen rules.

use super::support::*;

#[tokio::test]
async fn rule_01_one_load_however_many_ask() {
    let bench = Bench::new();
    let gets: Vec<_> = (0..10).map(|_| bench.registry.get::<NoteStore>("note:1")).collect();
    let handles = futures_util::future::join_all(gets).await;
    assert!(handles.iter().all(Result::is_ok));
    assert_eq!(bench.log.take(), ["loading note/note:1", "loaded note/note:1"]);
    let handles: Vec<_> = handles.into_iter().map(Result::unwrap).collect();
    handles[0].commit(written(1)).unwrap();
    assert_eq!(handles[9].query(Note::all()).unwrap().len(), 1);
    assert_eq!(bench.stats("note", "note:1").observers, 10);
    drop(handles);
    assert_eq!(bench.deadline("note", "note:1"), Some(60));
    bench.advance(60).await;
    assert!(!bench.registry.has::<NoteStore>("note:1"));
}
use larder::prelude::*;
