//! DESIGN.md's tables of the proposal: every name of its API has its place, and what stands beside it is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The names of the proposal's API, in the order in which its types, its functions, its components and its draft have them. What its
/// examples call their own stores, and what is React's, is not among them.
const NAMES: &[&str] = &[
    "defineStore",
    "DefineStoreOptions",
    "DefineStoreOptions.name",
    "DefineStoreOptions.schema",
    "DefineStoreOptions.adapter",
    "DefineStoreOptions.gcTime",
    "DefineStoreOptions.onLoad",
    "LiveStoreSchema",
    "makePersistedAdapter",
    "migrationsReport",
    "MigrationsReport",
    "parentSpan",
    "StoreDefinition",
    "StoreDefinition.definitionId",
    "StoreDefinition.name",
    "storeDef",
    "store.commit",
    "store.useQuery",
    "store.destroy",
    "createStorePromise",
    "StoreRegistry",
    "registry.get",
    "registry.retain",
    "registry.release",
    "registry.preloadStore",
    "PreloadStoreOptions",
    "PreloadStore",
    "abortSignal",
    "registry.has",
    "registry.drop",
    "registry.clear",
    "registry.updateDefaultOptions",
    "StoreDefaultOptions",
    "StoreDefaultOptions.gcTime",
    "StoreDefaultOptions.syncPayload",
    "StoreDefaultOptions.otelOptions",
    "StoreDefaultOptions.batchUpdates",
    "OtelOptions",
    "OtelTracer",
    "otel.Span",
    "LoadStoreOptions",
    "CreateStoreOptions",
    "storeId",
    "DEFAULT_GC_TIME",
    "useStore",
    "UseStoreOptions",
    "useStoreRegistry",
    "StoreRegistryContext",
    "DefaultStoreContext",
    "LiveStoreProvider",
    "LiveStoreProviderProps",
    "MultiStoreProvider",
    "MultiStoreProviderProps",
    "defaultStoreOptions",
    "renderLoading",
    "renderError",
    "LOADING",
    "ACTIVE",
    "INACTIVE",
    "DISPOSED",
    "StoreEntry",
    "loadStore",
    "makeKey",
    "resolveGcTime",
    "updateEntryGcTime",
    "baseGcTime",
    "observerGcTimes",
    "scheduleDrop",
    "dropByKey",
    "gcOverride",
    "createStoreHooks",
    "useStoreInstance",
    "StoreLoader",
    "StoreRegistryProvider",
    "LiveStoreRegistryProvider",
    "LiveStoresProvider",
];

#[test]
fn every_name_of_the_proposal_has_its_place_in_the_table() {
    let left: BTreeSet<String> = rows().iter().flat_map(|(name, _)| words(name)).collect();
    let rows = rows();
    for name in NAMES {
        let is_there = if name.contains('.') {
            rows.iter().any(|(left, _)| spans(left).any(|span| span.starts_with(name)))
        } else {
            left.contains(*name)
        };
        assert!(is_there, "`{name}` of the proposal has no row in DESIGN.md");
    }
}

#[test]
fn what_stands_beside_a_name_of_the_proposal_is_there() {
    let root = root();
    let source: BTreeSet<String> = ["runtime/src", "macros/src"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .flat_map(|text| words(&text))
        .collect();
    let mut looked_at = 0;
    for (name, here) in rows() {
        for span in spans(&here).filter(|span| !span.starts_with('<')) {
            if span.contains('/') {
                assert!(root.join(span).exists(), "{name}: there is no {span}");
                looked_at += 1;
                continue;
            }
            for word in words(span).into_iter().filter(|word| word.len() > 1) {
                assert!(source.contains(&word), "{name}: `{word}` of `{span}` is nowhere in larder");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 100, "{looked_at} words beside the names");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder").to_owned()
}

/// The rows of the table: a name of the proposal, and what it is here.
fn rows() -> Vec<(String, String)> {
    let design = fs::read_to_string(root().join("DESIGN.md")).expect("the page");
    let (_, table) = design.split_once("\n## The proposal's names\n").expect("DESIGN.md has the table");
    let lines =
        table.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let (name, here) = line.trim_matches('|').split_once(" | ")?;
        Some((name.trim().to_owned(), here.trim().to_owned()))
    };
    lines.filter_map(row).collect()
}

/// What stands in backticks.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names in a text.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(fs::read_to_string(path).expect("a source file"));
        }
    }
    found
}
