//! Faults at every call of the workloads, once and for ever: typed errors, readable stores, retries that work, nothing half done.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use issues::failure::Failure as Import;
use larder::{
    AcrossError, CommitErrorKind, LoadError, OpenFilesLimit, QueryError, QueryErrorKind, StoreError, SyncError,
};

use crate::{
    fault::{Fault, FaultKind},
    lab::Lab,
    ledger::Refused,
    player::Failure,
    trial::Trial,
    workloads::{self, Workload},
};

/// How long a fault stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// One call fails.
    Once,
    /// Every call from then on fails, until a step has failed of it.
    OneStep,
    /// Every call from then on fails: over all the steps that follow, over a shutdown, and while the stores are opened again.
    AllSteps,
}

impl Lasting {
    /// All.
    pub const ALL: [Self; 3] = [Self::Once, Self::OneStep, Self::AllSteps];
}

/// How many faults there were, and what did not hold.
#[derive(Clone, Debug, Default)]
pub struct FaultsFound {
    /// Workloads that ran with a fault that came.
    pub runs: u64,
    /// Those in which a step failed.
    pub failed: u64,
    /// The most tries that failed in one run, one after the other, before the fault ended.
    pub most_failed: u64,
    /// Loads that failed because the fault was still there when the stores were opened again.
    pub loads_failed: u64,
    /// What does not hold.
    pub findings: Vec<String>,
}

/// Faults to try.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Of these kinds.
    pub kinds: Vec<FaultKind>,
    /// That stay so long.
    pub lasting: Vec<Lasting>,
    /// In workloads with this in their name.
    pub only: Option<String>,
    /// At each call whose number leaves no rest: 1 for every call.
    pub every: u64,
    /// Where all random numbers come from.
    pub seed: u64,
    /// Threads that try.
    pub threads: usize,
}

impl Faults {
    /// Tries all of them.
    ///
    /// # Errors
    /// When the folder of the stores cannot be used.
    ///
    /// # Panics
    /// When a workload fails without a fault.
    pub fn run(&self) -> io::Result<FaultsFound> {
        let all = workloads::all(self.seed);
        let chosen: Vec<_> =
            all.iter().filter(|workload| self.only.as_ref().is_none_or(|only| workload.name.contains(only))).collect();
        let jobs: Vec<_> = chosen
            .iter()
            .flat_map(|workload| {
                let lasting = move |kind| self.lasting.iter().map(move |lasting| (*workload, kind, *lasting));
                self.kinds.iter().copied().flat_map(lasting)
            })
            .collect();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(FaultsFound::default()));
        let work = || {
            let lab = Lab::new()?;
            while let Some((workload, kind, lasting)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let one = self.at_every_call(&lab, workload, *kind, *lasting)?;
                found.lock().unwrap_or_else(PoisonError::into_inner).add(one);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| panic!("a thread panicked")))
        })
        .map(|()| found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn at_every_call(
        &self,
        lab: &Lab,
        workload: &Workload,
        kind: FaultKind,
        lasting: Lasting,
    ) -> io::Result<FaultsFound> {
        let (base, told) = lab.before(workload)?;
        let mut found = FaultsFound::default();
        for at in (1..).step_by(usize::try_from(self.every).unwrap_or(1)) {
            let fault = Fault::At { kind, at, forever: lasting != Lasting::Once };
            let mut trial = Trial::begin(lab, workload, &base, &told)?;
            trial.watch.fail(fault);
            let outcome = match lasting {
                Lasting::Once | Lasting::OneStep => trial.run(kind),
                // The stores are opened again where the next one leaves them open, and the other way round.
                Lasting::AllSteps => trial.endure(kind, (at / self.every).is_multiple_of(2)),
            };
            // A run that ended early with a finding has not heard of its fault.
            let fired = trial.watch.heal() || trial.fired || outcome.is_err();
            trial.watch.end();
            if !fired {
                break;
            }
            found.add(FaultsFound {
                runs: 1,
                failed: u64::from(trial.failed > 0),
                most_failed: trial.failed,
                loads_failed: trial.loads_failed,
                findings: Vec::new(),
            });
            if let Err(what) = outcome {
                let durability = workload.durability;
                found.findings.push(format!("{} ({durability:?}), {fault:?}, {lasting:?}: {what}", workload.name));
                if found.findings.len() >= 3 {
                    break;
                }
            }
        }
        Ok(found)
    }
}

impl FaultsFound {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.failed += other.failed;
        self.most_failed = self.most_failed.max(other.most_failed);
        self.loads_failed += other.loads_failed;
        self.findings.extend(other.findings);
    }
}

/// The error says what happened: that storage failed, never that the store is damaged. An error of reading is the exception: SQLite takes
/// `EIO` for damage of the file system (`SQLITE_IOERR_CORRUPTFS`), and tells its caller of a damaged file.
pub(crate) fn is_typed(kind: FaultKind, failure: &Failure) -> Result<(), String> {
    let reads = kind == FaultKind::Read;
    let fits = match failure {
        Failure::Load(LoadError::Projection { source, .. }) => is_typed_across(kind, source),
        Failure::Across(error) => is_typed_across(kind, error),
        Failure::Load(error) | Failure::Import(Import::Load(error)) => is_typed_load(kind, error),
        Failure::Commit(Refused { kind: found, .. }) => match kind {
            FaultKind::DiskFull => *found == "DiskFull",
            // What was acknowledged later could rest on what is not on disk: only a load may fail with less.
            FaultKind::Sync => *found == "Poisoned",
            FaultKind::Read => ["Storage", "Stopped"].contains(found),
            _ => *found == "Storage",
        },
        Failure::Query(error) | Failure::Import(Import::Query(error)) => is_typed_query(kind, error),
        // The example keeps the text of a commit's error alone.
        Failure::Import(Import::Commit(text)) => reads || !text.contains("damaged"),
        Failure::Import(_) => false,
        Failure::Sync(status) => is_typed_sync(kind, status.last_error.as_ref()),
        Failure::Close(_) => true,
    };
    if fits { Ok(()) } else { Err(format!("the error is of another kind: {failure:?}")) }
}

/// Of the projection, or of a source whose events it reads.
fn is_typed_across(kind: FaultKind, error: &AcrossError) -> bool {
    match error {
        AcrossError::Load(error) => is_typed_load(kind, error),
        AcrossError::Query(error) => is_typed_query(kind, error),
        AcrossError::NotProjected { source, .. } => match &**source {
            CommitErrorKind::DiskFull { .. } => kind == FaultKind::DiskFull,
            CommitErrorKind::Store(StoreError::Poisoned { .. }) => kind == FaultKind::Sync,
            CommitErrorKind::Store(StoreError::Stopped { .. }) => kind == FaultKind::Read,
            error => matches!(error, CommitErrorKind::Storage { .. }),
        },
        _ => false,
    }
}

/// It is tried again for ever; why the last try failed is what was said of it.
fn is_typed_sync(kind: FaultKind, error: Option<&SyncError>) -> bool {
    match error {
        Some(SyncError::Store(StoreError::Poisoned { .. })) => kind == FaultKind::Sync,
        Some(SyncError::Store(StoreError::Stopped { .. })) => kind == FaultKind::Read,
        Some(SyncError::Store(StoreError::Storage { .. })) => true,
        Some(SyncError::Backend { message, .. }) => kind == FaultKind::Read || !message.contains("damaged"),
        _ => false,
    }
}

fn is_typed_query(kind: FaultKind, error: &QueryError) -> bool {
    match error.kind() {
        QueryErrorKind::Storage { .. } | QueryErrorKind::Backup { .. } => true,
        QueryErrorKind::Store(error) => kind == FaultKind::Read && matches!(error, StoreError::Stopped { .. }),
        _ => false,
    }
}

fn is_typed_load(kind: FaultKind, error: &LoadError) -> bool {
    match error {
        LoadError::TooManyOpenFiles { limit: OpenFilesLimit::Process, .. } => kind == FaultKind::NoDescriptors,
        LoadError::Corrupt { .. } => kind == FaultKind::Read,
        error => matches!(error, LoadError::Storage { .. } | LoadError::DataDir { .. }),
    }
}
