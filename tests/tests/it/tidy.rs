//! What a text search can see of the rules of the code base: headers, sizes, words, and which file may name what.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest source file, in lines.
const MAX_LINES: usize = 400;

/// Longest function, in lines.
const MAX_FUNCTION_LINES: usize = 70;

struct Source {
    /// From the repository's root, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn is_under(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether this is `module.rs` or a file of the folder `module/`.
    fn is_module(&self, module: &str) -> bool {
        self.path == format!("{module}.rs") || self.is_under(module)
    }

    /// Lines of code with their numbers: no comments, no docs, and nothing from the unit tests at the end of the file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut following = self.text.lines().skip(1);
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        // A module of tests that is only declared has a file of its own, and the code goes on.
        let ends = move |line: &str, next: Option<&str>| {
            line == "#[cfg(test)]" && next.is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'))
        };
        let code = lines.take_while(move |(_, line)| !ends(line, following.next()));
        code.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// `path:line: why` for every line of code that holds one of the words.
    fn findings(&self, words: &[&str], why: &str) -> Vec<String> {
        let found = self.code().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        found.map(|(at, line)| format!("{}:{at}: {why}: {}", self.path, line.trim())).collect()
    }
}

#[test]
fn what_stands_behind_a_declared_test_module_is_searched_too() {
    let text =
        "mod a;\n#[cfg(test)]\nmod tests;\nuse rusqlite::b;\n#[cfg(test)]\nmod tests {\n    use rusqlite::c;\n}\n";
    let source = Source { path: "x.rs".to_owned(), text: text.to_owned() };
    assert_eq!(source.findings(&["rusqlite"], "why"), ["x.rs:4: why: use rusqlite::b;"]);
}

#[test]
fn every_source_file_says_in_its_first_line_what_it_is() {
    let without = sources().into_iter().filter(|source| source.path.ends_with(".rs"));
    let without = without.filter(|source| {
        // A case of the ui tests is one mistake with the reason above it.
        let header = if source.is_under("ui-tests/tests") { "//" } else { "//! " };
        !source.text.starts_with(header)
    });
    none(without.map(|source| format!("{}: no header line", source.path)).collect());
}

#[test]
fn no_source_file_is_longer_than_400_lines() {
    let mut long = Vec::new();
    for Source { path, text } in sources().iter().filter(|source| source.path.ends_with(".rs")) {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            long.push(format!("{path}: {lines} lines, at most {MAX_LINES}"));
        }
    }
    none(long);
}

#[test]
fn no_function_is_longer_than_70_lines() {
    let mut long = Vec::new();
    for Source { path, text } in sources().iter().filter(|source| source.path.ends_with(".rs")) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins_a_function(line)) {
            // As `cargo fmt` leaves it, a function ends where a brace or a semicolon stands as far to the left as it begins.
            let indent = &line[..line.len() - line.trim_start().len()];
            let ends = |line: &&str| {
                line.strip_prefix(indent)
                    .is_some_and(|rest| rest == "}" || (!rest.starts_with(' ') && rest.ends_with(';')))
            };
            let one_line = line.ends_with([';', '}']);
            let length = if one_line { 1 } else { lines[at..].iter().position(ends).map_or(1, |end| end + 1) };
            if length > MAX_FUNCTION_LINES {
                long.push(format!("{path}:{}: {length} lines, at most {MAX_FUNCTION_LINES}", at + 1));
            }
        }
    }
    none(long);
}

fn begins_a_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let before = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern"];
    words.find(|word| !before.contains(word)) == Some("fn")
}

#[test]
fn pages_and_scripts_have_no_tabs_and_no_trailing_blanks() {
    let mut found = Vec::new();
    // `cargo fmt` looks after Rust, and the compiler's words are what they are.
    let kept_by_others = [".rs", ".stderr"];
    let checked = |source: &&Source| !kept_by_others.iter().any(|ending| source.path.ends_with(ending));
    for source in sources().iter().filter(checked) {
        for (at, line) in source.text.lines().enumerate() {
            if line.contains('\t') || line.ends_with(' ') {
                found.push(format!("{}:{}: a tab, or a blank at the end", source.path, at + 1));
            }
        }
    }
    none(found);
}

#[test]
fn nothing_names_a_machine() {
    // In pieces, so that this file does not hold them.
    none(holding(
        &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("../sha", "red"), concat!("crates", ".io")],
        &[],
    ));
    // There the mounts of a machine are what is tested.
    none(holding(&[concat!("/ho", "me/")], &["runtime/src/storage/network.rs"]));
}

#[test]
fn nothing_promises_later_work_or_silences_a_check() {
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("allow(dead_", "code)"),
        concat!("allow(un", "used)"),
        concat!("allow(unused_im", "ports"),
        concat!("allow(unused_var", "iables"),
        concat!("allow(unused_must", "_use"),
        concat!("#[ign", "ore"),
        concat!("db", "g!("),
    ];
    // The stub of a macro that has failed stands beside a compile error and never runs, as do the cases of the ui tests.
    // Whether a user's crate imports a table's macro is nothing to warn its author of. One test needs an input that is too large to ship.
    let except = ["macros/src/stub.rs", "macros/src/relay.rs", "ui-tests/", "examples/issues/tests/cli.rs"];
    none(holding(&words, &except));
}

/// `path:line: word` for every line with one of the words, but for the files below one of the paths.
fn holding(words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !except.iter().any(|path| source.path.starts_with(path))) {
        for (at, line) in source.text.lines().enumerate() {
            let word = words.iter().find(|word| line.contains(*word));
            found.extend(word.map(|word| format!("{}:{}: `{word}`", source.path, at + 1)));
        }
    }
    found
}

#[test]
fn no_module_is_called_utils_or_common() {
    let vague = ["utils", "util", "common", "helpers", "misc"];
    let named = sources().into_iter().filter(|source| !source.is_under("examples"));
    let named = named.filter(|source| source.path.split(['/', '.']).any(|part| vague.contains(&part)));
    none(named.map(|source| format!("{}: a name that says nothing", source.path)).collect());
}

#[test]
fn invariant_1_macros_name_runtime_items_only_through_private() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_under("macros")) {
        for (at, line) in source.code() {
            let foreign = |path: &str| {
                line.match_indices(path).any(|(start, path)| !line[start + path.len()..].starts_with("__private"))
            };
            // By its name, and by the path that `crate = path` gives it.
            let paths = ["::larder::", concat!("#kra", "te::"), concat!("#kra", "te ::"), concat!("#pa", "th::")];
            if paths.into_iter().any(foreign) {
                found.push(format!("{}:{at}: not through `__private`: {}", source.path, line.trim()));
            }
        }
    }
    none(found);
}

#[test]
fn invariant_2_only_storage_sqlite_names_rusqlite() {
    let outside = runtime().into_iter().filter(|source| !source.is_module("runtime/src/storage/sqlite"));
    none(outside.flat_map(|source| source.findings(&["rusqlite"], "only `storage/sqlite.rs` may")).collect());
}

#[test]
fn invariant_2_only_the_clock_reads_time_sleeps_or_spawns() {
    let words = [
        "Instant::now",
        "SystemTime",
        "Timestamp::now",
        "Zoned::now",
        "now_v7",
        "tokio::spawn",
        "tokio::task",
        "tokio::time",
        "tokio::runtime",
        "thread::spawn",
        "thread::scope",
        "thread::sleep",
        "thread::Builder",
        "thread::park",
        "park_timeout",
        "wait_timeout",
        "recv_timeout",
    ];
    let outside = runtime().into_iter().filter(|source| !source.is_module("runtime/src/clock"));
    none(outside.flat_map(|source| source.findings(&words, "only `clock.rs` may")).collect());
}

#[test]
fn invariant_3_the_state_machines_are_pure() {
    let words = ["async ", ".await", "Mutex", "RwLock", "Atomic", "Instant", "SystemTime", "::now", ".now()", "random"];
    let pure = ["runtime/src/registry/entry", "runtime/src/sync/state"];
    let machines: Vec<_> =
        runtime().into_iter().filter(|source| pure.iter().any(|module| source.is_module(module))).collect();
    assert!(
        machines.iter().any(|source| source.path == "runtime/src/registry/entry.rs"),
        "the registry has no machine"
    );
    none(machines.iter().flat_map(|source| source.findings(&words, "not in a pure machine")).collect());
}

#[test]
fn invariant_7_no_crate_may_loosen_the_lints() {
    let root = read(&root().join("Cargo.toml"));
    assert!(root.contains("unsafe_code = \"forbid\""), "the workspace's lints no longer forbid unsafe code");
    let sources = sources();
    let excepted = |path: &str| WITH_UNSAFE_CODE.iter().find(|(manifest, _)| *manifest == path);
    let manifests = sources.iter().filter(|source| source.path.ends_with("/Cargo.toml"));
    let loose = manifests
        .filter(|source| !source.text.contains("[lints]\nworkspace = true") && excepted(&source.path).is_none());
    none(loose.map(|source| format!("{}: add `[lints]` and `workspace = true`", source.path)).collect());

    // The exceptions are not published, have the workspace's lints but for one, and allow it in one file.
    let lints = |text: &str| {
        let tables = ["lints.rust]", "lints.clippy]"].map(|table| text.split(table).nth(1).unwrap_or_default());
        tables.map(|table| table.split("\n[").next().unwrap_or_default().trim().to_owned())
    };
    for (manifest, file) in WITH_UNSAFE_CODE {
        let exception = sources.iter().find(|source| source.path == *manifest).expect("the manifest is there");
        assert!(exception.text.contains("publish = false"));
        assert_eq!(lints(&exception.text), lints(&root.replace("\"forbid\"", "\"deny\"")), "{manifest}");
        let folder = manifest.trim_end_matches("/Cargo.toml");
        let allows = sources.iter().filter(|source| source.is_under(folder) && source.text.contains("allow("));
        let others = allows.filter(|source| source.path != *file);
        none(others.map(|source| format!("{}: allows a lint", source.path)).collect());
    }
}

/// Crates with unsafe code, for tests and measurements alone: the manifest, and the one file with it. One stands between larder and the
/// operating system, one counts bytes in a global allocator.
const WITH_UNSAFE_CODE: &[(&str, &str)] =
    &[("crash/Cargo.toml", "crash/src/system.rs"), ("benches/Cargo.toml", "benches/src/heap.rs")];

#[test]
fn the_registry_and_the_store_take_locks_where_the_tests_of_races_see_them() {
    let folders = ["runtime/src/registry", "runtime/src/store", "runtime/src/clock"];
    // A static one: it lives longer than any schedule.
    let checked = |source: &&Source| {
        folders.iter().any(|folder| source.is_module(folder)) && source.path != "runtime/src/store/deprecated.rs"
    };
    let mut found = Vec::new();
    for source in runtime().iter().filter(checked) {
        let uses = source.text.split("use std::").skip(1).filter_map(|rest| rest.split(';').next());
        for word in ["Mutex", "Condvar", "RwLock", "Atomic"] {
            if uses.clone().any(|names| names.contains(word)) {
                found.push(format!("{}: take `{word}` from `crate::primitives`", source.path));
            }
        }
    }
    none(found);
}

/// The runtime without its unit tests.
fn runtime() -> Vec<Source> {
    let tests = |source: &Source| {
        source.path.ends_with("/tests.rs")
            || source.path.contains("/tests/")
            || source.is_module("runtime/src/registry/races")
    };
    let shipped = |source: &Source| source.is_under("runtime/src") && !tests(source);
    sources().into_iter().filter(shipped).collect()
}

/// Every text of the repository that people write.
fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository is readable") {
            let path = entry.expect("an entry is readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                let skipped = name == "target" || name == "wip" || (name.starts_with('.') && name != ".ci");
                if !skipped {
                    folders.push(path);
                }
            } else if is_text(&path, &name) {
                let relative = path.strip_prefix(&root).expect("below the root");
                let path_text = relative.to_string_lossy().replace('\\', "/");
                found.push(Source { text: read(&path), path: path_text });
            }
        }
    }
    assert!(found.len() > 50, "only {} files found below {}", found.len(), root.display());
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

fn is_text(path: &Path, name: &str) -> bool {
    let known = ["rs", "md", "toml", "stderr"];
    ["run", "races", "long"].contains(&name)
        || path.extension().is_some_and(|extension| known.iter().any(|known| extension == *known))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder").to_owned()
}

fn none(found: Vec<String>) {
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}
