//! The page of compile errors: each case of `ui-tests/fail` stands there with its message and with what to write instead.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const PAGE: &str = "docs/compile-errors.md";

/// What the page says under one heading.
struct Section<'a> {
    message: &'a str,
    remedy: &'a str,
}

#[test]
fn every_compile_error_has_its_heading_message_and_remedy() {
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    let (said, cases) = (sections(&page), cases());
    assert!(cases.len() > 180, "only {} cases", cases.len());
    let (headings, names): (BTreeSet<_>, BTreeSet<_>) =
        (said.keys().map(|name| (*name).to_owned()).collect(), cases.keys().cloned().collect());
    let gone: Vec<_> = headings.difference(&names).collect();
    assert!(gone.is_empty(), "{PAGE}: no such case in `ui-tests/fail`: {gone:?}");
    let missing: String = names.difference(&headings).map(|name| skeleton(name, &cases[name])).collect();
    assert!(missing.is_empty(), "add to {PAGE}, and say what to write instead:\n\n{missing}");
    for (name, message) in &cases {
        let section = &said[name.as_str()];
        assert_eq!(section.message, message, "{PAGE}: {name}: the compiler says something else (right)");
        assert!(
            section.remedy.len() > 15 && section.remedy.ends_with('.'),
            "{PAGE}: {name}: a sentence on what to write"
        );
    }
}

/// What to add for a case: all but the remedy.
fn skeleton(name: &str, message: &str) -> String {
    format!("### {name}\n\n```text\n{message}\n```\n\nWrite ..\n\n")
}

/// By heading.
fn sections(page: &str) -> BTreeMap<&str, Section<'_>> {
    let mut found = BTreeMap::new();
    for section in page.split("\n### ").skip(1) {
        let section = section.split("\n## ").next().unwrap_or_default();
        let (name, rest) = section.split_once('\n').unwrap_or((section, ""));
        let (message, remedy) =
            rest.split_once("```text\n").and_then(|(_, rest)| rest.split_once("\n```\n")).unwrap_or_default();
        let earlier = found.insert(name, Section { message, remedy: remedy.trim() });
        assert!(earlier.is_none(), "{PAGE}: {name} stands there twice");
    }
    found
}

/// The first line of every message on file, by `folder/name`.
fn cases() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let folders = fs::read_dir(root().join("ui-tests/fail")).expect("the cases");
    for folder in folders.map(|folder| folder.expect("a folder").path()).filter(|path| path.is_dir()) {
        for file in fs::read_dir(&folder).expect("a folder of cases").map(|file| file.expect("a file").path()) {
            if file.extension().is_some_and(|extension| extension == "stderr") {
                let (folder, name) = (folder.file_name().expect("a name"), file.file_stem().expect("a name"));
                let text = fs::read_to_string(&file).expect("a message");
                let name = format!("{}/{}", folder.to_string_lossy(), name.to_string_lossy());
                found.insert(name, text.lines().next().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder")
}
