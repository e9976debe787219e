//! `cargo check` of the app: from nothing, and again after one edit.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::{
    MOST_ADDED, Outcome, Row,
    app::{self, Way},
    wrapper,
};

/// An app in a folder of its own.
struct App {
    way: Way,
    folder: PathBuf,
    target: PathBuf,
    edits: usize,
}

impl App {
    fn new(parent: &Path, way: Way) -> Outcome<Self> {
        let workspace = workspace();
        let folder = parent.join(way.name());
        fs::create_dir_all(folder.join("src"))?;
        // The same compiler and versions as here, so that nothing is to be fetched.
        for file in ["Cargo.lock", "rust-toolchain.toml"] {
            fs::copy(workspace.join(file), folder.join(file))?;
        }
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nlarder = {{ path = {:?} }}\n\n[workspace]\n",
            way.name(),
            workspace.join("runtime")
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        let app = Self { way, target: folder.join("target"), folder, edits: 0 };
        fs::write(app.folder.join("src/lib.rs"), app::text(way, 0))?;
        Ok(app)
    }

    fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["check", "--offline", "--quiet"]).current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target);
        cargo.env_remove("RUSTFLAGS").stdin(Stdio::null());
        cargo
    }

    /// Seconds that cargo takes.
    fn check(&self, cargo: &mut Command) -> Outcome<f64> {
        let begun = Instant::now();
        let status = cargo.status()?;
        let seconds = begun.elapsed().as_secs_f64();
        if status.success() { Ok(seconds) } else { Err(format!("the app {:?} does not compile", self.way).into()) }
    }

    /// Edits the app, and checks it again.
    fn check_edited(&mut self) -> Outcome<f64> {
        self.edits += 1;
        fs::write(self.folder.join("src/lib.rs"), app::text(self.way, self.edits))?;
        self.check(&mut self.cargo())
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Checks both apps.
pub(crate) fn rows(edits: usize, cold: bool) -> Outcome<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let (mut macros, mut plain) = (App::new(folder.path(), Way::Macros)?, App::new(folder.path(), Way::Plain)?);
    // What both depend on is compiled once. The apps have names of their own: cargo would take one for the other otherwise.
    plain.target.clone_from(&macros.target);
    let mut rows = Vec::new();
    let notes = folder.path().join("notes");
    let seconds = macros.check(wrapper::noting(&mut macros.cargo(), &notes)?)?;
    if cold {
        let (all, of_macros) = wrapper::busy(&fs::read_to_string(&notes)?);
        rows.push(Row::new("`cargo check` from nothing, SQLite and all else", format!("{seconds:.1} s")));
        rows.push(Row::new("  of which the compiler was busy, on all cores", format!("{all:.1} s")));
        rows.push(Row::new(
            "  share of `larder-macros` and its own `syn`",
            format!("{:.0} %", 100.0 * of_macros / all),
        ));
    }
    // The wrapper is part of what cargo compares: without it all is compiled once more.
    macros.check(&mut macros.cargo())?;
    plain.check(&mut plain.cargo())?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..edits {
        with.push(macros.check_edited()?);
        without.push(plain.check_edited()?);
    }
    let (with, without) = (median(with), median(without));
    let added = with - without;
    let (stores, events) = (app::STORES, app::STORES * app::EVENTS);
    rows.push(Row::new(
        format!("one edit in an app of {stores} stores and {events} events, `cargo check`"),
        format!("{with:.2} s"),
    ));
    rows.push(Row::new("  the same types and functions without larder's macros", format!("{without:.2} s")));
    let added_row = Row::new("  the macros and what they make add", format!("{added:.2} s"));
    rows.push(added_row.bar(format!("<= {MOST_ADDED} s"), added <= MOST_ADDED));
    Ok(rows)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
