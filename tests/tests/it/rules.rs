//! The registry's rules in DESIGN.md: each number there has tests called after it, and each test's number is there.

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn every_rule_of_the_design_has_tests_and_every_test_of_a_rule_has_its_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    let design = fs::read_to_string(root.join("DESIGN.md")).expect("the page");
    let (_, rules) = design.split_once("\n## The registry's rules\n").expect("DESIGN.md has the rules");
    let rules = rules.split("\n## ").next().unwrap_or_default();
    let numbers: Vec<usize> =
        rules.lines().filter_map(|line| line.split_once(". ")).filter_map(|(number, _)| number.parse().ok()).collect();
    assert_eq!(numbers, (1..=14).collect::<Vec<_>>(), "the rules are numbered one after the other");
    let tested = tested(&root.join("tests/tests/it/registry"));
    assert_eq!(
        tested,
        numbers.into_iter().collect::<BTreeSet<_>>(),
        "the numbers of the tests (left) and of the rules (right)"
    );
}

/// The numbers of all tests that are called `rule_NN_..`.
fn tested(folder: &Path) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for file in fs::read_dir(folder).expect("the tests of the registry") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("a source file");
        let names = text.split("fn rule_").skip(1);
        found.extend(names.filter_map(|rest| rest.split('_').next()?.parse::<usize>().ok()));
    }
    found
}
