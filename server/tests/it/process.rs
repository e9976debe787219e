//! The program itself, in a process of its own.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

/// A running `larder-server`. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Process {
    /// Starts it on a free port, with what it logs in a file beside the data.
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(["--data", data.to_str().expect("UTF-8"), "--listen", "127.0.0.1:0"]).args(arguments);
        Self::of(command, data.with_extension("log"))
    }

    /// Starts it as a command says, with what it logs in a file.
    pub(crate) fn of(mut command: Command, log: PathBuf) -> Self {
        let out = File::options().create(true).append(true).open(&log).expect("a log");
        let mut child = command.stdout(Stdio::piped()).stderr(out).spawn().expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let address = line.trim().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("it does not listen: {line}{}", said()));
        Self { child, address, log }
    }

    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a log")
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("a shell's kill").success());
    }

    /// As a loss of power, for the process.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().expect("it ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, without what the environment of the tests says.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-server"));
    for name in ["LARDER_CONFIG", "LARDER_DATA", "LARDER_LISTEN", "LARDER_LOG", "LARDER_OPEN"] {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end: whether it succeeded, and all it said.
pub(crate) fn run(arguments: &[&str]) -> (bool, String) {
    let mut child = command().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (child.wait().expect("it ends").success(), said)
}
