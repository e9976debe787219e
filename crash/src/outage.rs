//! A fault that stays: over all the steps that follow it, over a shutdown, and while the stores are opened again. Then it ends.

use crate::{
    check::{Finals, check_store},
    fault::FaultKind,
    faults::is_typed,
    player::Failure,
    script::Step,
    trial::Trial,
};

impl Trial<'_> {
    /// Plays every step, whatever failed before; what failed is tried again before each later step, and when the fault has ended. With
    /// `reopens` everything is closed and opened again before that, while calls still fail.
    pub(crate) fn endure(&mut self, kind: FaultKind, reopens: bool) -> Result<(), String> {
        let mut pending = Vec::new();
        for step in self.workload.steps.clone() {
            self.try_again(kind, &mut pending)?;
            let waits = step.store().is_some_and(|store| pending.iter().any(|step: &Step| step.store() == Some(store)));
            if waits {
                pending.push(step);
            } else if let Some(rest) = self.attempt(kind, &step)? {
                pending.push(rest);
            }
        }
        self.read_what_can_be(kind)?;
        self.check_killed_now()?;
        if reopens {
            self.reopen_broken(kind)?;
            self.try_again(kind, &mut pending)?;
            self.read_what_can_be(kind)?;
            self.check_killed_now()?;
        }
        self.fired |= self.watch.heal();
        if matches!(kind, FaultKind::Sync | FaultKind::Read) {
            // Only opening the stores again ends the poison, or finds that a file is not damaged.
            let _ = self.player.shutdown();
        }
        for step in pending {
            self.play_open(&step)
                .or_else(|failure| match &failure {
                    Failure::Query(error) if error.to_string().contains("exists already") => self.clear_away(&step),
                    _ => Err(format!("{step:?} failed when the fault had ended: {failure}")),
                })
                .map_err(|what| format!("{what}; a step that had failed before"))?;
        }
        self.open_all()?;
        self.end(kind)
    }

    /// A step while calls fail; what is left to do of it.
    fn attempt(&mut self, kind: FaultKind, step: &Step) -> Result<Option<Step>, String> {
        let Err(failure) = self.play_open(step) else { return Ok(None) };
        self.failed += 1;
        if !self.watch.has_fired() {
            return Err(format!("{step:?} failed without a fault: {failure}"));
        }
        match &failure {
            // The first try could not remove what it had begun.
            Failure::Query(error) if error.to_string().contains("exists already") => {}
            failure => is_typed(kind, failure).map_err(|what| format!("{step:?} failed: {what}"))?,
        }
        // Whatever needs a store opens it, and what is closed is closed.
        let is_left = !matches!(step, Step::Open { .. } | Step::Shutdown | Step::Idle);
        Ok(is_left.then(|| self.rest_of(step)))
    }

    /// What failed before, in its order, while calls fail.
    fn try_again(&mut self, kind: FaultKind, pending: &mut Vec<Step>) -> Result<(), String> {
        let mut left: Vec<Step> = Vec::new();
        for step in std::mem::take(pending) {
            if left.iter().any(|before| before.store() == step.store()) {
                left.push(step);
            } else {
                left.extend(self.attempt(kind, &step)?);
            }
        }
        *pending = left;
        Ok(())
    }

    /// Plays a step, and opens its store for it where that is not open.
    fn play_open(&mut self, step: &Step) -> Result<(), Failure> {
        if let Some(store) = step.store()
            && !matches!(step, Step::Open { .. })
            && self.player.store(store).is_none()
        {
            let generation = self.player.told().generation(store);
            self.player.open(store, generation).map_err(Failure::Load)?;
        }
        self.player.play(step, &self.watch)
    }

    /// Closes everything and opens it again, while calls fail.
    fn reopen_broken(&mut self, kind: FaultKind) -> Result<(), String> {
        if let Err(failure) = self.player.shutdown() {
            is_typed(kind, &failure)?;
        }
        let told = self.player.told();
        for store in told.stores() {
            if let Err(error) = self.player.open(store, told.generation(store)) {
                self.loads_failed += 1;
                is_typed(kind, &Failure::Load(error))?;
            }
        }
        Ok(())
    }

    /// Opens everything, and checks it.
    fn open_all(&mut self) -> Result<(), String> {
        let told = self.player.told();
        for store in told.stores() {
            let opened = self.player.open(store, told.generation(store));
            opened.map_err(|error| format!("{store} does not open when the fault has ended: {error}"))?;
            let ledger = self.player.store(store).ok_or("it is not open")?;
            check_store(ledger, &told.acknowledged(store), None).map_err(|what| format!("{store}: {what}"))?;
        }
        Ok(())
    }

    /// Loaded stores are read, but where reading is what fails.
    fn read_what_can_be(&self, kind: FaultKind) -> Result<(), String> {
        if kind != FaultKind::Read {
            return self.read_all();
        }
        self.player.open_stores().try_for_each(|(store, ledger)| match ledger.state() {
            Ok(_) => Ok(()),
            Err(error) => is_typed(kind, &Failure::Query(error)).map_err(|what| format!("{store}: {what}")),
        })
    }

    /// What the next process finds, on a disk that works, when this one is killed now.
    fn check_killed_now(&self) -> Result<(), String> {
        self.player.settle();
        self.watch.without_fault(|| {
            let tree = self.watch.tree().map_err(|error| error.to_string())?;
            self.check_image(&tree, &Finals::new())
                .map_err(|what| format!("a process that was killed then left {what}"))
        })
    }
}
