//! Cargo is told that this program is its compiler: it hands over to `rustc`, and notes how long each crate takes.

use std::{
    fs::OpenOptions,
    io::Write,
    path::Path,
    process::{Command, ExitCode},
    time::Instant,
};

use crate::Outcome;

/// The file that it notes in.
const NOTES: &str = "LARDER_COMPILE_NOTES";

/// Compiles, if cargo runs this program for that.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    let notes = std::env::var_os(NOTES)?;
    let mut arguments = std::env::args_os().skip(1);
    let begun = Instant::now();
    let status = Command::new(arguments.next()?).args(arguments).status();
    let of_package = |name: &str| std::env::var(name).unwrap_or_default();
    let (name, version) = (of_package("CARGO_PKG_NAME"), of_package("CARGO_PKG_VERSION"));
    let note = format!("{name} {version} {}\n", begun.elapsed().as_secs_f64());
    let noted =
        OpenOptions::new().create(true).append(true).open(notes).and_then(|mut file| file.write_all(note.as_bytes()));
    Some(if noted.is_ok() && status.is_ok_and(|status| status.success()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Lets a cargo note what it compiles.
pub(crate) fn noting<'c>(cargo: &'c mut Command, notes: &Path) -> Outcome<&'c mut Command> {
    Ok(cargo.env("RUSTC_WRAPPER", std::env::current_exe()?).env(NOTES, notes))
}

/// How long the compiler was busy, in seconds: with all crates, and with those that only larder's macros need.
pub(crate) fn busy(notes: &str) -> (f64, f64) {
    let (mut all, mut of_macros) = (0.0, 0.0);
    for line in notes.lines() {
        let mut words = line.split(' ');
        let (Some(name), Some(version), Some(seconds)) = (words.next(), words.next(), words.next()) else { continue };
        let seconds = seconds.parse().unwrap_or(0.0);
        all += seconds;
        // serde's macros use another version of `syn`, and the same `quote`.
        if name == "larder-macros" || (name == "syn" && version.starts_with("3.")) {
            of_macros += seconds;
        }
    }
    (all, of_macros)
}
