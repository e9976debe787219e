//! What a materializer knows of an event beside its payload: the same at the commit, at a rebuild and for `verify`.

use larder::{ClientId, EventNumber, SessionId, prelude::*};
use larder_tests::{
    forge::{self, Forged},
    lab::Lab,
};

use crate::sync::clients::{Client, push_foreign};

/// What a materializer was told.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "told")]
struct Told {
    #[table(primary_key)]
    key: i64,
    number: String,
    generation: u32,
    client: String,
    session: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum ToldEvent {
    #[event(name = "v1.Asked")]
    Asked(i64),
    #[event(name = "v1.AskedHere", client_only)]
    AskedHere(i64),
}

#[derive(StoreSchema)]
#[schema(events = ToldEvent, tables(Told), version = 1)]
struct ToldSchema;

#[larder::materializer]
impl Materializer for ToldSchema {
    fn materialize(event: &ToldEvent, about: &EventContext, tables: &mut Tables<'_, Self>) -> MaterializeResult {
        let (ToldEvent::Asked(key) | ToldEvent::AskedHere(key)) = event;
        tables.insert(Told {
            key: *key,
            number: about.number().to_string(),
            generation: about.number().generation(),
            client: about.client_id().to_string(),
            session: about.session_id().to_string(),
        })
    }
}

define_store! {
    /// What materializers are told.
    ToldStore { name: "told", schema: ToldSchema, adapter: SqliteAdapter::persisted() }
}

fn told(key: i64, number: &str, client: &ClientId, session: &SessionId) -> Told {
    Told { key, number: number.to_owned(), generation: 0, client: client.to_string(), session: session.to_string() }
}

#[tokio::test]
async fn a_materializer_is_told_number_client_and_session_alike_at_the_commit_and_at_a_rebuild() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<ToldStore>().await;
    let registry = lab.registry();
    let (client, session) = (registry.client_id().clone(), registry.session_id().clone());
    store.commit([ToldEvent::Asked(1), ToldEvent::AskedHere(2)]).unwrap();
    store.commit(ToldEvent::Asked(3)).unwrap();
    let rows = [(1, "e1"), (2, "e1.1"), (3, "e2")].map(|(key, number)| told(key, number, &client, &session));
    assert_eq!(store.query(Told::all()).unwrap(), rows);
    assert!(store.verify().unwrap().is_sound());
    drop(store);
    lab.close().await;
    forge::forget_tables(&lab.sqlite("told"));
    let store = lab.open::<ToldStore>().await;
    assert!(store.migrations_report().rebuilt());
    assert_eq!(store.query(Told::all()).unwrap(), rows);
}

#[tokio::test]
async fn at_a_rebuild_a_materializer_is_told_who_committed_and_not_who_rebuilds() {
    let mut lab = Lab::on_disk();
    let store = lab.open::<ToldStore>().await;
    let (client, session) = (lab.registry().client_id().clone(), lab.registry().session_id().clone());
    store.commit(ToldEvent::Asked(1)).unwrap();
    drop(store);
    lab.close().await;
    forge::append(&lab.store_file("told"), &[Forged::new("v1.Asked", "2")]);
    let store = lab.open::<ToldStore>().await;
    assert!(store.migrations_report().rebuilt());
    let forged = told(2, "e2", &forge::FORGER.into(), &forge::SESSION.into());
    assert_eq!(store.query(Told::all()).unwrap(), [told(1, "e1", &client, &session), forged]);
    assert!(store.verify().unwrap().is_sound());
}

#[tokio::test]
async fn in_memory_a_materializer_is_told_the_same() {
    let mut lab = Lab::in_memory();
    let store = lab.open::<ToldStore>().await;
    let (client, session) = (lab.registry().client_id().clone(), lab.registry().session_id().clone());
    store.commit(ToldEvent::Asked(1)).unwrap();
    assert_eq!(store.query(Told::all()).unwrap(), [told(1, "e1", &client, &session)]);
}

#[test]
fn the_number_that_a_materializer_is_told_has_no_generation() {
    let about = EventContext::new(EventNumber::synced(7).with_generation(3), "client".into(), "session".into());
    assert_eq!((about.number(), about.number().generation()), (EventNumber::synced(7), 0));
}

#[tokio::test]
async fn behind_a_rebase_a_materializer_is_told_the_number_that_every_client_sees() {
    for client in Client::both() {
        let store = client.open::<ToldStore>().await;
        store.commit([ToldEvent::Asked(1), ToldEvent::AskedHere(2), ToldEvent::Asked(3)]).unwrap();
        push_foreign(&client.backend, &[ToldEvent::Asked(9)]).await;
        client.sync_once().await;
        let (own, session) = (client.client_id().clone(), client.session_id().clone());
        let mut rows: Vec<_> =
            [(1, "e2"), (2, "e2.1"), (3, "e3")].map(|(key, number)| told(key, number, &own, &session)).into();
        rows.push(told(9, "e1", &"another".into(), &"its session".into()));
        assert_eq!(store.query(Told::all().order_by(Told::KEY.asc())).unwrap(), rows);
        assert_eq!(store.log_numbers().unwrap().to_string(), "e1 e2r1 e2.1r1 e3r1");
    }
}
