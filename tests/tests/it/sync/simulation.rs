//! The whole of it, seeded: clients with stores in files and in memory, one server, and a network and processes that fail at random, and
//! machines that lose power as the crash machine has it. When all heals, all have one log, and tables that this log makes. One seed is one
//! history, and always the same one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use self::world::World;

mod app;
mod dice;
mod files;
mod network;
mod peer;
mod witness;
mod world;

/// Histories in a run.
const SIMULATIONS: u64 = 2_000;

/// What happened, and what it came to.
fn run(seed: u64) -> (Vec<String>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed).await;
        let ran = AssertUnwindSafe(async {
            world.run().await;
            world.heal().await;
            world.judge()
        });
        match futures_util::FutureExt::catch_unwind(ran).await {
            Ok(end) => (world.trace.clone(), end),
            Err(panic) => {
                eprintln!("seed {seed} of the simulation:\n{}", world.trace.join("\n"));
                resume_unwind(panic)
            }
        }
    })
}

/// `LARDER_SIMULATIONS=200000 LARDER_SIMULATION_FROM=7` tries so many seeds from that one on, each on one thread, many at a time.
#[test]
fn whatever_fails_all_clients_come_to_one_log_and_to_the_tables_that_it_makes() {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    let first = number("LARDER_SIMULATION_FROM").unwrap_or(1);
    let count = number("LARDER_SIMULATIONS").unwrap_or(SIMULATIONS);
    let (next, begun) = (AtomicU64::new(first), Instant::now());
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= first + count {
            break;
        }
        if seed > first && (seed - first).is_multiple_of(SIMULATIONS) {
            println!("{} seeds from {first} in {:.0} s", seed - first, begun.elapsed().as_secs_f64());
        }
        if let Err(panic) = catch_unwind(|| run(seed)) {
            eprintln!("the simulation with seed {seed} fails");
            next.store(u64::MAX / 2, Ordering::Relaxed);
            resume_unwind(panic);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
    });
    let seconds = begun.elapsed().as_secs_f64();
    println!("{count} seeds from {first} in {seconds:.0} s, {:.1} a second", count as f64 / seconds);
}

#[test]
fn a_seed_of_the_simulation_is_one_history() {
    for seed in 1..=20 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
