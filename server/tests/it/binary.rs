//! The program that people run: flags, environment, file, signals, commands.

use larder_wire::{Call, Cursor, Exit, Failure};
use serde_json::json;

use crate::{
    lab::{Socket, events, failure, http, post, push},
    process::{Process, command, run},
};

const PULL: Call = Call::Pull { cursor: None, live: false };

fn write(path: &std::path::Path, text: &str) -> String {
    std::fs::write(path, text).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

#[tokio::test]
async fn a_restart_keeps_every_event_and_the_backends_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Process::start(&data, &[]);
    let mut socket = Socket::typescript(server.address, "a", None).await.expect("open");
    let id = socket.pull_live("a", None).await;
    let backend_id = socket.page_of(&id).await.backend_id;
    assert_eq!(socket.push("a", 0, 7).await, Exit::Pushed);
    let ended = std::thread::spawn(move || server.terminate());
    assert_eq!(socket.closed().await, 1001, "it says goodbye");
    assert!(ended.join().expect("no panic").success());
    assert!(!data.join("log.sqlite-wal").exists(), "a clean end leaves one file");

    let server = Process::start(&data, &[]);
    let mut socket = Socket::typescript(server.address, "a", None).await.expect("open");
    let cursor = Cursor { backend_id, event_sequence_number: 2 };
    let id = socket.pull_live("a", Some(cursor)).await;
    assert_eq!(socket.numbers_until(&id, 7).await, [3, 4, 5, 6, 7]);
    assert_eq!(socket.push("a", 7, 1).await, Exit::Pushed);
}

#[tokio::test]
async fn a_server_of_a_backup_has_another_name_and_clients_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let (data_text, backup) = (data.to_str().expect("UTF-8"), folder.path().join("backup"));
    let backup = backup.to_str().expect("UTF-8");
    let server = Process::start(&data, &[]);
    let mut socket = Socket::typescript(server.address, "a", None).await.expect("open");
    let id = socket.pull_live("a", None).await;
    let before = socket.page_of(&id).await.backend_id;
    assert_eq!(socket.push("a", 0, 3).await, Exit::Pushed);
    let (done, said) = run(&["backup", "--data", data_text, "--to", backup]);
    assert!(done, "{said}");
    assert_eq!(socket.push("a", 3, 3).await, Exit::Pushed);
    let (done, said) = run(&["restore", "--data", data_text, "--from", backup]);
    assert!(!done && said.contains("another server's that is running"), "{said}");
    server.kill();
    let (done, said) = run(&["restore", "--data", data_text, "--from", backup]);
    assert!(done && said.contains("1 stores, 3 events, new identity"), "{said}");

    let server = Process::start(&data, &[]);
    let mut socket = Socket::typescript(server.address, "a", None).await.expect("open");
    let cursor = Cursor { backend_id: before.clone(), event_sequence_number: 6 };
    let id = socket.pull_live("a", Some(cursor)).await;
    let mismatch = failure(socket.exit_of(&id).await);
    assert!(matches!(mismatch, Failure::BackendIdMismatch { received, .. } if received == before));
}

#[tokio::test]
async fn rules_of_the_file_are_read_again_on_a_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("server.toml");
    let rules = |token: &str| format!("[auth]\n[[auth.rules]]\nstores = [\"*\"]\ntokens = [\"{token}\"]\n");
    let config = write(&path, &rules("first"));
    let server = Process::start(&folder.path().join("data"), &["--config", &config]);
    let status = async |token: &str| post(server.address, "a", Some(json!({ "authToken": token })), PULL).await.status;
    assert_eq!((status("first").await, status("second").await), (200, 401));
    write(&path, &rules("second"));
    server.signal("HUP");
    while status("second").await != 200 {}
    assert_eq!(status("first").await, 401);
    write(&path, "[auth]\nrules = \"canary-in-a-broken-file\"\n");
    server.signal("HUP");
    while !server.logged().contains("the access rules stay what they were") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(!server.logged().contains("canary"), "{}", server.logged());
    assert_eq!(status("second").await, 200);
}

#[test]
fn what_is_wrong_with_flags_or_file_is_said_without_what_stands_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let path = folder.path().join("server.toml");
    let cases = [
        ("lisen = \"canary\"", "line 1: unknown field `lisen`"),
        ("\n\n[limits]\nevent_bytes = \"canary\"", "line 4: this is no TOML, or a value of the wrong type"),
        ("[auth]\n[[auth.rules]]\nstores = []\ntokens = [\"canary\"]", "auth: rule 1: it has no stores"),
        ("[auth]\n[[auth.rules]]\nstores = [\"*\"]\ntokens = [\"\"]", "auth: rule 1: it has no tokens"),
        (
            "[auth.jwt]\nalgorithm = \"HS256\"\nsecret = \"canary\"",
            "auth: jwt: the secret of HS256 has less than 32 bytes",
        ),
        ("[limits]\npermit_seconds = -1.0", "`permit_seconds` is no number of seconds"),
        (
            "[limits]\nshutdown_seconds = 1e30",
            "`shutdown_seconds` is no number of seconds; give one that is not negative",
        ),
        (
            "[limits]\nconnections = 0",
            "limits: `connections` is too little; give at least 1, or leave it out for the usual 10000",
        ),
        ("[limits]\njson_depth = 120", "limits: `json_depth` is too much; give at most 119"),
        ("[limits]\nunauthenticated_seconds = 0", "limits: `unauthenticated_seconds` is too little"),
        ("[limits]\nmessage_bytes = 100", "limits: `message_bytes` is too little; give at least 8192"),
        ("tokens = \"canary", "line 1: this is no TOML"),
    ];
    for (text, wanted) in cases {
        let config = write(&path, text);
        let (done, said) = run(&["--data", data, "--config", &config, "--listen", "127.0.0.1:0"]);
        assert!(!done && said.contains(wanted) && !said.contains("canary"), "{text}: {said}");
    }
    let (done, said) = run(&["--data", data, "--listen", "0.0.0.0:0"]);
    assert!(!done && said.contains("write `[auth]` rules, or say `--open`"), "{said}");
    let (done, said) = run(&["--listen", "127.0.0.1:0"]);
    assert!(!done && said.contains("give `--data DIR`"), "{said}");
    let (done, said) = run(&["--data", data, "--listen", "127.0.0.1:0", "--log", "loud"]);
    assert!(!done && said.contains("none of error, warn"), "{said}");
}

#[tokio::test]
async fn flags_come_before_environment_and_environment_before_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let write_file = |listen: &str| {
        let data = path("of-the-file");
        let text = format!("data = {data:?}\nlisten = \"{listen}\"\nlog = \"error\"\n[limits]\nbatch_events = 2");
        write(&path("server.toml"), &text)
    };
    // Whose directory it has, and whether it logs as the environment says.
    let found = |name: &str| {
        let has = |name: &str| path(name).join("log.sqlite").exists();
        let found: Vec<_> =
            ["of-the-file", "of-the-environment", "of-the-flag"].into_iter().filter(|of| has(of)).collect();
        found.iter().for_each(|of| std::fs::remove_dir_all(path(of)).expect("a folder"));
        assert_eq!(found, [name]);
    };
    let config = write_file("127.0.0.1:0");
    let mut of_the_file = command();
    of_the_file.args(["--config", &config]);
    let server = Process::of(of_the_file, path("1.log"));
    assert_eq!(server.logged(), "");
    assert!(server.terminate().success());
    found("of-the-file");

    let config = write_file("256.0.0.1:1");
    let environment = |listen: &str| {
        let mut command = command();
        let data = path("of-the-environment");
        command.env("LARDER_CONFIG", &config).env("LARDER_DATA", data).env("LARDER_LISTEN", listen);
        command.env("LARDER_LOG", "debug").env("LARDER_OPEN", "true");
        command
    };
    // Without `LARDER_OPEN` it would not listen for others.
    let server = Process::of(environment("0.0.0.0:0"), path("2.log"));
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let answer = post(address, "a", None, push(events(0, 3))).await;
    assert!(answer.body.contains("at most 2 are taken"), "the limits are the file's: {}", answer.body);
    let mut socket = Socket::typescript(address, "a", None).await.expect("open");
    assert_eq!(socket.push("a", 0, 1).await, Exit::Pushed);
    assert!(server.logged().contains("DEBUG"), "{}", server.logged());
    assert!(server.terminate().success());
    found("of-the-environment");

    let mut flags = environment("256.0.0.1:1");
    let data = path("of-the-flag");
    flags.args(["--listen", "127.0.0.1:0", "--log", "warn", "--data", data.to_str().expect("UTF-8")]);
    let server = Process::of(flags, path("3.log"));
    assert_eq!(http(server.address, "GET", "/healthz", &[], "").await.status, 200);
    assert!(!server.logged().contains("DEBUG") && !server.logged().contains("INFO"), "{}", server.logged());
    assert!(server.terminate().success());
    found("of-the-flag");
}
