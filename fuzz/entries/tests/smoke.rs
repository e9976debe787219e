//! The fuzz targets' functions over the corpus and seeded mutations of it, so that every run of the tests runs them.

use std::{fs, path::Path};

use larder_fuzz_entries::{events, frames, macros, mutations::mutated, stores};
use larder_tests::ledger::Mix;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("the corpus").map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 8, "{} has {} seeds", folder.display(), files.len());
    files.iter().map(|file| fs::read(file).expect("a seed")).collect()
}

/// Runs the corpus and so many mutations of it. `LARDER_FUZZ_RUNS` multiplies them, for a longer look.
fn run(target: &str, runs: usize, entry: fn(&[u8])) {
    let corpus = corpus(target);
    corpus.iter().for_each(|seed| entry(seed));
    let factor = std::env::var("LARDER_FUZZ_RUNS").ok().and_then(|factor| factor.parse().ok()).unwrap_or(1);
    let mut mix = Mix::new(0x1a2d);
    for _ in 0..runs * factor {
        entry(&mutated(&corpus, &mut mix));
    }
}

#[test]
fn any_arguments_decode_or_are_refused() {
    run("events", 100_000, events::run);
}

#[test]
fn any_frame_or_url_is_read_or_refused_and_written_as_it_was_read() {
    run("frames", 100_000, frames::run);
}

#[test]
fn any_source_text_expands_or_is_refused() {
    run("macros", 50_000, macros::run);
}

#[test]
fn any_sql_is_checked_or_refused() {
    run("queries", 2_000, macros::run);
}

#[test]
fn any_file_opens_or_is_refused() {
    run("stores", 300, stores::run);
}
