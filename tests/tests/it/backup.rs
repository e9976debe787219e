//! Backups of a store, and stores restored from them.

use std::fs;

use larder::prelude::*;
use larder_tests::{
    lab::Lab,
    notebook::{Note, Notebook, note, written},
};

#[tokio::test]
async fn a_store_restored_from_a_backup_opens_with_what_was_there_at_the_backup() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<Notebook>().await;
    store.commit([written(1), written(2)]).unwrap();
    let copy = lab.beside("copy.db");
    store.backup(&copy).unwrap();
    store.commit(written(3)).unwrap();
    drop(store);
    lab.close().await;
    fs::copy(&copy, lab.store_file("notebook")).unwrap();
    let store = lab.open::<Notebook>().await;
    assert_eq!(store.query(Note::all()).unwrap(), [note(1), note(2)]);
    assert_eq!(store.commit(written(9)).unwrap().last(), Some("e3".parse().unwrap()));
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn a_backup_goes_into_a_new_file_and_not_over_another() {
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        store.commit(written(1)).unwrap();
        let copy = lab.beside("copy.db");
        store.backup(&copy).unwrap();
        assert!(store.backup(&copy).unwrap_err().to_string().contains("exists already"));
        store.commit(written(2)).unwrap();
    }
}
