//! The one build with all bugs in it. Only the workspace's crates are compiled anew: cargo is told that this program is their
//! compiler, which hands over to `rustc` with the cfg. What they depend on is shared with the other builds.

use std::{
    collections::HashMap,
    error::Error,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use serde_json::Value;

/// Says to this program that cargo runs it as compiler.
const COMPILES: &str = "LARDER_SEEDED_BUGS_COMPILES";

/// The programs of tests, by the first part of a test's name in `bugs.rs`.
pub(crate) type Binaries = HashMap<String, PathBuf>;

/// Compiles, if cargo runs this program for that.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    std::env::var_os(COMPILES)?;
    let mut arguments = std::env::args_os().skip(1);
    let status = Command::new(arguments.next()?).args(arguments).args(["--cfg", "larder_seeded_bugs"]).status();
    Some(if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the tests with all bugs in them, and says where they are.
pub(crate) fn build() -> Result<Binaries, Box<dyn Error>> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().nth(2).ok_or("this program is not in a target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["test", "--no-run", "--locked", "--message-format=json-render-diagnostics"])
        .args(["-p", "larder", "-p", "larder-tests", "-p", "larder-crash", "--lib", "--test", "it"])
        // Programs that tests start stand in a folder of their own, so that those of other builds stay what they are.
        .env("CARGO_TARGET_DIR", target.join("seeded"))
        .env("CARGO_BUILD_BUILD_DIR", target)
        .env("RUSTC_WORKSPACE_WRAPPER", &this)
        .env(COMPILES, "1")
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("the build with the bugs failed".into());
    }
    let messages = String::from_utf8(output.stdout)?;
    Ok(messages.lines().filter_map(|line| program(&serde_json::from_str(line).ok()?)).collect())
}

/// A program of tests that cargo says it has built.
fn program(message: &Value) -> Option<(String, PathBuf)> {
    let is_test = message["profile"]["test"].as_bool()?;
    let (name, path) = (message["target"]["name"].as_str()?, message["executable"].as_str()?);
    // Two packages call theirs `it`.
    let of_crash = name == "it" && message["package_id"].as_str()?.contains("larder-crash");
    let name = if of_crash { "crash" } else { name };
    is_test.then(|| (name.to_owned(), path.into()))
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
