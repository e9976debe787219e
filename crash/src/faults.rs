//! Faults at every call of the workloads, once and for ever: typed errors, readable stores, retries that work, nothing half done.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use larder::{LoadError, OpenFilesLimit, QueryErrorKind};

use crate::{
    check::{Finals, Told, check_rows, check_store},
    disk::write_tree,
    fault::{Fault, FaultKind},
    lab::Lab,
    ledger::Refused,
    player::{Failure, Player},
    script::Step,
    trace::Tree,
    watch::Watch,
    workloads::{self, Workload},
};

/// How many faults there were, and what did not hold.
#[derive(Clone, Debug, Default)]
pub struct FaultsFound {
    /// Workloads that ran with a fault that came.
    pub runs: u64,
    /// Steps that failed.
    pub failed: u64,
    /// What does not hold.
    pub findings: Vec<String>,
}

/// Faults to try.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Of these kinds.
    pub kinds: Vec<FaultKind>,
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
                self.kinds.iter().flat_map(move |kind| [false, true].map(|forever| (*workload, *kind, forever)))
            })
            .collect();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(FaultsFound::default()));
        let work = || {
            let lab = Lab::new()?;
            while let Some((workload, kind, forever)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let one = self.at_every_call(&lab, workload, *kind, *forever)?;
                let mut all = found.lock().unwrap_or_else(PoisonError::into_inner);
                all.runs += one.runs;
                all.failed += one.failed;
                all.findings.extend(one.findings);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| panic!("a thread panicked")))
        })
        .map(|()| found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn at_every_call(&self, lab: &Lab, workload: &Workload, kind: FaultKind, forever: bool) -> io::Result<FaultsFound> {
        let (base, told) = lab.before(workload)?;
        let mut found = FaultsFound::default();
        for at in (1..).step_by(usize::try_from(self.every).unwrap_or(1)) {
            let fault = Fault::At { kind, at, forever };
            let mut trial = Trial::begin(lab, workload, &base, &told)?;
            trial.watch.fail(fault);
            let outcome = trial.run(kind);
            trial.watch.end();
            if !trial.fired {
                break;
            }
            found.runs += 1;
            found.failed += u64::from(trial.failed);
            if let Err(what) = outcome {
                found.findings.push(format!("{} ({:?}), {fault:?}: {what}", workload.name, workload.durability));
                if found.findings.len() >= 3 {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// One run of a workload with a fault.
struct Trial<'a> {
    lab: &'a Lab,
    workload: &'a Workload,
    watch: std::sync::Arc<Watch>,
    player: Player,
    fired: bool,
    failed: bool,
}

impl<'a> Trial<'a> {
    fn begin(lab: &'a Lab, workload: &'a Workload, base: &Tree, told: &Told) -> io::Result<Self> {
        let root = lab.empty("faulty")?;
        write_tree(base, &root)?;
        let watch = Watch::begin(&root)?;
        let player = Player::new(&root, workload.durability, lab.runtime());
        player.hear(told.clone());
        Ok(Self { lab, workload, watch, player, fired: false, failed: false })
    }

    fn run(&mut self, kind: FaultKind) -> Result<(), String> {
        for step in &self.workload.steps {
            if let Err(failure) = self.player.play(step, &self.watch) {
                self.failed = true;
                self.cope(kind, step, &failure).map_err(|what| format!("{step:?} failed ({failure}), then {what}"))?;
            }
        }
        self.fired |= self.watch.heal();
        let closed = self.player.shutdown();
        if let Err(failure) = closed {
            // The files are closed all the same, and what was committed is found by the next process.
            is_typed(kind, &failure)?;
        }
        let tree = self.watch.tree().map_err(|error| error.to_string())?;
        let checked = self.lab.check(&tree, self.workload.durability, &self.player.told(), &Finals::new());
        checked.map_err(|error| error.to_string())?.map_err(|what| format!("at the end {what}"))
    }

    /// After a step that failed: the error is typed, stores are read, and the step works when the fault is gone.
    fn cope(&mut self, kind: FaultKind, step: &Step, failure: &Failure) -> Result<(), String> {
        if !self.watch.has_fired() {
            return Err("there was no fault".to_owned());
        }
        is_typed(kind, failure)?;
        if !matches!(kind, FaultKind::Read) {
            self.read_all()?;
        }
        self.fired |= self.watch.heal();
        self.read_all()?;
        if matches!(failure, Failure::Commit(_)) {
            self.check_killed().map_err(|what| format!("a process that was killed then left {what}"))?;
        }
        let step = self.rest_of(step);
        let Err(again) = self.player.play(&step, &self.watch) else {
            let poisoned = kind == FaultKind::Sync && matches!(failure, Failure::Commit(_));
            return if poisoned { Err("a store with a failed sync took a commit".to_owned()) } else { Ok(()) };
        };
        match &again {
            Failure::Commit(Refused { kind: "Poisoned", .. }) if kind == FaultKind::Sync => {}
            Failure::Query(error) if error.to_string().contains("exists already") => return self.clear_away(&step),
            _ => return Err(format!("a retry without the fault failed too: {again}")),
        }
        self.read_all()?;
        self.reopen()?;
        let step = self.rest_of(&step);
        self.player.play(&step, &self.watch).map_err(|failure| format!("after reopening: {failure}"))
    }

    /// A backup that could not be removed where nothing can be removed.
    fn clear_away(&mut self, step: &Step) -> Result<(), String> {
        let Step::Backup { name, .. } = step else { return Err("a file is in the way".to_owned()) };
        std::fs::remove_file(self.player.root().join(name)).map_err(|error| error.to_string())?;
        self.player.play(step, &self.watch).map_err(|failure| format!("with a free place: {failure}"))
    }

    fn read_all(&self) -> Result<(), String> {
        let told = self.player.told();
        self.player.open_stores().try_for_each(|(store, ledger)| {
            let (rows, sums) = ledger.state().map_err(|error| format!("{store} does not read: {error}"))?;
            check_rows(&rows, &sums).map_err(|what| format!("{store}: {what}"))?;
            told.acknowledged(store).iter().try_for_each(|(writer, counter)| {
                let found = rows.iter().filter(|row| row.writer == *writer).count() as i64;
                if found == *counter { Ok(()) } else { Err(format!("{store}: {writer} has {found}, told {counter}")) }
            })
        })
    }

    /// What the next process finds when this one is killed now: what was acknowledged, and nothing of what was refused.
    fn check_killed(&self) -> Result<(), String> {
        let tree = self.watch.tree().map_err(|error| error.to_string())?;
        let states = self.player.open_stores().map(|(store, ledger)| {
            ledger
                .state()
                .map(|(rows, _)| (store.clone(), rows))
                .map_err(|error| format!("{store} does not read: {error}"))
        });
        let finals = states.collect::<Result<Finals, _>>()?;
        let checked = self.lab.check(&tree, self.workload.durability, &self.player.told(), &finals);
        checked.map_err(|error| error.to_string())?
    }

    fn reopen(&mut self) -> Result<(), String> {
        let told = self.player.told();
        let stores: Vec<_> = self.player.open_stores().map(|(store, _)| store.clone()).collect();
        // What is wrong with closing is what was wrong before.
        let _ = self.player.shutdown();
        for store in stores {
            self.player.open(&store, told.generation(&store)).map_err(|error| error.to_string())?;
            let ledger = self.player.store(&store).ok_or("it is not open")?;
            check_store(ledger, &told.acknowledged(&store), None)?;
        }
        Ok(())
    }

    /// A step without what was acknowledged of it.
    fn rest_of(&self, step: &Step) -> Step {
        let Step::Group { store, threads } = step else { return step.clone() };
        let acknowledged = self.player.told().acknowledged(store);
        let mut threads = threads.clone();
        for bookings in &mut threads {
            bookings.retain(|booking| booking.counter > acknowledged.get(&booking.writer).copied().unwrap_or(0));
        }
        Step::Group { store, threads }
    }
}

/// The error says what happened: that storage failed, never that the store is damaged.
fn is_typed(kind: FaultKind, failure: &Failure) -> Result<(), String> {
    let fits = match failure {
        Failure::Load(LoadError::TooManyOpenFiles { limit: OpenFilesLimit::Process, .. }) => {
            kind == FaultKind::NoDescriptors
        }
        Failure::Load(error) => matches!(error, LoadError::Storage { .. } | LoadError::DataDir { .. }),
        Failure::Commit(Refused { kind: found, .. }) => match kind {
            FaultKind::DiskFull => *found == "DiskFull",
            // What was acknowledged later could rest on what is not on disk: only a load may fail with less.
            FaultKind::Sync => *found == "Poisoned",
            _ => *found == "Storage",
        },
        Failure::Query(error) => matches!(error.kind(), QueryErrorKind::Storage { .. }),
        Failure::Close(_) => true,
    };
    if fits { Ok(()) } else { Err(format!("the error is of another kind: {failure:?}")) }
}
