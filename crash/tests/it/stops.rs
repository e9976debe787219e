//! Stops everywhere: nothing is lost, nothing is half there.

use larder_crash::hunt::Hunt;

/// `LARDER_SEED=7` for other workloads and damages than the usual.
fn seed() -> u64 {
    std::env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122)
}

#[test]
fn a_hundred_thousand_stops_lose_nothing() {
    let hunt = Hunt { seed: seed(), losses_of_power: 20, ..Hunt::new(100_000) };
    let found = hunt.run(&|_| {}).expect("the folder of the images is usable");
    println!("LARDER_SEED={}: {} stops, {} opened and checked", hunt.seed, found.stops, found.checked);
    assert!(found.losses.is_empty(), "{} losses:\n{}", found.losses.len(), found.losses.join("\n"));
    let ran: Vec<_> = found.ran.keys().cloned().collect();
    let mut all = hunt.names();
    all.sort();
    assert_eq!((all.len(), ran), (30, all), "every workload with every durability");
    assert!(found.ran.values().all(|stops| *stops > 1_000), "{:#?}", found.ran);
    assert!(found.stops >= hunt.stops, "only {} stops", found.stops);
    assert!(found.checked > 20_000, "only {} images were checked", found.checked);
}
