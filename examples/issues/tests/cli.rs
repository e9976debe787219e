//! The real program, run as a person or a script runs it.

#[path = "cli/many.rs"]
mod many;
#[path = "cli/refused.rs"]
mod refused;
#[path = "cli/server.rs"]
mod server;
#[path = "cli/shared.rs"]
mod shared;
#[path = "cli/together.rs"]
mod together;

use std::{
    collections::{BTreeMap, hash_map::RandomState},
    fs,
    hash::BuildHasher,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use issues::stores::{Activity, Issue, IssueStore, WorkspaceStore};
use larder::StoreRegistry;
use serde_json::Value;
use tempfile::TempDir;

const LINES: u64 = 3_035;

fn program(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issues"));
    command.arg("--data").arg(data).args(arguments).env("USER", "tester").stdin(Stdio::null());
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    program(data, arguments).output().expect("the program runs")
}

/// What the program prints; it must succeed.
fn prints(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn json(data: &Path, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&prints(data, &arguments)).expect("one JSON value")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program prints text")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &TempDir, lines: &[&str]) -> String {
    let path = folder.path().join("input.jsonl");
    fs::write(&path, lines.join("\n")).expect("the folder is writable");
    path.to_str().expect("a path of text").to_owned()
}

const OPENED: &str = r#"{"workspace":"a/b","issue":1,"kind":"opened","at":5,"author":"x","title":"First"}"#;
const COMMENTED: &str = r#"{"workspace":"a/b","issue":1,"kind":"commented","at":6,"author":"y","body":"Hello\nthere"}"#;
const CLOSED: &str = r#"{"workspace":"a/b","issue":1,"kind":"closed","at":7,"author":"x"}"#;

/// Everything that the stores of a data dir hold, by store: headlines, and issues with their activities and the number of events.
#[derive(Debug, PartialEq)]
struct State {
    workspaces: BTreeMap<String, (Vec<issues::stores::Headline>, u64)>,
    issues: BTreeMap<String, (Option<Issue>, Vec<Activity>, u64)>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn state(data: &Path) -> State {
    let registry = StoreRegistry::builder().data_dir(data).capacity(64).build().expect("the data dir opens");
    let mut state = State { workspaces: BTreeMap::new(), issues: BTreeMap::new() };
    for stored in registry.stored::<WorkspaceStore>().await.expect("the catalog is readable") {
        let id = stored.key.expect("an id of this definition");
        let store = registry.get::<WorkspaceStore>(&id).await.expect("a workspace opens");
        assert!(store.verify().expect("a workspace can be verified").is_sound(), "{id:?}");
        let headlines = store.query(issues::stores::Headline::all()).expect("headlines");
        state.workspaces.insert(id.name, (headlines, store.head().global()));
    }
    for stored in registry.stored::<IssueStore>().await.expect("the catalog is readable") {
        let id = stored.key.expect("an id of this definition");
        let store = registry.get::<IssueStore>(&id).await.expect("an issue opens");
        let by_place = Activity::all().order_by(Activity::PLACE.asc());
        let (issue, activities) = store.query((Issue::by_key(id.number), by_place)).expect("an issue");
        state.issues.insert(stored.id.to_string(), (issue, activities, store.head().global()));
    }
    registry.shutdown(Duration::from_secs(10)).await;
    state
}

#[test]
fn the_shipped_data_is_imported_once() {
    let folder = folder();
    let first = prints(folder.path(), &["import"]);
    assert!(first.starts_with("3,035 activities imported on 1,127 issues of 2 workspaces, "), "{first}");
    assert_eq!(first.lines().count(), 1, "one line at the end");
    let second = prints(folder.path(), &["import"]);
    assert!(second.starts_with("nothing new: 3,035 activities were here already, "), "{second}");
    let state = state(folder.path());
    let events: u64 = state.issues.values().map(|(_, _, events)| events).sum();
    assert_eq!((state.workspaces.len(), state.issues.len(), events), (2, 1_127, LINES));
    assert_eq!(state.workspaces.values().map(|(_, events)| events).sum::<u64>(), LINES);
}

#[test]
fn killed_at_random_moments_and_run_again_it_ends_in_the_same_state() {
    let (activities, state) = killed_and_run_again(&["import"], 10, 300);
    assert_eq!((activities, state.issues.len()), (LINES, 1_127));
}

/// The same with any other input, which is to be large:
/// `ISSUES_INPUT=issues.jsonl cargo test -p issues --release --test cli -- --ignored --nocapture`.
#[test]
#[ignore = "needs a file of activities in the environment variable `ISSUES_INPUT`"]
fn killed_at_random_moments_any_input_ends_in_the_same_state() {
    let input = std::env::var("ISSUES_INPUT").expect("the environment variable `ISSUES_INPUT` names a file");
    let (activities, state) = killed_and_run_again(&["import", "--input", &input], 40, 10_000);
    let (workspaces, issues) = (state.workspaces.len(), state.issues.len());
    println!("{activities} activities on {issues} issues of {workspaces} workspaces");
}

/// Kills so many imports, each within so many milliseconds, lets one end, and compares what there is with an import that nobody killed.
fn killed_and_run_again(import: &[&str], cycles: u64, longest: u64) -> (u64, State) {
    let (killed, whole) = (folder(), folder());
    let wanted = json(whole.path(), import);
    let mut kills = 0;
    for cycle in 0..cycles {
        let wait = Duration::from_millis(RandomState::new().hash_one(cycle) % longest);
        let mut child = program(killed.path(), import).stdout(Stdio::null()).spawn().expect("the program starts");
        // A moment by the clock, and none that the program chooses: no line of it may be safe because a test waits there.
        thread::sleep(wait);
        child.kill().expect("the child can be killed");
        kills += u64::from(!child.wait().expect("the child ends").success());
        eprintln!("cycle {cycle}: killed after {wait:?}");
    }
    assert!(kills > 0, "every run ended before it was killed");
    let last = json(killed.path(), import);
    let activities = wanted["new"].as_u64().expect("a number");
    println!("{kills} of {cycles} runs were killed; the last one found {} and added {}", last["known"], last["new"]);
    assert_eq!(last["new"].as_u64().zip(last["known"].as_u64()).map(|(new, known)| new + known), Some(activities));
    let (killed, whole) = (state(killed.path()), state(whole.path()));
    assert_eq!(killed.workspaces, whole.workspaces);
    assert_eq!(killed.issues, whole.issues);
    (activities, whole)
}

#[test]
fn an_issue_that_is_ahead_of_its_workspace_is_caught_up_by_the_next_import() {
    let folder = folder();
    let data = folder.path().join("data");
    let input = write(&folder, &[OPENED, COMMENTED]);
    // The state after a kill between the two commits of the second line.
    prints(&data, &["import", "--input", &input]);
    for entry in fs::read_dir(data.join("stores/workspace")).expect("workspaces") {
        fs::remove_file(entry.expect("an entry").path()).expect("the file can be removed");
    }
    let again = json(&data, &["import", "--input", &input]);
    assert_eq!((&again["new"], &again["known"]), (&2.into(), &0.into()));
    let state = state(&data);
    let (_, activities, events) = state.issues.values().next().expect("the issue");
    assert_eq!((activities.len(), *events), (2, 2), "nothing twice in the issue");
    assert_eq!(state.workspaces["a/b"].0[0].comments, 1, "nothing missing in the workspace");
}

#[test]
fn bad_lines_are_reported_with_number_and_reason_and_skipped() {
    let folder = folder();
    let data = folder.path().join("data");
    let other = COMMENTED.replace("\"issue\":1", "\"issue\":2");
    let input = write(&folder, &[OPENED, "not json", "", &other, OPENED, &OPENED.replace("First", "Again"), CLOSED]);
    let output = run(&data, &["import", "--input", &input]);
    assert!(output.status.success());
    let reported = text(&output.stderr);
    let reported: Vec<_> = reported.lines().collect();
    assert_eq!(
        reported,
        [
            format!("{input}:2: the line is not an activity: expected ident at column 2; skipped"),
            format!("{input}:4: issue 2 of `a/b` was not opened before; skipped"),
            format!("{input}:5: issue 1 of `a/b` was opened already; skipped"),
            format!("{input}:6: issue 1 of `a/b` was opened already; skipped"),
        ]
    );
    let said = text(&output.stdout);
    assert!(said.starts_with("2 activities imported on 1 issue of 1 workspace, "), "{said}");
    assert!(said.trim_end().ends_with("; 4 bad lines skipped"), "{said}");
    let again = json(&data, &["import", "--input", &input]);
    assert_eq!((&again["new"], &again["known"], &again["bad"]), (&0.into(), &2.into(), &4.into()));
    assert_eq!(again["bad_lines"][1]["line"], 4);
}

#[test]
fn a_line_that_is_skipped_makes_no_workspace() {
    let folder = folder();
    let data = folder.path().join("data");
    let elsewhere = |line: &str| line.replace("a/b", "typo/x");
    let input = write(&folder, &[&elsewhere(CLOSED), OPENED, &elsewhere(COMMENTED), CLOSED]);
    let summary = json(&data, &["import", "--input", &input]);
    assert_eq!((&summary["new"], &summary["bad"], &summary["workspaces"]), (&2.into(), &2.into(), &1.into()));
    let workspaces = json(&data, &["workspaces"]);
    assert_eq!(workspaces.as_array().expect("an array").len(), 1, "{workspaces}");
}

#[test]
fn more_workspaces_than_the_registry_keeps_loaded_are_imported_and_listed() {
    let folder = folder();
    let data = folder.path().join("data");
    let workspaces = issues::commands::CAPACITY + 3;
    let lines: Vec<_> = [OPENED, COMMENTED]
        .iter()
        .flat_map(|line| (0..workspaces).map(move |number| line.replace("a/b", &format!("a/{number}"))))
        .collect();
    let input = write(&folder, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let summary = json(&data, &["import", "--input", &input]);
    assert_eq!((&summary["new"], &summary["workspaces"]), (&(2 * workspaces).into(), &workspaces.into()));
    let listed = json(&data, &["workspaces"]);
    assert_eq!(listed.as_array().expect("an array").len(), workspaces);
    let listed = json(&data, &["list", "--limit", "0"]);
    assert_eq!(listed.as_array().expect("an array").len(), workspaces);
}

#[test]
fn an_input_that_continues_another_adds_what_is_new() {
    let folder = folder();
    let data = folder.path().join("data");
    prints(&data, &["import", "--input", &write(&folder, &[OPENED, COMMENTED])]);
    let more = json(&data, &["import", "--input", &write(&folder, &[COMMENTED, CLOSED])]);
    assert_eq!((&more["new"], &more["known"], &more["bad"]), (&1.into(), &1.into(), &0.into()));
}

#[test]
fn workspaces_and_issues_are_listed_by_state_and_limit() {
    let folder = folder();
    prints(folder.path(), &["import"]);
    let workspaces = prints(folder.path(), &["workspaces"]);
    assert_eq!(workspaces, in_readme("workspaces"));
    assert_eq!(prints(folder.path(), &["show", "moka-rs/moka", "12"]), in_readme("show moka-rs/moka 12"));
    let list = prints(folder.path(), &["list", "moka-rs/moka", "--state", "closed", "--limit", "3"]);
    assert_eq!(list.lines().count(), 5, "header, three issues, how many there are: {list}");
    assert!(!list.contains('\u{1b}'), "no colours where there is no terminal");
    let all = json(folder.path(), &["list", "--limit", "0"]);
    let all = all.as_array().expect("an array");
    assert_eq!(all.len(), 1_127);
    let times: Vec<_> = all.iter().map(|issue| issue["last_activity"].as_str().expect("a time")).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "the latest activity first");
    let missing = run(folder.path(), &["list", "no/such"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).starts_with("issues: there is no workspace `no/such`; "));
    assert_eq!(prints(folder.path(), &["workspaces"]), workspaces, "asking for a workspace does not make it");
}

/// What the README shows below this command.
fn in_readme(command: &str) -> String {
    let readme = include_str!("../../../README.md");
    let command = format!("$ cargo run -q -p issues -- {command}\n");
    let (_, shown) = readme.split_once(&command).expect("the README has the command");
    let lines = shown.lines().take_while(|line| !line.starts_with("$ ") && *line != "```");
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn an_issue_is_opened_commented_closed_and_shown() {
    let folder = folder();
    let data = folder.path();
    assert_eq!(prints(data, &["open", "home", "Label the jars"]), "opened home#1\n");
    assert_eq!(prints(data, &["open", "home", "Buy jars", "--author", "ada"]), "opened home#2\n");
    assert_eq!(prints(data, &["author", "grace"]), "grace\n");
    assert_eq!(prints(data, &["comment", "home", "1", "Which ones?\nAll?"]), "commented on home#1\n");
    assert_eq!(prints(data, &["close", "home", "1"]), "closed home#1\n");
    let shown = prints(data, &["show", "home", "1"]);
    let shown: Vec<_> =
        shown.lines().map(|line| line.get(18..).filter(|_| line.starts_with("20")).unwrap_or(line)).collect();
    let expected = [
        "home#1  closed  Label the jars",
        "",
        "tester opened it",
        "",
        "grace said",
        "    Which ones?",
        "    All?",
        "",
        "grace closed it",
    ];
    assert_eq!(shown, expected);
    let issue = json(data, &["show", "home#2"]);
    assert_eq!((&issue["title"], &issue["state"]), (&"Buy jars".into(), &"open".into()));
    assert_eq!(issue["activities"][0]["author"], "ada");
    let headline = &json(data, &["list", "home", "--state", "closed"])[0];
    assert_eq!((&headline["number"], &headline["comments"]), (&1.into(), &1.into()));
    let missing = run(data, &["comment", "home", "9", "hm"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("workspace `home` has no issue 9"), "{}", text(&missing.stderr));
    assert_eq!(json(data, &["stats"])["stores"].as_array().map(Vec::len), Some(3), "no store was made for it");
}

#[test]
fn stats_count_stores_events_and_evictions() {
    let folder = folder();
    prints(folder.path(), &["import"]);
    let stats = json(folder.path(), &["stats"]);
    let of = |definition: &str| {
        let lines = stats["stores"].as_array().expect("an array");
        lines.iter().find(|line| line["definition"] == definition).expect("the definition").clone()
    };
    assert_eq!((&of("workspace")["stored"], &of("workspace")["events"]), (&2.into(), &LINES.into()));
    assert_eq!((&of("issue")["stored"], &of("issue")["events"]), (&1_127.into(), &LINES.into()));
    assert!(of("issue")["bytes"].as_u64() > Some(1_127 * 4096));
    assert!(stats["evictions"].as_u64() > Some(900), "{stats}");
    assert!(prints(folder.path(), &["stats"]).contains("evictions"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = folder();
    prints(folder.path(), &["import"]);
    let mut child = program(folder.path(), &["list", "--limit", "0", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().expect("a pipe");
    std::io::Read::read_exact(&mut stdout, &mut first).expect("something is printed");
    drop(stdout);
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn standard_input_is_read_and_a_missing_file_is_named() {
    let folder = folder();
    let mut child = program(folder.path(), &["import", "--input", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    writeln!(child.stdin.take().expect("a pipe"), "{OPENED}\n{CLOSED}").expect("the program reads");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("one line");
    assert!(line.starts_with("2 activities imported"), "{line}");
    assert!(child.wait().expect("the program ends").success());
    let missing = run(folder.path(), &["import", "--input", "no-such-file"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).starts_with("issues: no-such-file cannot be read: "), "{}", text(&missing.stderr));
}
