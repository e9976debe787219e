//! Client documents: a value for each id, default until it is changed, and changed field by field.

use larder::{CommitErrorKind, Document, OpenOptions, prelude::*};
use larder_tests::lab::Lab;

use crate::sync::clients::{Client, log, push_texts};

#[derive(Document, Clone, Debug, PartialEq)]
#[document(name = "view")]
pub(crate) struct View {
    filter: String,
    selected: Option<i64>,
    #[serde(rename = "cols")]
    columns: Vec<String>,
    zoom: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Default for View {
    fn default() -> Self {
        Self { filter: "open".to_owned(), selected: None, columns: vec!["title".to_owned()], zoom: 1.0, note: None }
    }
}

#[derive(Document, Clone, Debug, Default, PartialEq)]
pub(crate) struct Draft {
    text: String,
}

#[derive(Table, Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    #[table(primary_key)]
    number: i64,
}

#[derive(Event, Clone, Debug, PartialEq)]
pub(crate) enum EntryEvent {
    #[event(name = "v1.Added")]
    Added(i64),
}

macro_rules! store {
    ($store:ident $schema:ident, documents($($document:ident),+), version = $version:literal) => {
        #[derive(StoreSchema)]
        #[schema(events = EntryEvent, tables(Entry), documents($($document),+), version = $version)]
        pub(crate) struct $schema;

        #[larder::materializer]
        impl Materializer for $schema {
            fn materialize(event: &EntryEvent, _: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
                let EntryEvent::Added(number) = event;
                tables.insert(Entry { number: *number })
            }
        }

        define_store! {
            pub(crate) $store { name: "desk", schema: $schema, adapter: SqliteAdapter::persisted(), gc_time: GcTime::NEVER }
        }
    };
}

store!(Desk DeskSchema, documents(View, Draft), version = 1);

/// The same by a later version of the app, whose view is another.
mod later {
    use super::{Entry, EntryEvent};
    use larder::{Document, prelude::*};

    #[derive(Document, Clone, Debug, Default, PartialEq)]
    #[document(name = "view")]
    pub(crate) struct View {
        pub(super) filter: String,
        pub(super) selected: Vec<i64>,
        pub(super) cols: Vec<String>,
        pub(super) added: bool,
    }

    store!(Desk DeskSchema, documents(View), version = 1);
}

#[tokio::test]
async fn a_document_is_its_default_until_it_is_changed_and_reading_writes_nothing() {
    for mut lab in Lab::both() {
        let desk = lab.open::<Desk>().await;
        assert_eq!(desk.query(View::get("main")).unwrap(), View::default());
        assert_eq!(desk.query((View::get("main"), Draft::get("main"))).unwrap(), Default::default());
        let mut live = desk.subscribe(View::get("main"));
        assert_eq!(**live.next().await.unwrap().unwrap(), View::default());
        desk.update_document("main", |_: &mut View| {}).unwrap();
        assert_eq!(desk.head().to_string(), "e0", "nothing was committed");
        let receipt = desk.update_document("main", |view: &mut View| view.selected = Some(7)).unwrap();
        assert_eq!(receipt.numbers().iter().map(ToString::to_string).collect::<Vec<_>>(), ["e0.1"]);
        let changed = View { selected: Some(7), ..View::default() };
        assert_eq!(desk.query(View::get("main")).unwrap(), changed);
        assert_eq!(desk.query(View::get("other")).unwrap(), View::default());
        assert_eq!(**live.next().await.unwrap().unwrap(), changed);
    }
}

#[tokio::test]
async fn only_the_fields_that_are_others_are_in_the_event_and_changes_of_different_fields_meet() {
    let desk = Store::<Desk>::open("desk:1", OpenOptions::in_memory()).await.unwrap();
    desk.update_document("main", |view: &mut View| view.zoom = 2.5).unwrap();
    // Somebody else changes another field while this one is being changed.
    let receipt = desk.update_document("main", |view: &mut View| {
        desk.update_document("main", |view: &mut View| view.filter = "all".to_owned()).unwrap();
        view.columns.push("age".to_owned());
        view.note = Some("hm".to_owned());
    });
    receipt.unwrap();
    let view = desk.query(View::get("main")).unwrap();
    let columns = vec!["title".to_owned(), "age".to_owned()];
    assert_eq!(view, View { filter: "all".into(), selected: None, columns, zoom: 2.5, note: Some("hm".into()) });
    desk.update_document("main", |view: &mut View| view.note = None).unwrap();
    assert_eq!(desk.query(View::get("main")).unwrap().note, None);
    let mut events = desk.events(larder::EventNumber::ZERO);
    let mut texts = Vec::new();
    for _ in 0..4 {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.name, "larder.DocumentChanged");
        texts.push(event.args.unwrap());
    }
    assert_eq!(texts[0], r#"{"document":"view","id":"main","set":{"zoom":2.5}}"#);
    assert_eq!(texts[2], r#"{"document":"view","id":"main","set":{"cols":["title","age"],"note":"hm"}}"#);
    assert_eq!(texts[3], r#"{"document":"view","id":"main","set":{"note":null}}"#);
}

#[tokio::test]
async fn documents_are_there_after_a_close_and_after_a_rebuild_and_fit_a_later_struct_field_by_field() {
    let mut lab = Lab::on_disk();
    let desk = lab.open::<Desk>().await;
    desk.commit(EntryEvent::Added(1)).unwrap();
    let change = |view: &mut View| {
        (view.selected, view.filter, view.columns) = (Some(3), "mine".to_owned(), vec!["a".to_owned()]);
    };
    desk.update_document("main", change).unwrap();
    desk.update_document("draft", |draft: &mut Draft| draft.text = "x".to_owned()).unwrap();
    assert_eq!(desk.head().to_string(), "e1.2");
    assert!(desk.verify().unwrap().is_sound());
    let before = desk.query(View::get("main")).unwrap();
    drop(desk);
    lab.close().await;
    assert_eq!(lab.open::<Desk>().await.query(View::get("main")).unwrap(), before);
    lab.close().await;
    // Rebuilt from the log, with one document less and a struct of other fields.
    let desk = lab.registry().get::<later::Desk>("book:1").await.unwrap();
    let view = desk.query(later::View::get("main")).unwrap();
    let expected = later::View { filter: "mine".into(), selected: Vec::new(), cols: vec!["a".into()], added: false };
    assert_eq!(view, expected);
    drop(desk);
    lab.close().await;
    // And back: nothing is lost.
    let desk = lab.open::<Desk>().await;
    assert_eq!(desk.query(View::get("main")).unwrap(), before);
    assert_eq!(desk.query(Draft::get("draft")).unwrap().text, "x");
}

#[tokio::test]
async fn a_store_of_nothing_but_documents_of_an_earlier_release_opens_with_the_defaults_of_this_one() {
    let mut lab = Lab::on_disk();
    let desk = lab.open::<Desk>().await;
    desk.update_document("draft", |draft: &mut Draft| draft.text = "x".to_owned()).unwrap();
    drop(desk);
    lab.close().await;
    let desk = lab.registry().get::<later::Desk>("book:1").await.unwrap();
    assert_eq!(desk.query(later::View::get("main")).unwrap(), later::View::default());
    drop(desk);
    lab.close().await;
    assert_eq!(lab.open::<Desk>().await.query(Draft::get("draft")).unwrap().text, "x", "nothing is lost");
}

#[tokio::test]
async fn a_change_that_is_refused_comes_back_and_changes_nothing() {
    let desk = Store::<Desk>::open("desk:1", OpenOptions::in_memory()).await.unwrap();
    let refused = desk.update_document("main", |view: &mut View| view.zoom = f64::NAN).unwrap_err();
    assert!(matches!(refused.kind(), CommitErrorKind::Encode { .. }), "{refused}");
    assert!(refused.into_events()[0].zoom.is_nan());
    let long = "x".repeat(300_000);
    let refused = desk.update_document("main", |draft: &mut Draft| draft.text = long).unwrap_err();
    assert!(matches!(refused.kind(), CommitErrorKind::EventTooLarge { .. }), "{refused}");
    assert_eq!(desk.query(View::get("main")).unwrap(), View::default());
    let other = desk.clone();
    desk.close().await.unwrap();
    let refused = other.update_document("main", |view: &mut View| view.selected = Some(1)).unwrap_err();
    assert!(matches!(refused.kind(), CommitErrorKind::Store(_)), "{refused}");
}

#[tokio::test]
async fn threads_that_change_different_fields_lose_none() {
    let desk = Store::<Desk>::open("desk:1", OpenOptions::in_memory()).await.unwrap();
    std::thread::scope(|scope| {
        for number in 1..=200_i64 {
            scope.spawn({
                let desk = &desk;
                move || {
                    if number % 2 == 0 {
                        desk.update_document("main", |view: &mut View| view.selected = Some(number)).unwrap();
                    } else {
                        desk.update_document("main", |view: &mut View| view.zoom = number as f64 + 0.5).unwrap();
                    }
                }
            });
        }
    });
    let view = desk.query(View::get("main")).unwrap();
    assert!(view.selected.is_some() && view.zoom > 1.0, "{view:?}");
    assert_eq!(view.filter, "open");
}

#[tokio::test]
async fn nobody_else_changes_a_document_of_this_client() {
    for client in Client::both() {
        let desk = client.open::<Desk>().await;
        desk.update_document("main", |view: &mut View| view.filter = "mine".to_owned()).unwrap();
        let forged = r#"{"document":"view","id":"main","set":{"filter":"theirs"}}"#.to_owned();
        push_texts(&client.backend, vec![("larder.DocumentChanged", Some(forged))]).await;
        client.sync_once().await;
        assert_eq!(desk.query(View::get("main")).unwrap().filter, "mine");
        assert_eq!(log(&desk), "e0.1 e1");
        assert!(desk.verify().unwrap().is_sound());
    }
}
