//! Two people at work at the same time, each with a process and a data dir of their own, and the real server between them.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Stdio},
    thread,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{folder, json, prints, program, run, server::SyncServer, state, text};

/// So many lines are taken in one go, more than an import reads ahead.
const LINES: u64 = 40;

/// How often each of the two has its turn while the other runs.
const ROUNDS: u64 = 4;

/// An import of one person that goes on for as long as lines are written to it.
struct Importing(Child);

impl Importing {
    fn begin(data: &TempDir, url: &str) -> Self {
        let mut command = program(data.path(), &["--sync", url, "--json", "import", "--input", "-"]);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts"))
    }

    /// Comments of one person in one round, in two workspaces.
    fn comment(&mut self, author: &str, round: u64) {
        let stdin = self.0.stdin.as_mut().expect("a pipe");
        for line in 0..LINES {
            let (workspace, issue) = (["a/b", "c/d"][line as usize % 2], 1 + line / 2 % 2);
            let at = 1_700_000_100 + round * LINES + line;
            let comment = serde_json::json!({
                "workspace": workspace, "issue": issue, "kind": "commented", "at": at, "author": author,
                "body": format!("{author}, round {round}, line {line}"),
            });
            writeln!(stdin, "{comment}").expect("it reads on");
        }
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("a process").is_none()
    }

    /// What it says when there is nothing more to read.
    fn end(mut self) -> Value {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("a line of JSON")
    }
}

/// A third person who only looks on.
struct Looking {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Looking {
    fn begin(data: &Path, url: &str, workspace: &str) -> Self {
        let mut command = program(data, &["--sync", url, "--json", "watch", workspace]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// Reads on until there are so many comments.
    fn sees(&mut self, comments: u64) {
        loop {
            let line = self.lines.next().expect("it goes on").expect("text");
            let shown: Value = serde_json::from_str(&line).expect("a line of JSON");
            if shown["comments"].as_u64() >= Some(comments) {
                return;
            }
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An event's place in the agreed order, without how often it was rebased on its way there.
fn place(number: &Value) -> String {
    let number = number.as_str().expect("text");
    number.split('r').next().unwrap_or(number).to_owned()
}

/// Both have what the server has, and print the same of it.
fn both_print_the_same(ada: &TempDir, ben: &TempDir, url: &str, workspaces: &[&str]) {
    for data in [ada, ben] {
        // What one has sent last the other has not asked for yet.
        let status = json(data.path(), &["--sync", url, "sync-status"]);
        for standing in status.as_array().expect("an array") {
            let counts = ["pending", "pending_of_issues", "behind"].map(|count| standing[count].as_u64());
            assert_eq!((standing["phase"].as_str(), counts), (Some("live"), [Some(0); 3]), "{status}");
            assert_eq!(place(&standing["confirmed"]), place(&standing["head"]), "{status}");
            assert_eq!(standing["error"], Value::Null, "{status}");
        }
        let table = prints(data.path(), &["--sync", url, "sync-status"]);
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(lines.next().as_deref(), Some("workspace sync confirmed head pending of issues behind"));
        for (line, standing) in lines.by_ref().zip(status.as_array().expect("an array")) {
            let field = |field: &str| standing[field].as_str().expect("text");
            let [workspace, confirmed, head] = ["workspace", "confirmed", "head"].map(field);
            assert_eq!(line, format!("{workspace} live {confirmed} {head} 0 0 0"));
        }
        assert_eq!(lines.next(), None, "nothing is wrong: {table}");
        for workspace in workspaces {
            prints(data.path(), &["--sync", url, "join", workspace]);
        }
    }
    let heads = |data: &TempDir| {
        let status = json(data.path(), &["--sync", url, "sync-status"]);
        status.as_array().expect("an array").iter().map(|standing| place(&standing["head"])).collect::<Vec<_>>()
    };
    assert_eq!(heads(ada), heads(ben));
    for workspace in workspaces {
        let list = |data: &TempDir| prints(data.path(), &["list", workspace, "--limit", "0", "--json"]);
        assert_eq!(list(ada), list(ben));
        for issue in json(ada.path(), &["list", workspace, "--limit", "0"]).as_array().expect("an array") {
            let route = format!("{workspace}#{}", issue["number"]);
            assert_eq!(prints(ada.path(), &["show", &route]), prints(ben.path(), &["show", &route]));
        }
    }
    // Row for row and number for number, of each store.
    assert_eq!(state(ada.path()), state(ben.path()));
}

#[test]
fn two_processes_that_run_at_the_same_time_come_to_the_same_workspaces() {
    let (folders, [ada, ben, carl]) = (folder(), [folder(), folder(), folder()]);
    let server = SyncServer::start(&folders.path().join("server"), &[]);
    let url = server.url();
    for workspace in ["a/b", "c/d"] {
        for title in ["It leaks", "It is slow"] {
            prints(ada.path(), &["--sync", &url, "open", workspace, title]);
        }
        for data in [&ben, &carl] {
            assert_eq!(
                prints(data.path(), &["--sync", &url, "join", workspace]),
                format!("2 issues of {workspace} are here\n")
            );
        }
    }
    let mut looking = Looking::begin(carl.path(), &url, "a/b");
    let (mut of_ada, mut of_ben) = (Importing::begin(&ada, &url), Importing::begin(&ben, &url));
    for round in 0..ROUNDS {
        // What is read ahead waits for the next round.
        let comments_before = round * LINES;
        of_ada.comment("ada", round);
        looking.sees(comments_before + LINES / 4);
        of_ben.comment("ben", round);
        looking.sees(comments_before + LINES / 2);
        assert!(of_ada.is_running() && of_ben.is_running(), "each commits while the other runs");
    }
    // Both at once, and their ends too.
    let both = [(of_ada, "ada"), (of_ben, "ben")].map(|(mut importing, author)| {
        thread::spawn(move || {
            importing.comment(author, ROUNDS);
            importing.end()
        })
    });
    for ended in both {
        let summary = ended.join().expect("no panic");
        assert_eq!((&summary["new"], &summary["bad"]), (&((ROUNDS + 1) * LINES).into(), &0.into()), "{summary}");
    }
    looking.sees((ROUNDS + 1) * LINES);
    both_print_the_same(&ada, &ben, &url, &["a/b", "c/d"]);
    assert_eq!(json(ben.path(), &["workspaces"])[0]["comments"], (ROUNDS + 1) * LINES, "and nothing is missing");
}

#[test]
fn issues_that_two_open_at_the_same_time_get_numbers_of_their_own() {
    const EACH: usize = 6;
    let (folders, [ada, ben]) = (folder(), [folder(), folder()]);
    let server = SyncServer::start(&folders.path().join("server"), &[]);
    let url = server.url();
    prints(ada.path(), &["--sync", &url, "open", "a/b", "The first"]);
    prints(ben.path(), &["--sync", &url, "join", "a/b"]);
    thread::scope(|scope| {
        for (author, data) in [("ada", &ada), ("ben", &ben)] {
            let url = &url;
            scope.spawn(move || {
                for number in 0..EACH {
                    let title = format!("{author} {number}");
                    prints(data.path(), &["--sync", url, "open", "a/b", &title, "--author", author]);
                }
            });
        }
    });
    both_print_the_same(&ada, &ben, &url, &["a/b"]);
    let list = json(ada.path(), &["list", "a/b", "--limit", "0"]);
    let mut titles: Vec<_> =
        list.as_array().expect("an array").iter().map(|issue| issue["title"].as_str().expect("a title")).collect();
    titles.sort_unstable();
    let own = |author: &str| (0..EACH).map(|number| format!("{author} {number}")).collect::<Vec<_>>();
    assert_eq!(titles, [vec!["The first".to_owned()], own("ada"), own("ben")].concat(), "each once, and none is lost");
}

#[test]
fn an_issue_opened_offline_under_a_number_that_another_one_got_first_is_said_until_it_is_opened_again() {
    let (folders, [ada, ben]) = (folder(), [folder(), folder()]);
    let data = folders.path().join("server");
    let server = SyncServer::start(&data, &[]);
    let url = server.url();
    prints(ada.path(), &["--sync", &url, "open", "a/b", "The first"]);
    prints(ben.path(), &["--sync", &url, "join", "a/b"]);
    let address = server.kill();
    assert_eq!(prints(ada.path(), &["--sync", &url, "open", "a/b", "Of ada"]), "opened a/b#2\n");
    let opened = run(ben.path(), &["--sync", &url, "open", "a/b", "Of ben"]);
    assert_eq!((opened.status.success(), text(&opened.stdout)), (true, "opened a/b#2\n".to_owned()));
    let said = text(&opened.stderr);
    assert!(said.contains("cannot be reached") && said.contains("2 events are not sent yet"), "{said}");
    let _server = SyncServer::at(&address.to_string(), &data, &[]);
    prints(ada.path(), &["--sync", &url, "sync-status"]);
    let status = json(ben.path(), &["--sync", &url, "sync-status"]);
    assert_eq!(status[0]["not_taken"], serde_json::json!([{ "number": 2, "title": "Of ben" }]), "{status}");
    let table = prints(ben.path(), &["--sync", &url, "sync-status"]);
    assert!(table.ends_with("\na/b: another issue is #2 now; open yours again: Of ben\n"), "{table}");
    assert_eq!(prints(ben.path(), &["--sync", &url, "open", "a/b", "Of ben"]), "opened a/b#3\n");
    both_print_the_same(&ada, &ben, &url, &["a/b"]);
}
