//! What is about many workspaces at once, or about one that changes meanwhile.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
};

use serde_json::Value;

use super::{CLOSED, COMMENTED, OPENED, folder, json, prints, program, run, text, write};

#[test]
fn search_asks_all_workspaces_and_finds_nothing_new_to_make() {
    let folder = folder();
    prints(folder.path(), &["import"]);
    let found = json(folder.path(), &["search", "CLIPPY", "--limit", "0"]);
    let found = found.as_array().expect("an array");
    let workspaces: std::collections::BTreeSet<_> =
        found.iter().map(|line| line["workspace"].as_str().expect("a name")).collect();
    assert_eq!(workspaces.len(), 2, "in both workspaces: {found:?}");
    let times: Vec<_> = found.iter().map(|issue| issue["last_activity"].as_str().expect("a time")).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "the latest activity first, of both");
    let is_found = |line: &Value| line["title"].as_str().expect("a title").to_lowercase().contains("clippy");
    let all = json(folder.path(), &["list", "--limit", "0"]);
    let expected = all.as_array().expect("an array").iter().filter(|line| is_found(line)).count();
    assert_eq!((found.len(), found.iter().all(is_found)), (expected, true));
    let limited = prints(folder.path(), &["search", "clippy", "--limit", "1"]);
    assert!(limited.ends_with(&format!("1 of {expected} issues; `--limit 0` shows all\n")), "{limited}");
    assert_eq!(json(folder.path(), &["search", "no such title at all"]).as_array().map(Vec::len), Some(0));
}

#[test]
fn the_list_of_all_issues_follows_what_other_runs_do() {
    let folder = folder();
    let data = folder.path();
    assert_eq!(json(data, &["list"]).as_array().map(Vec::len), Some(0));
    prints(data, &["open", "home", "Label the jars"]);
    prints(data, &["open", "work", "Buy jars"]);
    let titles = |arguments: &[&str]| {
        let all = json(data, arguments);
        let title =
            |line: &Value| format!("{}#{} {}", line["workspace"], line["number"], line["title"]).replace('"', "");
        all.as_array().expect("an array").iter().map(title).collect::<Vec<_>>()
    };
    assert_eq!(titles(&["list"]), ["work#1 Buy jars", "home#1 Label the jars"]);
    prints(data, &["comment", "home", "1", "Which ones?"]);
    prints(data, &["close", "work", "1"]);
    assert_eq!(titles(&["list"]), ["work#1 Buy jars", "home#1 Label the jars"]);
    assert_eq!(titles(&["list", "--state", "open"]), ["home#1 Label the jars"]);
    assert_eq!(json(data, &["list", "--state", "open"])[0]["comments"], 1);
    assert_eq!(titles(&["list", "home"]), ["home#1 Label the jars"], "as the workspace itself says");
}

/// A program that watches; ended when the test is.
struct Watching {
    child: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watching {
    fn begin(data: &Path, arguments: &[&str]) -> Self {
        let mut child = program(data, arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Option<Value> {
        let line = self.lines.next()?.expect("the program prints text");
        Some(serde_json::from_str(&line).expect("a line of JSON"))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn watch_shows_what_an_import_of_the_same_process_changes() {
    let folder = folder();
    let data = folder.path().join("data");
    let input = write(&folder, &[OPENED, COMMENTED, &OPENED.replace("\"issue\":1", "\"issue\":2"), CLOSED]);
    let mut watching = Watching::begin(&data, &["watch", "a/b", "--import", &input, "--json"]);
    let mut last = watching.next().expect("how it begins");
    while let Some(next) = watching.next() {
        last = next;
    }
    assert!(watching.child.wait().expect("it ends").success(), "with the import");
    assert_eq!((&last["open"], &last["closed"], &last["comments"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!((&last["issues"][0]["number"], &last["busiest"][0]["number"]), (&2.into(), &2.into()));
    let missing = run(&data, &["watch", "no/such"]);
    assert!(
        text(&missing.stderr).starts_with("issues: there is no workspace `no/such`; "),
        "{}",
        text(&missing.stderr)
    );
}

#[test]
fn beside_a_watched_workspace_others_are_worked_on_and_the_watched_one_is_said_to_be_locked() {
    let folder = folder();
    let data = folder.path();
    prints(data, &["open", "home", "Label the jars"]);
    let mut watching = Watching::begin(data, &["watch", "home", "--json"]);
    assert_eq!(watching.next().expect("how it stands")["open"], 1);
    let locked = run(data, &["open", "home", "Buy jars"]);
    let said = format!("is open in process {}; close it there", watching.child.id());
    assert_eq!(locked.status.code(), Some(1));
    assert!(text(&locked.stderr).contains(&said), "{}", text(&locked.stderr));
    assert_eq!(prints(data, &["open", "work", "Buy jars"]), "opened work#1\n");
    let search = run(data, &["search", "jars", "--json"]);
    let found: Value = serde_json::from_slice(&search.stdout).expect("one JSON value");
    assert_eq!((found.as_array().map(Vec::len), &found[0]["workspace"]), (Some(1), &"work".into()));
    assert!(text(&search.stderr).contains(&said), "{}", text(&search.stderr));
    drop(watching);
    assert_eq!(json(data, &["search", "jars"]).as_array().map(Vec::len), Some(2));
}
