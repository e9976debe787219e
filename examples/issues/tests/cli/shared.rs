//! Two people with the same workspaces, and a sync server between them.

use std::{sync::Arc, time::Duration};

use larder_server::{MemoryStorage, OpenToAll, Server, Settings};
use tokio::runtime::Runtime;

use super::{folder, json, prints, program, text, write};

const INPUT: [&str; 3] = [
    r#"{"workspace":"a/b","issue":1,"kind":"opened","title":"It leaks","at":1700000000,"author":"ada"}"#,
    r#"{"workspace":"a/b","issue":2,"kind":"opened","title":"It is slow","at":1700000001,"author":"ada"}"#,
    r#"{"workspace":"a/b","issue":1,"kind":"commented","body":"Where?","at":1700000002,"author":"ben"}"#,
];

/// The server, and the runtime that it runs on.
fn server() -> (Runtime, Server, String) {
    let runtime = Runtime::new().expect("a runtime");
    let started =
        Server::start(Settings::default(), Arc::new(MemoryStorage::new()), Arc::new(OpenToAll), "127.0.0.1:0");
    let server = runtime.block_on(started).expect("a free port");
    let url = format!("ws://{}", server.address());
    (runtime, server, url)
}

#[test]
fn two_processes_share_a_workspace_and_each_goes_on_without_the_server() {
    let (runtime, server, url) = server();
    let (ada, ben) = (folder(), folder());
    let input = write(&ada, &INPUT);
    let with = |arguments: &[&'static str]| {
        [&["--sync", &url], arguments].concat().iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()
    };
    let ask = |data: &tempfile::TempDir, arguments: &[&'static str]| {
        let arguments = with(arguments);
        prints(data.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    prints(ada.path(), &["--sync", &url, "import", "--input", &input]);
    assert_eq!(ask(&ben, &["join", "a/b"]).trim(), "2 issues of a/b are here");
    assert!(ask(&ben, &["show", "a/b", "1"]).contains("Where?"));
    ask(&ben, &["comment", "a/b", "1", "In the cache", "--author", "ben"]);
    assert!(ask(&ada, &["show", "a/b", "1"]).contains("In the cache"), "what one says the other reads");
    let status = json(ada.path(), &["--sync", &url, "sync-status"]);
    assert_eq!((&status[0]["phase"], &status[0]["pending"]), (&"live".into(), &0.into()), "{status}");
    // The server is away: both go on, and know what is not sent.
    runtime.block_on(server.stop());
    let mut offline = program(ada.path(), &["--sync", &url, "close", "a/b", "2", "--author", "ada"]);
    let closed = offline.output().expect("the program runs");
    assert!(closed.status.success(), "{}", text(&closed.stderr));
    let status = json(ada.path(), &["--sync", &url, "sync-status"]);
    assert_eq!((&status[0]["phase"], &status[0]["pending"]), (&"offline".into(), &1.into()), "{status}");
    runtime.shutdown_timeout(Duration::from_secs(5));
}

#[test]
fn a_url_of_no_sync_server_and_a_join_without_one_are_told_what_to_write() {
    let data = folder();
    let error = |arguments: &[&str]| {
        let output = program(data.path(), arguments).output().expect("the program runs");
        assert!(!output.status.success());
        text(&output.stderr)
    };
    assert!(error(&["--sync", "ws://example.com", "workspaces"]).contains("wss://"));
    assert!(error(&["--sync", "wss://example.com/?token=canary", "workspaces"]).contains("ISSUES_TOKEN"));
    assert!(error(&["join", "a/b"]).contains("--sync wss://"));
}
