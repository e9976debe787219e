//! The workloads: single commits, batches, group commit, and all else that writes.

use issues::import::AHEAD;
use larder::Durability;

use crate::{
    ledger::Booking,
    power::Mix,
    script::{Generation, Step},
    synced,
};

/// A workload.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// What its commits survive.
    pub durability: Durability,
    /// What is done before the recording.
    pub before: Vec<Step>,
    /// What is recorded.
    pub steps: Vec<Step>,
}

/// Every workload, each with both durabilities.
pub fn all(seed: u64) -> Vec<Workload> {
    let mut mix = Mix::new(seed);
    let mut all = Vec::new();
    for durability in [Durability::Process, Durability::Power] {
        let scripts: [Script; 15] = [
            single(&mut mix),
            batches(&mut mix),
            group(&mut mix),
            rebuild(&mut mix),
            upcast(&mut mix),
            backup(&mut mix),
            checkpoint(&mut mix),
            many_stores(&mut mix),
            import(&mut mix),
            documents(&mut mix),
            projection(&mut mix),
            reopen(&mut mix),
            mixed(&mut mix),
            unclean(&mut mix),
            synced::script(&mut mix),
        ];
        all.extend(scripts.map(|(name, before, steps)| Workload { name, durability, before, steps }));
    }
    all
}

/// Makes commits, with each writer's counters.
struct Pen<'m> {
    mix: &'m mut Mix,
    store: &'static str,
    counter: i64,
}

impl<'m> Pen<'m> {
    fn new(mix: &'m mut Mix, store: &'static str) -> Self {
        Self { mix, store, counter: 0 }
    }

    fn bookings(&mut self, writer: i64, count: usize, longest: usize) -> Vec<Booking> {
        let last = self.counter + count as i64;
        let bookings = (self.counter + 1..=last).map(|counter| Booking {
            writer,
            counter,
            last,
            amount: self.mix.below(2_000) as i64 - 1_000,
            length: self.mix.below(longest),
        });
        let bookings = bookings.collect();
        self.counter = last;
        bookings
    }

    fn commit(&mut self, count: usize, longest: usize) -> Step {
        Step::Commit { store: self.store, bookings: self.bookings(1, count, longest) }
    }

    fn commits(&mut self, commits: usize, most: usize, longest: usize) -> Vec<Step> {
        (0..commits)
            .map(|_| {
                let count = 1 + self.mix.below(most);
                self.commit(count, longest)
            })
            .collect()
    }
}

type Script = (&'static str, Vec<Step>, Vec<Step>);

fn open(store: &'static str, generation: Generation) -> Step {
    Step::Open { store, generation }
}

fn single(mix: &mut Mix) -> Script {
    let mut steps = vec![open("book:1", Generation::First)];
    steps.extend(Pen::new(mix, "book:1").commits(8, 1, 600));
    ("single commits", vec![], steps)
}

fn batches(mix: &mut Mix) -> Script {
    let mut steps = vec![open("book:1", Generation::First)];
    steps.extend(Pen::new(mix, "book:1").commits(5, 30, 900));
    ("batches", vec![], steps)
}

fn group(mix: &mut Mix) -> Script {
    let threads = |mix: &mut Mix| {
        let writers = 1..=4;
        writers
            .map(|writer| {
                let mut pen = Pen::new(mix, "book:1");
                (0..4).flat_map(|_| pen.bookings(writer, 1, 300)).collect()
            })
            .collect()
    };
    let steps =
        vec![open("book:1", Generation::First), Step::Group { store: "book:1", threads: threads(mix) }, Step::Shutdown];
    ("group commit", vec![], steps)
}

fn rebuild(mix: &mut Mix) -> Script {
    changed(mix, "rebuild after a schema change", Generation::Second)
}

fn upcast(mix: &mut Mix) -> Script {
    changed(mix, "upcasting", Generation::Third)
}

fn changed(mix: &mut Mix, name: &'static str, generation: Generation) -> Script {
    let mut pen = Pen::new(mix, "book:1");
    let mut before = vec![open("book:1", Generation::First)];
    before.extend(pen.commits(4, 10, 400));
    // A process that was killed leaves its last commits in the `-wal`.
    let closed = pen.mix.below(2) == 0;
    if closed {
        before.push(Step::Shutdown);
    }
    let mut steps = vec![open("book:1", generation)];
    steps.extend(pen.commits(2, 3, 400));
    steps.push(Step::Shutdown);
    (name, before, steps)
}

fn backup(mix: &mut Mix) -> Script {
    let mut pen = Pen::new(mix, "book:1");
    let mut steps = vec![open("book:1", Generation::First)];
    steps.extend(pen.commits(2, 6, 600));
    steps.push(Step::Backup { store: "book:1", name: "backup-1.db" });
    steps.extend(pen.commits(2, 6, 600));
    steps.push(Step::Backup { store: "book:1", name: "backup-2.db" });
    steps.push(Step::Shutdown);
    ("backup", vec![], steps)
}

fn checkpoint(mix: &mut Mix) -> Script {
    let mut pen = Pen::new(mix, "book:1");
    let mut steps = vec![open("book:1", Generation::First)];
    for _ in 0..3 {
        steps.extend(pen.commits(2, 4, 12_000));
        steps.push(Step::Idle);
    }
    steps.extend(pen.commits(2, 4, 2_000));
    ("checkpoint", vec![], steps)
}

fn many_stores(mix: &mut Mix) -> Script {
    const STORES: [&str; 4] = ["project:a", "project:a:issue:1", "project:a:issue:2", "project:b"];
    let mut steps = Vec::new();
    let mut pens = STORES.map(|store| (store, 0));
    for round in 0..3 {
        for (store, counter) in &mut pens {
            if round == 0 {
                steps.push(open(store, Generation::First));
            }
            let mut pen = Pen { mix, store, counter: *counter };
            steps.push(pen.commit(1, 200));
            *counter = pen.counter;
        }
    }
    steps.push(Step::Shutdown);
    ("many stores", vec![], steps)
}

/// What `examples/issues` does with a file: a line is a commit to its issue's store, then one to its workspace's.
fn import(mix: &mut Mix) -> Script {
    // More than it reads ahead, so that some are done with before the end.
    const LINES: usize = AHEAD + 4;
    let mut lines = String::new();
    let mut opened = 0;
    for at in 0..LINES {
        let opens = opened == 0 || (opened < 2 && mix.below(4) == 0);
        opened += usize::from(opens);
        let issue = if opens { opened } else { 1 + mix.below(opened) };
        let kind = match mix.below(4) {
            _ if opens => r#""kind":"opened","title":"#.to_owned(),
            0 => r#""kind":"closed","title":"#.to_owned(),
            _ => r#""kind":"commented","body":"#.to_owned(),
        };
        let text = "x".repeat(mix.below(300));
        lines += &format!(
            "{{\"workspace\":\"a/a\",\"issue\":{issue},{kind}\"{text}\",\"at\":{at},\"author\":\"somebody\"}}\n"
        );
    }
    ("import of the example", vec![], vec![Step::Import { text: lines.into() }, Step::Shutdown])
}

/// Client documents, changed between commits, and kept over a rebuild.
fn documents(mix: &mut Mix) -> Script {
    let mut pen = Pen::new(mix, "book:1");
    let changes = |pen: &mut Pen<'_>, counters: std::ops::RangeInclusive<i64>| {
        counters.flat_map(|counter| [pen.commit(2, 300), Step::Set { store: "book:1", counter }]).collect::<Vec<_>>()
    };
    let mut before = vec![open("book:1", Generation::First)];
    before.extend(changes(&mut pen, 1..=2));
    let mut steps = vec![open("book:1", Generation::Second)];
    steps.extend(changes(&mut pen, 3..=6));
    steps.push(Step::Shutdown);
    ("documents", before, steps)
}

/// A projection that is opened, follows, is closed, and finds what happened meanwhile.
fn projection(mix: &mut Mix) -> Script {
    let mut counters = [("book:1", 0), ("book:2", 0)];
    let mut steps = Vec::new();
    for round in 0..4 {
        for (store, counter) in &mut counters {
            if round % 2 == 0 {
                steps.push(open(store, Generation::First));
            }
            let mut pen = Pen { mix, store, counter: *counter };
            let count = 1 + pen.mix.below(4);
            steps.push(pen.commit(count, 300));
            *counter = pen.counter;
        }
        if round != 2 {
            steps.push(Step::Project);
        }
        if round % 2 == 1 {
            steps.push(Step::Shutdown);
        }
    }
    ("projection", vec![], steps)
}

fn reopen(mix: &mut Mix) -> Script {
    let mut pen = Pen::new(mix, "book:1");
    let mut steps = Vec::new();
    for _ in 0..4 {
        steps.push(open("book:1", Generation::First));
        steps.extend(pen.commits(2, 3, 500));
        steps.push(Step::Shutdown);
    }
    ("close and reopen", vec![], steps)
}

fn mixed(mix: &mut Mix) -> Script {
    let mut pen = Pen::new(mix, "book:1");
    let mut before = vec![open("book:1", Generation::First)];
    before.extend(pen.commits(3, 8, 500));
    before.push(Step::Shutdown);
    let mut steps = vec![open("book:1", Generation::First)];
    for _ in 0..3 {
        match pen.mix.below(3) {
            0 => steps.push(Step::Idle),
            1 => steps.extend([Step::Shutdown, open("book:1", Generation::First)]),
            _ => {}
        }
        steps.extend(pen.commits(3, 5, 3_000));
    }
    ("a mix", before, steps)
}

/// The process was killed, and the same app opens the file with its `-wal`.
fn unclean(mix: &mut Mix) -> Script {
    let mut pen = Pen::new(mix, "book:1");
    let mut before = vec![open("book:1", Generation::First)];
    before.extend(pen.commits(3, 4, 400));
    let mut steps = vec![open("book:1", Generation::First)];
    steps.extend(pen.commits(3, 3, 400));
    steps.push(Step::Shutdown);
    ("unclean file", before, steps)
}
