//! What a user of `larder` compiles: a new dependency is a decision, seen in this file.

use std::{collections::BTreeSet, path::Path, process::Command};

/// Every crate that `larder` with its default features brings along, build tools and macros included. Versions are left to `Cargo.lock`.
const COMPILED: &[&str] = &[
    "arrayvec",
    "bitflags",
    "blake3",
    "bytes",
    "cc",
    "cfg-if",
    "constant_time_eq",
    "cpufeatures",
    "fallible-iterator",
    "fallible-streaming-iterator",
    "find-msvc-tools",
    "foldhash",
    "futures-core",
    "futures-sink",
    "futures-task",
    "futures-util",
    "getrandom",
    "hashbrown",
    "hashlink",
    "itoa",
    "jiff",
    "jiff-core",
    "larder",
    "larder-macros",
    "libc",
    "libsqlite3-sys",
    "memchr",
    "once_cell",
    "pin-project-lite",
    "pkg-config",
    "proc-macro2",
    "quote",
    "rusqlite",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_json",
    "shlex",
    "slab",
    "smallvec",
    "syn",
    "thiserror",
    "thiserror-impl",
    "tokio",
    "tokio-util",
    "tracing",
    "tracing-attributes",
    "tracing-core",
    "unicode-ident",
    "uuid",
    "vcpkg",
    "zmij",
];

#[test]
fn a_user_compiles_these_crates_and_no_others() {
    let found = cargo_tree();
    let known: BTreeSet<String> = COMPILED.iter().map(ToString::to_string).collect();
    let added: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(added.is_empty() && gone.is_empty(), "new: {added:?}, no longer there: {gone:?}; is that meant?");
}

#[test]
fn nothing_registers_itself_globally_or_runs_before_main() {
    for registration in ["ctor", "inventory", "linkme", "lazy_static"] {
        assert!(!COMPILED.contains(&registration), "`{registration}` does");
    }
}

#[test]
fn the_list_is_sorted_and_has_nothing_twice() {
    assert!(COMPILED.is_sorted_by(|left, right| left < right), "keep `COMPILED` sorted");
}

fn cargo_tree() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "larder", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .args(["--offline", "--locked"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo prints text");
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}
