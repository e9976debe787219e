//! A sync server that is not there, is asked with a wrong token, or has not what is asked for: what is said, and that nothing is lost.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::{folder, json, prints, program, run, server::SyncServer, text};

/// Nobody listens there.
const NOBODY: &str = "ws://127.0.0.1:9";

fn with_token(mut command: Command, token: &str) -> Output {
    command.env("ISSUES_TOKEN", token).output().expect("the program runs")
}

/// Exit code 1, nothing on the standard output, and the message.
fn fails(output: &Output) -> String {
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn a_join_that_nobody_answers_is_an_error_and_makes_nothing() {
    let data = folder();
    let said = fails(&run(data.path(), &["--sync", NOBODY, "join", "a/b"]));
    assert!(
        said.starts_with(&format!(
            "issues: `a/b` cannot be fetched: the sync server at `{NOBODY}` cannot be reached: "
        ))
    );
    assert!(said.ends_with("see that it runs and the URL is right, and join again\n"), "{said}");
    fails(&run(data.path(), &["--sync", NOBODY, "--json", "join", "a/b"]));
    assert_eq!(json(data.path(), &["workspaces"]), serde_json::json!([]));
    // One that is here already is not fetched either, and stays.
    prints(data.path(), &["open", "a/b", "It leaks"]);
    fails(&run(data.path(), &["--sync", NOBODY, "join", "a/b"]));
    assert_eq!(json(data.path(), &["workspaces"])[0]["open"], 1);
}

#[test]
fn a_join_of_what_nobody_has_shared_is_an_error_and_makes_nothing() {
    let (folder, data) = (folder(), folder());
    let server = SyncServer::start(&folder.path().join("server"), &[]);
    let url = server.url();
    let said = fails(&run(data.path(), &["--sync", &url, "join", "a/c"]));
    assert!(said.contains(&format!("the sync server at `{url}` has no workspace `a/c`; look at its name")), "{said}");
    assert_eq!(json(data.path(), &["workspaces"]), serde_json::json!([]));
    // What was begun here and is not there yet is no such name.
    prints(data.path(), &["open", "a/c", "It leaks"]);
    assert_eq!(prints(data.path(), &["--sync", &url, "join", "a/c"]), "1 issue of a/c is here\n");
}

fn rules(folder: &Path, stores: &str) -> String {
    let path = folder.join("server.toml");
    let rules = format!("[auth]\n[[auth.rules]]\nstores = [{stores}]\ntokens = [\"right\"]\n");
    fs::write(&path, rules).expect("a file");
    path.to_str().expect("a path of text").to_owned()
}

#[test]
fn with_a_wrong_token_join_fails_and_what_is_done_stays_until_there_is_a_right_one() {
    let (folder, [ada, ben]) = (folder(), [super::folder(), super::folder()]);
    let config = rules(folder.path(), "\"*\"");
    let server = SyncServer::start(&folder.path().join("server"), &["--config", &config]);
    let url = server.url();
    let ask = |data: &Path, token: &str, arguments: &[&str]| {
        let output = with_token(program(data, &[&["--sync", &url], arguments].concat()), token);
        assert!(!text(&output.stderr).contains(token), "no token is printed: {}", text(&output.stderr));
        output
    };
    for token in ["wrong-canary", ""] {
        let output = with_token(program(ben.path(), &["--sync", &url, "join", "a/b"]), token);
        let said = fails(&output);
        assert!(
            said.starts_with(&format!("issues: `a/b` cannot be fetched: the sync server at `{url}` refuses access: "))
        );
        assert!(said.ends_with("; set ISSUES_TOKEN to a token that it takes, and join again\n"), "{said}");
    }
    assert_eq!(json(ben.path(), &["workspaces"]), serde_json::json!([]));
    for arguments in
        [&["open", "a/b", "It leaks"][..], &["comment", "a/b", "1", "Where?"], &["list"], &["search", "leaks"]]
    {
        let output = ask(ada.path(), "wrong-canary", arguments);
        let said = text(&output.stderr);
        assert!(output.status.success(), "what is here can be worked on: {said}");
        assert!(said.contains(&format!("the sync server at `{url}` refuses access: ")), "{said}");
        assert!(said.contains("set ISSUES_TOKEN to a token that it takes"), "{said}");
        assert!(
            said.contains(" events are not sent yet, and safe here; a later command with `--sync` sends "),
            "{said}"
        );
    }
    let status = ask(ada.path(), "wrong-canary", &["sync-status"]);
    let said = text(&status.stdout);
    assert!(
        status.status.success() && said.contains("a/b        failing         e0    e2        2          2       0\n"),
        "{said}"
    );
    assert!(said.contains("\na/b: the sync server refuses access: "), "{said}");
    // Any later command sends all of it, be it about something else.
    let output = ask(ada.path(), "right", &["workspaces"]);
    assert_eq!((output.status.success(), text(&output.stderr)), (true, String::new()));
    assert!(ask(ben.path(), "right", &["join", "a/b"]).status.success());
    assert_eq!(super::state(ada.path()), super::state(ben.path()));
    assert!(prints(ben.path(), &["show", "a/b#1"]).contains("Where?"));
}

#[test]
fn a_join_that_gets_the_workspace_and_not_its_issues_is_an_error() {
    let (folder, [ada, ben]) = (folder(), [super::folder(), super::folder()]);
    let data = folder.path().join("server");
    let server = SyncServer::start(&data, &[]);
    prints(ada.path(), &["--sync", &server.url(), "open", "a/b", "It leaks"]);
    let address = server.kill().to_string();
    let config = rules(folder.path(), "\"workspace:*\"");
    let server = SyncServer::at(&address, &data, &["--config", &config]);
    let join = program(ben.path(), &["--sync", &server.url(), "join", "a/b"]);
    let said = fails(&with_token(join, "right"));
    assert!(
        said.starts_with("issues: `a/b` is not all here: 1 of 1 issue did not come: the sync server refuses "),
        "{said}"
    );
    drop(server);
    let server = SyncServer::at(&address, &data, &[]);
    assert_eq!(prints(ben.path(), &["--sync", &server.url(), "join", "a/b"]), "1 issue of a/b is here\n");
}

#[test]
fn a_url_that_is_none_of_a_sync_server_is_an_error_of_any_command_and_says_what_to_write() {
    let data = folder();
    for url in ["http://127.0.0.1:9", "127.0.0.1:9", "nonsense"] {
        for command in [&["join", "a/b"][..], &["workspaces"], &["open", "a/b", "It leaks"], &["sync-status"]] {
            let said = fails(&run(data.path(), &[&["--sync", url], command].concat()));
            assert!(said.starts_with("issues: --sync: ") && said.contains("wss://sync.example.com"), "{said}");
        }
    }
    let said = fails(&run(data.path(), &["--sync", "wss://example.com/?token=canary", "workspaces"]));
    assert!(said.contains("ISSUES_TOKEN") && !said.contains("canary"), "{said}");
    assert_eq!(json(data.path(), &["workspaces"]), serde_json::json!([]), "nothing is made");
}

#[test]
fn without_the_server_every_change_is_kept_and_said_to_be_unsent_and_sync_status_says_why() {
    let data = folder();
    for (arguments, unsent) in [
        (&["open", "a/b", "It leaks"][..], "2 events are"),
        (&["comment", "a/b", "1", "Where?"], "4 events are"),
        (&["close", "a/b", "1"], "6 events are"),
    ] {
        let output = run(data.path(), &[&["--sync", NOBODY], arguments].concat());
        let said = text(&output.stderr);
        assert!(output.status.success() && said.contains(&format!("{unsent} not sent yet")), "{said}");
        assert!(said.contains(&format!("the sync server at `{NOBODY}` cannot be reached")), "{said}");
    }
    let status = json(data.path(), &["--sync", NOBODY, "sync-status"]);
    let pending = ["pending", "pending_of_issues"].map(|field| status[0][field].as_u64());
    assert_eq!((status[0]["phase"].as_str(), pending), (Some("offline"), [Some(3); 2]), "{status}");
    assert!(status[0]["error"].as_str().expect("why").starts_with("the sync server cannot be reached"), "{status}");
    let table = prints(data.path(), &["--sync", NOBODY, "sync-status"]);
    assert!(table.contains("a/b        offline         e0    e3        3          3       0\n"), "{table}");
    assert!(table.contains(&format!("\nthe sync server at `{NOBODY}` cannot be reached: ")), "{table}");
}
