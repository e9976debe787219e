//! README and the other pages: what they show is what is there.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const PAGES: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "DESIGN.md",
    "GLOSSARY.md",
    "CHANGELOG.md",
    "docs/promises.md",
    "docs/reading.md",
    "docs/compile-errors.md",
    "docs/server.md",
    "docs/sync.md",
    "docs/beside-livestore.md",
];

/// Avoided words that mean nothing else here, so that they can be looked for everywhere.
const NOWHERE: [&str; 6] = ["reducer", "projector", "ttl", "dispatch", "mutate", "watcher"];

#[test]
fn the_quickstart_of_the_readme_is_the_example() {
    let example = read("examples/quickstart/src/main.rs");
    let (_, rest) = example.split_once("// readme: begin\n").expect("the example marks where the snippet begins");
    let (snippet, _) = rest.split_once("// readme: end").expect("the example marks where the snippet ends");
    let readme = read("README.md");
    let (_, rest) = readme.split_once("```rust\n").expect("the README has Rust in it");
    let (shown, _) = rest.split_once("```").expect("the snippet ends");
    assert_eq!(shown, snippet, "copy the part of `examples/quickstart/src/main.rs` between the markers into README.md");
}

#[test]
fn the_first_two_commands_of_the_readme_are_what_ci_runs() {
    let readme = read("README.md");
    let commands: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("$ ")).take(2).collect();
    assert_eq!(commands, ["cargo run -p issues -- import", "cargo test --workspace"]);
    let ci = read(".ci/run");
    assert!(ci.lines().any(|line| line == commands[1]), "`.ci/run` does not run `{}`", commands[1]);
}

#[test]
fn the_error_that_the_readme_shows_is_what_the_compiler_says() {
    let said = read("ui-tests/fail/store/table_of_another_store.stderr");
    let readme = read("README.md");
    let (_, rest) = readme.split_once("```text\nerror").expect("the README shows an error");
    let (shown, _) = rest.split_once("```").expect("the block ends");
    for line in format!("error{shown}").lines() {
        assert!(said.lines().any(|found| found == line), "the compiler does not say: {line}");
    }
}

#[test]
fn links_in_the_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    for page in PAGES {
        let text = read(page);
        for (_, rest) in text.match_indices("](").map(|(at, mark)| text.split_at(at + mark.len())) {
            let target = rest.split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { root.join(page) } else { root.join(page).with_file_name("").join(file) };
            assert!(file.exists(), "{page} links to `{target}`, which is not there");
            let headings = read_headings(&file.to_string_lossy());
            assert!(
                heading.is_empty() || headings.iter().any(|known| known == heading),
                "{page}: no heading `{target}`"
            );
        }
    }
}

#[test]
fn files_that_the_pages_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    let folders = [
        "macros/",
        "runtime/",
        "wire/",
        "server/",
        "tests/",
        "ui-tests/",
        "examples/",
        "benches/",
        "crash/",
        "fuzz/",
        "docs/",
        ".ci/",
    ];
    for page in PAGES {
        let text = read(page);
        let named =
            text.split('`').skip(1).step_by(2).filter(|name| folders.iter().any(|folder| name.starts_with(folder)));
        for name in named.filter(|name| !name.contains(' ')) {
            let found = root.join(name).exists() || root.join(format!("{name}.rs")).exists();
            assert!(found, "{page} names `{name}`, which is not there");
        }
    }
}

#[test]
fn every_term_of_the_glossary_has_a_meaning_and_is_avoided_for_no_other() {
    let glossary = read("GLOSSARY.md");
    let rows = rows(&glossary);
    assert!(rows.len() > 40, "only {} terms", rows.len());
    let terms: Vec<_> = rows.iter().flat_map(|row| row[0].split(", ")).collect();
    for row in &rows {
        assert_eq!(row.len(), 3, "{row:?} is not term, meaning, avoided words");
        assert!(!row[0].is_empty() && !row[1].is_empty(), "{row:?} has no meaning");
        let avoided = row[2].split(", ").find(|word| terms.contains(word));
        assert_eq!(avoided, None, "{row:?} avoids what is a term");
    }
    let twice = terms.iter().find(|term| terms.iter().filter(|other| other == term).count() > 1);
    assert_eq!(twice, None, "a term stands there twice");
}

#[test]
fn nobody_says_what_the_glossary_avoids() {
    let glossary = read("GLOSSARY.md");
    let avoided: Vec<_> = rows(&glossary).iter().flat_map(|row| row[2].split(", ")).collect();
    let mut texts: Vec<String> =
        PAGES.iter().filter(|page| **page != "GLOSSARY.md").map(|page| (*page).to_owned()).collect();
    for folder in ["runtime/src", "macros/src", "wire/src", "server/src", "examples"] {
        add_sources(folder, &mut texts);
    }
    assert!(texts.len() > 200, "only {} files", texts.len());
    for word in NOWHERE {
        assert!(avoided.contains(&word), "`{word}` is not avoided");
        for path in &texts {
            let text = read(path).to_lowercase();
            let said = text.split(|found: char| !found.is_alphanumeric()).any(|found| found == word);
            assert!(!said, "{path} says `{word}`; GLOSSARY.md has the word for it");
        }
    }
}

fn add_sources(folder: &str, texts: &mut Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    for entry in fs::read_dir(root.join(folder)).expect("a folder of the repository") {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            add_sources(&path, texts);
        } else if path.ends_with(".rs") {
            texts.push(path);
        }
    }
}

/// Term, meaning and avoided words.
fn rows(glossary: &str) -> Vec<Vec<&str>> {
    glossary
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| term"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn read_headings(page: &str) -> Vec<String> {
    if !page.ends_with(".md") {
        return Vec::new();
    }
    let anchor = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept: String = text.chars().filter(|found| found.is_alphanumeric() || " -_".contains(*found)).collect();
        kept.replace(' ', "-")
    };
    read(page).lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}
