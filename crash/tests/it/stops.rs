//! Stops everywhere: nothing is lost, nothing is half there.

use larder_crash::hunt::Hunt;

#[test]
fn a_process_that_is_killed_anywhere_loses_nothing() {
    let hunt = Hunt { losses_of_power: 0, ..Hunt::new(5_000) };
    let found = hunt.run(&|_| {}).expect("the folder of the images is usable");
    println!("seed {}: {} stops, {} opened and checked", hunt.seed, found.stops, found.checked);
    assert!(found.losses.is_empty(), "{} losses:\n{}", found.losses.len(), found.losses.join("\n"));
    assert!(found.stops >= hunt.stops);
}
