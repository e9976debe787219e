//! One run of a workload with a fault.

use std::{io, sync::Arc};

use crate::{
    check::{Finals, Told, check_rows, check_store},
    disk::write_tree,
    fault::FaultKind,
    faults::is_typed,
    lab::Lab,
    ledger::Refused,
    player::{Failure, Player},
    script::Step,
    trace::Tree,
    watch::Watch,
    workloads::Workload,
};

/// One run of a workload with a fault.
pub(crate) struct Trial<'a> {
    lab: &'a Lab,
    pub(crate) workload: &'a Workload,
    pub(crate) watch: Arc<Watch>,
    pub(crate) player: Player,
    pub(crate) fired: bool,
    /// Tries of steps that failed.
    pub(crate) failed: u64,
    /// Loads that failed when the stores were opened again, the fault being there.
    pub(crate) loads_failed: u64,
}

impl<'a> Trial<'a> {
    pub(crate) fn begin(lab: &'a Lab, workload: &'a Workload, base: &Tree, told: &Told) -> io::Result<Self> {
        let root = lab.empty("faulty")?;
        write_tree(base, &root)?;
        let watch = Watch::begin(&root)?;
        let player = Player::new(&root, workload.durability, lab.runtime());
        player.hear(told.clone());
        Ok(Self { lab, workload, watch, player, fired: false, failed: 0, loads_failed: 0 })
    }

    /// The fault ends as soon as a step has failed of it.
    pub(crate) fn run(&mut self, kind: FaultKind) -> Result<(), String> {
        for step in &self.workload.steps {
            if let Err(failure) = self.player.play(step, &self.watch) {
                self.failed += 1;
                self.cope(kind, step, &failure).map_err(|what| format!("{step:?} failed ({failure}), then {what}"))?;
            }
        }
        self.fired |= self.watch.heal();
        self.end(kind)
    }

    /// Everything is closed, and what is left is checked.
    pub(crate) fn end(&mut self, kind: FaultKind) -> Result<(), String> {
        if let Err(failure) = self.player.shutdown() {
            // The files are closed all the same, and what was committed is found by the next process.
            is_typed(kind, &failure)?;
        }
        let tree = self.watch.tree().map_err(|error| error.to_string())?;
        self.check_image(&tree, &Finals::new()).map_err(|what| format!("at the end {what}"))
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
        if kind == FaultKind::Read && self.player.open_stores().any(|(_, ledger)| ledger.state().is_err()) {
            // SQLite said that the file is damaged, which stopped the store: the next load finds that it is not.
            self.reopen()?;
        }
        self.read_all()?;
        if matches!(failure, Failure::Commit(_)) {
            self.check_killed().map_err(|what| format!("a process that was killed then left {what}"))?;
        }
        let step = self.rest_of(step);
        if matches!(kind, FaultKind::Sync | FaultKind::Read)
            && matches!(failure, Failure::Import(_) | Failure::Across(_) | Failure::Sync(_))
        {
            // Any of their stores may be poisoned or stopped, and the error does not tell which.
            self.reopen()?;
        }
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
    pub(crate) fn clear_away(&mut self, step: &Step) -> Result<(), String> {
        let Step::Backup { name, .. } = step else { return Err("a file is in the way".to_owned()) };
        std::fs::remove_file(self.player.root().join(name)).map_err(|error| error.to_string())?;
        self.player.play(step, &self.watch).map_err(|failure| format!("with a free place: {failure}"))
    }

    pub(crate) fn read_all(&self) -> Result<(), String> {
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
    pub(crate) fn check_killed(&self) -> Result<(), String> {
        self.player.settle();
        let tree = self.watch.tree().map_err(|error| error.to_string())?;
        let states = self.player.open_stores().map(|(store, ledger)| {
            ledger
                .state()
                .map(|(rows, _)| (store.clone(), rows))
                .map_err(|error| format!("{store} does not read: {error}"))
        });
        let finals = states.collect::<Result<Finals, _>>()?;
        self.check_image(&tree, &finals)
    }

    pub(crate) fn check_image(&self, tree: &Tree, finals: &Finals) -> Result<(), String> {
        let checked = self.lab.check(tree, self.workload.durability, &self.player.told(), finals);
        checked.map_err(|error| error.to_string())?
    }

    pub(crate) fn reopen(&mut self) -> Result<(), String> {
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
    pub(crate) fn rest_of(&self, step: &Step) -> Step {
        let Step::Group { store, threads } = step else { return step.clone() };
        let acknowledged = self.player.told().acknowledged(store);
        let mut threads = threads.clone();
        for bookings in &mut threads {
            bookings.retain(|booking| booking.counter > acknowledged.get(&booking.writer).copied().unwrap_or(0));
        }
        Step::Group { store, threads }
    }
}
