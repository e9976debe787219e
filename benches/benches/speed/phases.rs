//! Where the time of a single commit goes: larder says at level TRACE when a phase ends; by hand the watch is read between the steps.

use std::{
    cell::RefCell,
    fmt::Debug,
    time::{Duration, Instant},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    app::{IssueEvent, opened},
    hand::{Opened, insert},
    lab::Lab,
    measure::{Outcome, median},
};

const COMMITS: i64 = 250;
const PHASES: [&str; 6] = ["encode", "begin", "append", "materialize", "COMMIT", "publish"];

thread_local! {
    static ENDED: RefCell<Vec<(String, Instant)>> = const { RefCell::new(Vec::new()) };
}

/// Hears of the ends of phases and of nothing else.
struct Phases;

impl Subscriber for Phases {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "larder::commit"
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Phase);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Phase;

impl Visit for Phase {
    fn record_str(&mut self, _: &Field, phase: &str) {
        let now = Instant::now();
        ENDED.with_borrow_mut(|ended| ended.push((phase.to_owned(), now)));
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// The durations of every commit's phases, by phase.
type Durations = [Vec<f64>; PHASES.len()];

fn add(durations: &mut Durations, begun: Instant, ended: &[(&str, Instant)]) -> Outcome<()> {
    let mut last = begun;
    for (phase, at) in ended {
        let phase = PHASES.iter().position(|known| known == phase).ok_or("a phase without a name")?;
        durations[phase].push((*at - last).as_nanos() as f64);
        last = *at;
    }
    Ok(())
}

fn larder(durations: &mut Durations, rounds: u32) -> Outcome<()> {
    let lab = Lab::new()?;
    let id = lab.filled("workspace:a", 20_000)?;
    for _ in 0..rounds {
        let store = lab.reopen(&id)?;
        let first = store.head().global() as i64;
        for number in first..first + COMMITS {
            let event: IssueEvent = opened(number);
            ENDED.take();
            let begun = Instant::now();
            store.commit(event)?;
            let end = Instant::now();
            if number >= first + 8 {
                let ended = ENDED.take();
                let ended = ended.iter().map(|(phase, at)| (phase.as_str(), *at));
                add(durations, begun, &ended.chain([("publish", end)]).collect::<Vec<_>>())?;
            }
        }
    }
    Ok(())
}

fn by_hand(durations: &mut Durations, rounds: u32) -> Outcome<()> {
    let lab = Lab::new()?;
    let mut hand = lab.filled_by_hand("hand.db", 20_000)?.without_checkpoints()?;
    for _ in 0..rounds {
        hand.checkpoint()?;
        for number in 0..COMMITS {
            let event = Opened::of(hand.events());
            let begun = Instant::now();
            let args = serde_json::to_string(&event)?;
            let encoded = Instant::now();
            hand.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            let began = Instant::now();
            hand.append("v1.IssueOpened", &args)?;
            let appended = Instant::now();
            insert(&hand.connection, &event)?;
            let inserted = Instant::now();
            hand.connection.prepare_cached("COMMIT")?.execute([])?;
            let end = Instant::now();
            let ended = [encoded, began, appended, inserted, end];
            if number >= 8 {
                add(durations, begun, &PHASES.into_iter().zip(ended).collect::<Vec<_>>())?;
            }
        }
    }
    Ok(())
}

/// Prints the table of phases.
pub(crate) fn print(rounds: u32) -> Outcome<()> {
    let (mut ours, mut theirs) = (Durations::default(), Durations::default());
    let cost = cost_of_a_look();
    tracing::subscriber::with_default(Phases, || larder(&mut ours, rounds))?;
    by_hand(&mut theirs, rounds)?;
    println!("{:<14}{:>12}{:>12}{:>12}", "phase", "larder", "by hand", "more");
    let mut sums = (0.0, 0.0);
    for (index, phase) in PHASES.iter().enumerate() {
        let (left, right) = (median(&mut ours[index]), median(&mut theirs[index]));
        let right = if right.is_nan() { 0.0 } else { right };
        println!("{phase:<14}{left:>9.0} ns{right:>9.0} ns{:>9.0} ns", left - right);
        sums = (sums.0 + left, sums.1 + right);
    }
    println!("{:<14}{:>9.0} ns{:>9.0} ns{:>9.0} ns", "together", sums.0, sums.1, sums.0 - sums.1);
    println!(
        "\nmedians of {} commits of one event; a look at the clock, {} ns, is in each phase",
        ours[0].len(),
        cost.as_nanos()
    );
    println!("larder's phases hold what its telemetry costs while somebody listens, too");
    Ok(())
}

fn cost_of_a_look() -> Duration {
    let begun = Instant::now();
    let looks = 10_000;
    (0..looks).for_each(|_| {
        std::hint::black_box(Instant::now());
    });
    begun.elapsed() / looks
}
