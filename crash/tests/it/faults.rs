//! Faults of the file system at the calls of every workload, once and for ever.

use larder_crash::{
    fault::FaultKind,
    faults::{Faults, FaultsFound, Lasting},
};

/// Faults that end as soon as a step has failed of them.
fn faults(kinds: &[FaultKind], only: Option<&str>, every: u64) -> FaultsFound {
    faults_of(kinds, &[Lasting::Once, Lasting::OneStep], only, every)
}

fn faults_of(kinds: &[FaultKind], lasting: &[Lasting], only: Option<&str>, every: u64) -> FaultsFound {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (kinds, lasting, only) = (kinds.to_vec(), lasting.to_vec(), only.map(str::to_owned));
    let faults = Faults { kinds, lasting, only, every, seed: 20_261_122, threads };
    let found = faults.run().expect("the folder of the stores is usable");
    println!(
        "{} runs with a fault, a step failed in {}, {} tries at most in one, {} loads while it lasted",
        found.runs, found.failed, found.most_failed, found.loads_failed
    );
    assert!(found.findings.is_empty(), "{} findings:\n{}", found.findings.len(), found.findings.join("\n"));
    found
}

#[test]
fn a_fault_at_any_call_of_a_commit_is_a_typed_error_and_a_retry_works() {
    let found = faults(&FaultKind::ALL, Some("single commits"), 1);
    assert!(found.failed > 500, "only {} steps failed", found.failed);
}

#[test]
fn a_fault_in_any_workload_is_a_typed_error_and_a_retry_works() {
    let found = faults(&FaultKind::ALL, None, 13);
    assert!(found.failed > 500, "only {} steps failed", found.failed);
}

/// Commits, idle times, backups, a shutdown and openings while every call of its kind fails; then the fault ends, and all that failed works.
#[test]
fn a_fault_that_stays_over_many_steps_and_while_stores_are_opened_again_leaves_nothing_half_done() {
    let found = faults_of(&FaultKind::ALL, &[Lasting::AllSteps], None, 17);
    assert!(found.failed > 300 && found.most_failed >= 10, "only {} runs, {} tries", found.failed, found.most_failed);
    assert!(found.loads_failed > 100, "only {} loads failed", found.loads_failed);
}

#[test]
fn a_load_that_fails_leaves_the_wal_and_the_next_one_works() {
    faults(&[FaultKind::Read], Some("upcasting"), 1);
}

#[test]
fn a_file_that_can_only_be_read_is_not_loaded_and_the_next_load_works() {
    faults(&[FaultKind::NoDescriptors], Some("close and reopen"), 1);
}

/// An idle store gets a connection that has written nothing yet: one that could only read would stay so when the fault is gone.
#[test]
fn a_store_that_was_idle_during_a_fault_takes_commits_when_it_is_gone() {
    let found = faults(&[FaultKind::ReadOnlyFiles, FaultKind::NoDescriptors], Some("checkpoint"), 3);
    assert!(found.failed > 100, "only {} steps failed", found.failed);
}

/// The `-wal` is there already, so SQLite can open it for reading where it cannot for writing, and would keep it so.
#[test]
fn a_wal_that_can_only_be_read_is_not_loaded_and_the_next_load_takes_commits() {
    let kinds = [FaultKind::NoDescriptors, FaultKind::ReadOnlyFiles, FaultKind::ReadOnlyFolder, FaultKind::Read];
    let found = faults(&kinds, Some("unclean file"), 1);
    assert!(found.failed > 50, "only {} steps failed", found.failed);
}

#[test]
fn a_failed_sync_at_any_call_poisons_the_store_or_fails_its_load() {
    for only in ["single commits", "group commit", "checkpoint", "unclean file", "close and reopen"] {
        faults(&[FaultKind::Sync], Some(only), 1);
    }
}

/// SQLite writes a commit, then syncs it: where that fails the commit is refused, and yet all of it is in the `-wal`.
#[test]
fn a_commit_refused_by_a_failed_sync_does_not_come_back_after_a_kill() {
    for only in ["single commits", "batches"] {
        let found = faults(&[FaultKind::Sync], Some(only), 1);
        assert!(found.failed > 0, "no sync of {only} failed");
    }
}
