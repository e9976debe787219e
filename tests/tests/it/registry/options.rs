//! Options: the three layers, what a loaded store takes on, environments.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use larder::{
    Attributes, Durability, Environment, InitialSync, LoadError, OnBackendChange, Payload, StoreOptions, UnknownEvents,
    prelude::*,
};

use super::{
    fake::{Fake, synced},
    support::*,
    telemetry,
};

larder::define_store! {
    /// Every option that a definition may set.
    pub(crate) FullStore {
        name: "full",
        schema: NoteSchema,
        adapter: SqliteAdapter::persisted(),
        gc_time: GcTime::seconds(20),
        durability: Durability::Power,
        unknown_events: UnknownEvents::Ignore,
        max_event_bytes: 1_000,
        max_commit_events: 2,
        sync_payload: Payload::new().with("tenant", "acme"),
        attributes: Attributes::new().with("team", "core"),
        initial_sync: InitialSync::Skip,
        on_backend_change: OnBackendChange::Ignore,
    }
}

#[tokio::test]
async fn scalars_of_a_later_layer_win() {
    let bench = Bench::with(|builder| {
        let defaults = StoreOptions::new().gc_time(GcTime::seconds(5)).max_commit_events(100);
        anywhere(builder).defaults(defaults)
    });
    drop(bench.get::<NoteStore>("n").await.unwrap());
    assert_eq!(bench.deadline("note", "n"), Some(5));
    drop(bench.get::<FullStore>("n").await.unwrap());
    assert_eq!(bench.deadline("full", "n"), Some(20));
    drop(bench.get::<FullStore>("m").gc_time(GcTime::seconds(40)).await.unwrap());
    assert_eq!(bench.deadline("full", "m"), Some(40));

    let full = bench.get::<FullStore>("n").await.unwrap();
    assert!(full.commit([written(1), written(2), written(3)]).is_err());
    let call = StoreOptions::new().max_commit_events(3);
    let full = bench.get::<FullStore>("o").options(call).await.unwrap();
    assert!(full.commit([written(1), written(2), written(3)]).is_ok());
    let note = bench.get::<NoteStore>("n").await.unwrap();
    assert!(note.commit((0..100).map(written).collect::<Vec<_>>()).is_ok());
    assert!(note.commit((100..201).map(written).collect::<Vec<_>>()).is_err());
}

#[tokio::test]
async fn the_same_options_again_are_no_conflict_and_others_are_named() {
    let bench = Bench::new();
    let _loaded = bench.get::<FullStore>("n").await.unwrap();
    let same = StoreOptions::new()
        .durability(Durability::Power)
        .unknown_events(UnknownEvents::Ignore)
        .max_event_bytes(1_000)
        .max_commit_events(2)
        .initial_sync(InitialSync::Skip)
        .on_backend_change(OnBackendChange::Ignore)
        .attributes(Attributes::new().with("team", "core"));
    assert!(bench.get::<FullStore>("n").options(same).await.is_ok());
    let conflicts = [
        ("durability", StoreOptions::new().durability(Durability::Process)),
        ("unknown_events", StoreOptions::new().unknown_events(UnknownEvents::Fail)),
        ("max_event_bytes", StoreOptions::new().max_event_bytes(1)),
        ("max_commit_events", StoreOptions::new().max_commit_events(1)),
        ("initial_sync", StoreOptions::new().initial_sync(InitialSync::Blocking { timeout: Duration::ZERO })),
        ("on_backend_change", StoreOptions::new().on_backend_change(OnBackendChange::Stop)),
        ("sync_id", StoreOptions::new().sync_id(|_| "other".to_owned())),
        ("attributes", StoreOptions::new().attributes(Attributes::new().with("team", "other"))),
    ];
    for (option, options) in conflicts {
        match bench.get::<FullStore>("n").options(options).await {
            Err(LoadError::OptionsConflict { option: named, .. }) => assert_eq!(named, option),
            other => panic!("{option}: {other:?}"),
        }
    }
    assert_eq!(bench.stats_of("full", "n").observers, 1);
}

#[tokio::test]
async fn a_conflict_with_a_store_that_is_loading_is_found_too() {
    let bench = Bench::new();
    let gate = hold("options-loading");
    let mut get = bench.get::<HookedStore>("options-loading");
    assert!(poll_once(&mut get).is_pending());
    let other = StoreOptions::new().durability(Durability::Power);
    let conflict = bench.get::<HookedStore>("options-loading").options(other).await;
    assert!(matches!(conflict, Err(LoadError::OptionsConflict { option: "durability", .. })));
    gate.add_permits(1);
    assert!(get.await.is_ok());
}

#[tokio::test]
async fn on_a_server_stores_stay_unless_a_layer_says_otherwise() {
    let bench = Bench::with(|builder| anywhere(builder).environment(Environment::Server));
    drop(bench.get::<NoteStore>("n").await.unwrap());
    drop(bench.get::<PatientStore>("p").await.unwrap());
    bench.advance(1_000_000).await;
    assert!(bench.has::<NoteStore>("n"));
    assert!(!bench.has::<PatientStore>("p"));
}

#[tokio::test]
async fn payloads_and_attributes_merge_per_key_and_null_removes() {
    let defaults = Payload::new().with("authToken", "a").with("apiVersion", "v2").with("region", "eu");
    let merged = defaults.merge(Payload::new().with("authToken", "b").without("apiVersion"));
    let entries: Vec<_> = merged.resolve().await.unwrap().into_iter().collect();
    assert_eq!(entries, [("authToken".to_owned(), "b".into()), ("region".to_owned(), "eu".into())]);
    let attributes = Attributes::new().with("a", 1).with("b", 2).merge(Attributes::new().with("b", 3).without("a"));
    assert_eq!(attributes.to_string(), r#"{"b":3}"#);
}

#[tokio::test]
async fn a_loaded_store_tells_its_backend_what_later_calls_and_new_defaults_say() {
    let fake = Fake::new("wss://one", true);
    let defaults = |token: &str| synced(&fake).sync_payload(Payload::new().with("token", token));
    let bench = Bench::with(|builder| anywhere(builder).defaults(defaults("old")));
    let store = bench.get::<NoteStore>("n").sync_payload(Payload::new().with("region", "eu")).await.unwrap();
    bench.update_defaults(defaults("new"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    for call in 0..100 {
        let asked = Arc::clone(&asked);
        let provider = Payload::provider(move || {
            asked.lock().unwrap().push(call);
            async move { Ok(Payload::new().with("call", call)) }
        });
        drop(bench.get::<NoteStore>("n").sync_payload(provider).await.unwrap());
    }
    store.commit(written(1)).unwrap();
    drop(store);
    bench.settle().await;
    let told = fake.payloads();
    let expected = [("call", 99.into()), ("region", "eu".into()), ("token", "new".into())];
    assert_eq!(told, [expected.map(|(key, value): (&str, serde_json::Value)| (key.to_owned(), value)).into()]);
    let asked = asked.lock().unwrap();
    assert_eq!(*asked, [99, 99], "only the last call's function is asked, for the pull and for the push");
}

/// What happens while a definition is asked for its options.
static WHEN_ASKED: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

fn asked_for_options() -> Payload {
    let then = WHEN_ASKED.lock().unwrap().take();
    then.into_iter().for_each(|then| then());
    Payload::new()
}

larder::define_store! {
    /// Notes whose options are code of the app.
    AskedStore {
        name: "asked",
        schema: NoteSchema,
        adapter: SqliteAdapter::persisted(),
        sync_payload: asked_for_options(),
    }
}

#[tokio::test]
async fn new_defaults_reach_a_store_that_is_just_being_asked_for() {
    let fake = Fake::new("wss://one", true);
    let defaults = |token: &str| synced(&fake).sync_payload(Payload::new().with("token", token));
    let bench = Bench::with(|builder| anywhere(builder).defaults(defaults("old")));
    let (registry, new) = (StoreRegistry::clone(&bench), defaults("new"));
    *WHEN_ASKED.lock().unwrap() = Some(Box::new(move || registry.update_defaults(new)));
    let handle = bench.get::<AskedStore>("n").await.unwrap();
    handle.commit(written(1)).unwrap();
    drop(handle);
    bench.settle().await;
    assert_eq!(fake.payloads()[0]["token"], "new");
}

#[tokio::test]
async fn payloads_and_attributes_of_all_three_layers_reach_backend_and_span() {
    telemetry::read();
    let fake = Fake::new("wss://one", true);
    let payload = Payload::new().with("token", "t").with("region", "eu").with("tenant", "nobody");
    let attributes = Attributes::new().with("service", "app").with("zone", "z").with("team", "nobody");
    let defaults = synced(&fake).sync_payload(payload).attributes(attributes);
    let bench = Bench::with(|builder| anywhere(builder).defaults(defaults));
    for (id, call, told, shown) in [
        (
            "layers-1",
            StoreOptions::new(),
            r#"{"region":"eu","tenant":"acme","token":"t"}"#,
            r#"{"service":"app","team":"core","zone":"z"}"#,
        ),
        (
            "layers-2",
            StoreOptions::new()
                .sync_payload(Payload::new().with("region", "us").without("tenant"))
                .attributes(Attributes::new().with("zone", "y").without("team")),
            r#"{"region":"us","token":"t"}"#,
            r#"{"service":"app","zone":"y"}"#,
        ),
    ] {
        let handle = bench.get::<FullStore>(id).options(call).await.unwrap();
        handle.commit(written(1)).unwrap();
        drop(handle);
        bench.settle().await;
        assert_eq!(serde_json::to_string(&fake.payloads()[0]).unwrap(), told, "{id}");
        assert_eq!(telemetry::spans("larder.load", id)[0].fields["attributes"], shown, "{id}");
    }
}

#[tokio::test]
async fn a_payload_may_be_asked_for_each_time_and_its_values_are_never_shown() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = std::sync::Arc::clone(&asked);
    let provider = Payload::provider(move || {
        let turn = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move { Ok(Payload::new().with("token", turn).without("region")) }
    });
    let payload = Payload::new().with("region", "eu").with("canary", "secret-value").merge(provider);
    assert_eq!(payload.resolve().await.unwrap().get("token"), Some(&0.into()));
    let second = payload.resolve().await.unwrap();
    assert_eq!((second.get("token"), second.get("region")), (Some(&1.into()), None));
    let options = StoreOptions::new().sync_payload(payload);
    assert!(!format!("{options:?}").contains("secret-value"));
}

#[tokio::test]
async fn a_persisted_store_needs_a_data_dir() {
    let registry = StoreRegistry::builder().build().unwrap();
    assert!(matches!(registry.get::<NoteStore>("n").await, Err(LoadError::NoDataDir { .. })));
}
