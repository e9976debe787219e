//! A canary in the place of a token that larder's own clients send: it shows up nowhere that is kept, on neither side.

use std::{
    cell::Cell,
    collections::BTreeSet,
    fmt::Write as _,
    fs, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use larder::{HttpBackend, Payload, PullRequest, PushRequest, StoreOptions, WsBackend};
use larder_server::{MemoryStorage, Rules, Settings};
use tokio::time::timeout;
use tracing::{Dispatch, level_filters::LevelFilter};

use crate::{
    apps::{Client, PATIENCE, Way, added},
    cuts::Network,
    lab::Lab,
};

const CANARY: &str = "canary-5b77e2";

/// All that is logged, of every crate.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// What the crate `log` is told on the threads that are listened to, by whom and at which level, as far as a canary is in it: as text, or as hex.
struct Records(Mutex<(u64, BTreeSet<(log::Level, String)>)>);

static RECORDS: Records = Records(Mutex::new((0, BTreeSet::new())));

thread_local! {
    /// Other tests run beside this one, on threads of their own.
    static IS_LISTENED_TO: Cell<bool> = const { Cell::new(false) };
}

impl log::Log for Records {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        IS_LISTENED_TO.get()
    }

    fn log(&self, record: &log::Record<'_>) {
        if !IS_LISTENED_TO.get() {
            return;
        }
        let said = format!("{} {:?}", record.args(), record.target());
        let as_hex = CANARY.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.0 += 1;
        if said.contains(CANARY) || said.contains(&as_hex) {
            let by = record.target().split("::").next().unwrap_or_default();
            records.1.insert((record.level(), by.to_owned()));
        }
    }

    fn flush(&self) {}
}

/// Logs everything that happens on the threads of a runtime, and on this one.
fn runtime(logged: &Logged) -> (tokio::runtime::Runtime, tracing::dispatcher::DefaultGuard) {
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
    let dispatch = Dispatch::new(subscriber.with_writer(move || writer.clone()).finish());
    let of_threads = dispatch.clone();
    log::set_logger(&RECORDS).expect("nobody else listens");
    log::set_max_level(log::LevelFilter::Trace);
    IS_LISTENED_TO.set(true);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // For as long as the thread lives.
        .on_thread_start(move || {
            IS_LISTENED_TO.set(true);
            std::mem::forget(tracing::dispatcher::set_default(&of_threads));
        })
        .build();
    (runtime.expect("a runtime"), tracing::dispatcher::set_default(&dispatch))
}

fn files(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, text);
        } else if let Ok(bytes) = fs::read(&path) {
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}

/// Syncs with a token that is good and with one that nearly is, and while nobody is there; what was shown of it.
async fn use_it(way: Way, lab: &Lab) -> (String, Vec<String>) {
    let network = Network::to(lab.address).await;
    let backend = way.to(network.address);
    let mut shown = backend.identity().to_owned();
    let good = Payload::new().with("authToken", CANARY);
    let nearly = Payload::new().with("authToken", format!("{CANARY}-almost"));
    let client = Client::new(backend, StoreOptions::new().sync_payload(good.clone()));
    let page = client.page(&format!("page-{way:?}")).await;
    let receipt = page.commit(added("a line")).expect("it commits");
    timeout(PATIENCE, receipt.confirmed()).await.expect("in time").expect("confirmed");
    let _ = write!(shown, "{good:?} {nearly:?} {:?} {:?}", page.sync_status(), client.registry);
    let other = way.to(network.address);
    for payload in [&nearly, &good] {
        let mut pull = other.pull(PullRequest::new("somebody-elses", payload));
        let answer = futures_util::StreamExt::next(&mut pull).await;
        let _ = write!(shown, "{answer:?}");
        let push = other.push(PushRequest::new("somebody-elses", 0, &[], payload).backend_id(Some("log"))).await;
        let _ = write!(shown, "{push:?} {}", push.as_ref().expect_err("refused"));
    }
    network.move_to("127.0.0.1:9".parse().expect("an address"));
    network.cut();
    let receipt = page.commit(added("another line")).expect("it commits");
    let _ = timeout(Duration::from_millis(1500), receipt.confirmed()).await;
    let _ = write!(shown, "{:?}", page.sync_status());
    let mut kept = String::new();
    files(client.folder.path(), &mut kept);
    assert!(kept.contains("another line") && !kept.contains("canary"), "the files of a client have no token in them");
    (shown, network.requests())
}

#[test]
fn a_token_that_larders_clients_send_is_in_no_log_debug_error_metric_url_or_file() {
    let logged = Logged::default();
    let (runtime, _here) = runtime(&logged);
    runtime.block_on(async {
        let rules =
            toml::from_str(&format!("[[rules]]\nstores = [\"page*\"]\ntokens = [\"{CANARY}\"]")).expect("rules");
        let rules = Arc::new(Rules::new(&rules).expect("rules"));
        let lab = Lab::start(Settings::default(), Arc::new(MemoryStorage::new()), rules).await;
        for way in Way::ALL {
            let (shown, requests) = use_it(way, &lab).await;
            assert!(shown.contains("127.0.0.1") && !shown.contains("canary"), "{way:?}: {shown}");
            assert!(!requests.is_empty(), "{way:?}");
            let in_url = requests.iter().any(|target| target.contains("canary"));
            // LiveStore's wire has it there.
            assert_eq!(in_url, matches!(way, Way::WsOfLiveStore | Way::HttpOfLiveStore), "{way:?}: {requests:?}");
        }
        let metrics = crate::lab::http(lab.address, "GET", "/metrics", &[], "").await.body;
        assert!(!metrics.contains("canary"), "{metrics}");
    });
    let logged = logged.text();
    assert!(logged.contains("TRACE") || logged.contains("DEBUG"), "it is talkative: {logged}");
    assert!(!logged.contains("canary"), "{logged}");
    let records = RECORDS.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(records.0 > 0, "it listens");
    // All that anybody says who has a token in it: a library, where it writes whole frames out, of which `docs/sync.md` says how to leave them out.
    assert_eq!(records.1, BTreeSet::from([(log::Level::Trace, "tungstenite".to_owned())]));
}

#[test]
fn a_url_with_a_secret_in_it_is_refused_and_not_shown() {
    for secret in [format!("user:{CANARY}@sync.example.com"), format!("sync.example.com/?token={CANARY}")] {
        let ws = WsBackend::builder(format!("wss://{secret}")).build().expect_err("a secret");
        let http = HttpBackend::builder(format!("https://{secret}")).build().expect_err("a secret");
        let shown = format!("{ws} {ws:?} {http} {http:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
