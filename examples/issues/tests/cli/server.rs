//! The real `larder-server`, built as people build it, on SQLite and a free port of this machine.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// A running server. It is killed when it is dropped, and keeps its data when it is started again.
pub(super) struct SyncServer {
    child: Child,
    address: SocketAddr,
}

impl SyncServer {
    /// On a free port.
    pub(super) fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::at("127.0.0.1:0", data, arguments)
    }

    pub(super) fn at(listen: &str, data: &Path, arguments: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(data.with_extension("log")).expect("a log");
        let mut command = Command::new(program());
        for name in ["LARDER_CONFIG", "LARDER_DATA", "LARDER_LISTEN", "LARDER_LOG", "LARDER_OPEN"] {
            command.env_remove(name);
        }
        command.arg("--data").arg(data).args(["--listen", listen]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("it does not listen: {line}"));
        Self { child, address }
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// As a loss of power for the process; the port on which it was.
    pub(super) fn kill(self) -> SocketAddr {
        let address = self.address;
        drop(self);
        address
    }
}

impl Drop for SyncServer {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of another package, beside the one that is tested. It is built here, so that it is never an old one, whatever was asked to be tested.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let profile = Path::new(env!("CARGO_BIN_EXE_issues")).parent().expect("a folder of programs");
        let target = profile.parent().expect("a target folder");
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "-q", "--locked", "-p", "larder-server", "--bin", "larder-server", "--target-dir"])
            .arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the server is built");
        profile.join("larder-server")
    })
}
