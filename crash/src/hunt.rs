//! The hunt: records workloads, stops them everywhere, and checks what is left.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use larder::Durability;

use crate::{
    check::Told,
    disk::{Disk, Recipe},
    lab::{Lab, Recording},
    power::{Mix, lose},
    script::{Note, Step},
    system,
    trace::Op,
    workloads::{self, Workload},
};

/// A hunt's size.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// At least so many stops.
    pub stops: u64,
    /// Where all random numbers come from.
    pub seed: u64,
    /// Losses of power at each position, beside the one killed process.
    pub losses_of_power: u64,
    /// Threads that check.
    pub threads: usize,
    /// A fault of larder or of the disk that must be found.
    pub lie: Lie,
    /// Only workloads with this in their name.
    pub only: Option<String>,
    /// After so many losses it ends; the first ones say it all.
    pub most_losses: usize,
}

/// A fault that is put into the recording, to see whether it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lie {
    /// None.
    #[default]
    None,
    /// Nothing is ever synced, as with `synchronous=OFF`.
    NoSync,
    /// A commit is acknowledged when it begins.
    EarlyAcknowledgement,
    /// A commit of several events is two transactions.
    TwoTransactions,
}

/// What a hunt found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Recordings.
    pub recordings: u64,
    /// Calls in them.
    pub calls: u64,
    /// Stops: positions and damages.
    pub stops: u64,
    /// How many of them were opened and checked; each other one left the same bytes as one that was, and promised no more.
    pub checked: u64,
    /// The stops of each workload with each durability.
    pub ran: BTreeMap<String, u64>,
    /// What does not hold, with all that is needed to see it again.
    pub losses: Vec<String>,
}

impl Hunt {
    /// A hunt of so many stops, on all processors.
    pub fn new(stops: u64) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { stops, seed: 20_261_122, losses_of_power: 12, threads, lie: Lie::None, only: None, most_losses: 20 }
    }

    /// Hunts in whole rounds, so that every workload runs with every durability, and calls `progress` after each recording.
    ///
    /// # Errors
    /// When the folder of the images cannot be used.
    ///
    /// # Panics
    /// When a workload fails by itself.
    pub fn run(&self, progress: &(dyn Fn(&Found) + Sync)) -> io::Result<Found> {
        let found = Mutex::new(Found::default());
        for round in 0.. {
            let (seed, next) = (self.seed + round, AtomicUsize::new(0));
            std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..self.threads).map(|_| scope.spawn(|| self.work(seed, &next, &found, progress))).collect();
                threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| panic!("a thread panicked")))
            })?;
            let all = found.lock().unwrap_or_else(PoisonError::into_inner);
            // Where no workload is chosen, no further round changes that.
            if all.stops >= self.stops || all.losses.len() >= self.most_losses || all.recordings == 0 {
                break;
            }
        }
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The workloads of a round, by the name under which [`Found::ran`] counts them.
    pub fn names(&self) -> Vec<String> {
        self.round(self.seed).iter().map(name).collect()
    }

    fn round(&self, seed: u64) -> Vec<Workload> {
        let chosen = |workload: &Workload| self.only.as_ref().is_none_or(|only| workload.name.contains(only));
        workloads::all(seed).into_iter().filter(chosen).collect()
    }

    /// Takes workloads of a round until none is left.
    fn work(
        &self,
        seed: u64,
        next: &AtomicUsize,
        found: &Mutex<Found>,
        progress: &(dyn Fn(&Found) + Sync),
    ) -> io::Result<()> {
        system::stay_on_one_processor();
        let (lab, mut round) = (Lab::new()?, self.round(seed));
        while let Some(workload) = round.get_mut(next.fetch_add(1, Ordering::Relaxed)) {
            if self.lie == Lie::TwoTransactions {
                split_commits(&mut workload.steps);
            }
            let mut recording = lab.record(workload)?;
            tell_lie(&mut recording.trace.ops, self.lie);
            let one = self.stop_everywhere(&lab, workload, &recording, seed)?;
            let mut all = found.lock().unwrap_or_else(PoisonError::into_inner);
            all.add(one);
            progress(&all);
        }
        Ok(())
    }

    /// Goes through a recording twice: first to see which stops leave the same bytes, then to check each image once, with the most
    /// that any of its stops promises.
    fn stop_everywhere(&self, lab: &Lab, workload: &Workload, recording: &Recording, seed: u64) -> io::Result<Found> {
        let calls = recording.trace.ops.len();
        let mut found = Found { recordings: 1, calls: calls as u64, ..Found::default() };
        let mut chosen = HashMap::new();
        self.each_stop(workload, recording, seed, &mut |stop| {
            found.stops += 1;
            let most = chosen.entry(stop.key()).or_insert((stop.promised.promises(), stop.at));
            *most = (*most).max((stop.promised.promises(), stop.at));
            Ok(true)
        })?;
        self.each_stop(workload, recording, seed, &mut |stop| {
            if chosen.get(&stop.key()).is_some_and(|(_, at)| *at == stop.at) {
                found.checked += 1;
                if let Err(what) =
                    lab.check(&stop.disk.image(&stop.recipe), workload.durability, stop.promised, &recording.finals)?
                {
                    let (position, damage) = stop.at;
                    let how = if damage == 0 { "process killed" } else { "power lost" };
                    found.losses.push(format!(
                        "{}, seed {seed}, {how} before call {position} of {calls}, damage {damage}: {what}",
                        name(workload)
                    ));
                }
            }
            Ok(found.losses.len() < self.most_losses)
        })?;
        found.ran.insert(name(workload), found.stops);
        Ok(found)
    }

    /// Shows all stops of a recording, until `look` answers `false`.
    fn each_stop(
        &self,
        workload: &Workload,
        recording: &Recording,
        seed: u64,
        look: &mut dyn FnMut(&Stop<'_, '_>) -> io::Result<bool>,
    ) -> io::Result<()> {
        let trace = &recording.trace;
        let (mut disk, mut told) = (Disk::new(trace), recording.told_before.clone());
        for position in 0..=trace.ops.len() {
            let after_power =
                if workload.durability == Durability::Power { told.clone() } else { told.without_promises() };
            for damage in 0..=self.losses_of_power {
                let mix_seed = seed.wrapping_mul(0x1_0000_0001).wrapping_add((position as u64) << 20 | damage);
                let (recipe, promised) = match damage {
                    0 => (disk.killed(), &told),
                    _ => (lose(&disk, trace, &mut Mix::new(mix_seed)), &after_power),
                };
                if !look(&Stop { at: (position, damage), disk: &disk, recipe, promised })? {
                    return Ok(());
                }
            }
            if let Some(op) = trace.ops.get(position) {
                disk.apply(position);
                told.hear_op(op);
            }
        }
        Ok(())
    }
}

/// One stop: where, and what it leaves and promises.
struct Stop<'d, 't> {
    /// The position, and the number of the damage; 0 is a killed process.
    at: (usize, u64),
    disk: &'d Disk<'t>,
    recipe: Recipe<'t>,
    promised: &'d Told,
}

impl Stop<'_, '_> {
    /// Stops with the same key leave the same bytes to the same apps.
    fn key(&self) -> [u8; 32] {
        let mut hasher = self.disk.fingerprint(&self.recipe);
        hasher.update(self.promised.apps().as_bytes());
        *hasher.finalize().as_bytes()
    }
}

impl Found {
    fn add(&mut self, other: Self) {
        self.recordings += other.recordings;
        self.calls += other.calls;
        self.stops += other.stops;
        self.checked += other.checked;
        for (name, stops) in other.ran {
            *self.ran.entry(name).or_default() += stops;
        }
        self.losses.extend(other.losses);
    }
}

fn name(workload: &Workload) -> String {
    format!("{} ({:?})", workload.name, workload.durability)
}

/// Commits of several events become two.
fn split_commits(steps: &mut Vec<Step>) {
    let split = |step: Step| match step {
        Step::Commit { store, mut bookings } if bookings.len() > 1 => {
            let rest = bookings.split_off(bookings.len() / 2);
            vec![Step::Commit { store, bookings }, Step::Commit { store, bookings: rest }]
        }
        other => vec![other],
    };
    *steps = std::mem::take(steps).into_iter().flat_map(split).collect();
}

fn tell_lie(ops: &mut Vec<Op>, lie: Lie) {
    match lie {
        Lie::None | Lie::TwoTransactions => {}
        Lie::NoSync => ops.retain(|op| !matches!(op, Op::Sync { .. })),
        Lie::EarlyAcknowledgement => {
            for at in 1..ops.len() {
                if matches!(ops[at], Op::Note(Note::Acknowledged { .. })) {
                    let before = ops[..at].iter().rposition(|op| matches!(op, Op::Note(_))).map_or(0, |note| note + 1);
                    ops[before..=at].rotate_right(1);
                }
            }
        }
    }
}
