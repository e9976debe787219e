//! Storage has two shapes: what the tests beside this show in memory is to hold in files, too.

use std::process::Command;

use super::support::IN_FILES;

#[test]
fn what_holds_in_memory_holds_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut tests = Command::new(std::env::current_exe().unwrap());
    // Those on many threads are in files already.
    tests.args(["registry::", "--skip", "registry::stress", "--skip", "registry::threads", "--skip", "registry::both"]);
    let output = tests.env(IN_FILES, folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let passed = text.lines().find_map(|line| line.strip_prefix("test result: ok. ")?.split_once(" passed"));
    assert!(passed.is_some_and(|(count, _)| count.parse::<u32>().unwrap() > 150), "{text}");
    assert!(folder.path().read_dir().unwrap().count() > 50, "no test made files");
}
