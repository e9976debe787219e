//! The page of promises: every test that it names is there, and tries as much as the page says.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/promises.md")).expect("the page")
}

/// Words in backticks that are names of tests.
fn tests_in(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.contains("::") && !word.contains(' ') && source_folder(word).is_some()).collect()
}

/// Where the modules of a program of tests stand.
fn source_folder(test: &str) -> Option<&'static str> {
    match test.split("::").next()? {
        "it" => Some("tests/tests/it"),
        "larder" => Some("runtime/src"),
        "crash" => Some("crash/tests/it"),
        "bytes" => Some("benches/tests/bytes"),
        "server" => Some("server/tests/it"),
        "wire" => Some("wire/tests/it"),
        _ => None,
    }
}

/// The source of a test, `None` when there is no such test.
fn source(test: &str) -> Option<String> {
    let parts: Vec<&str> = test.split("::").collect();
    let (name, modules) = (parts.last()?, &parts[1..parts.len() - 1]);
    let folder = root().join(source_folder(test)?);
    // A module `tests` may stand in a file of its own or at the end of its parent's.
    let of = |modules: &[&str]| -> PathBuf { folder.join(modules.join("/")).with_extension("rs") };
    let files = [of(modules), of(&modules[..modules.len().saturating_sub(1)])];
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).find(|text| holds(text, name))
}

fn holds(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declared =
        |line: &str| line.starts_with(&format!("fn {name}(")) || line.starts_with(&format!("async fn {name}("));
    lines.iter().enumerate().any(|(at, line)| {
        let above = &lines[at.saturating_sub(3)..at];
        declared(line) && above.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

/// Numbers of at least two digits, without what groups their digits.
fn numbers(text: &str, group: char) -> BTreeSet<String> {
    let kept: String = text.chars().filter(|found| *found != group).collect();
    let runs = kept.split(|found: char| !found.is_ascii_digit());
    runs.filter(|run| run.len() > 1).map(str::to_owned).collect()
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = page();
    let tests = tests_in(&page);
    assert!(tests.len() > 60, "only {} tests", tests.len());
    let missing: Vec<_> = tests.into_iter().filter(|test| source(test).is_none()).collect();
    assert!(missing.is_empty(), "the page names tests that are not there: {missing:#?}");
}

#[test]
fn every_promise_has_a_test_and_its_count_is_in_the_tests_source() {
    let page = page();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    for row in rows {
        let columns: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [promise, tests, tried] = columns[..] else { panic!("{row}: not promise, tests, count") };
        let sources: String = tests_in(tests).into_iter().filter_map(source).collect();
        assert!(!sources.is_empty(), "no test of: {promise}");
        let (claimed, known) = (numbers(tried, ','), numbers(&sources, '_'));
        assert!(claimed.is_subset(&known), "{promise}: {tried}: not in the sources of {tests}");
    }
}
