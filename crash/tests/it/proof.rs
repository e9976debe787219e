//! The machine proves itself: what is known to lose is found to lose.

use larder_crash::hunt::{Found, Hunt, Lie};

fn hunt(lie: Lie, only: &str, losses_of_power: u64) -> Found {
    let hunt = Hunt { lie, losses_of_power, only: Some(only.to_owned()), most_losses: 100, ..Hunt::new(300) };
    hunt.run(&|_| {}).expect("the folder of the images is usable")
}

fn assert_found(found: &Found, what: &str) {
    assert!(found.losses.iter().any(|loss| loss.contains(what)), "{what:?} is not among {:#?}", found.losses);
}

/// With a lie in larder itself, as `tests/src/bin/seeded-bugs` puts one in, this fails.
#[test]
fn larder_as_it_is_loses_nothing_where_the_lies_are_found() {
    for (only, losses_of_power) in [("single commits", 3), ("batches", 1)] {
        let found = hunt(Lie::None, only, losses_of_power);
        assert!(found.losses.is_empty(), "{:#?}", found.losses);
        assert!(found.checked > 100, "only {} images were checked", found.checked);
    }
}

#[test]
fn syncs_that_do_nothing_are_found() {
    let found = hunt(Lie::NoSync, "single commits", 3);
    assert_found(&found, "(Power)");
    assert_found(&found, "LOST");
    assert_found(&found, "is damaged");
}

#[test]
fn an_acknowledgement_before_the_commit_is_found() {
    let found = hunt(Lie::EarlyAcknowledgement, "single commits", 0);
    assert_found(&found, "process killed");
    assert_found(&found, "LOST");
}

#[test]
fn two_transactions_instead_of_one_are_found() {
    assert_found(&hunt(Lie::TwoTransactions, "batches", 0), "half of a commit");
}
