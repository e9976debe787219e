//! The notation of event numbers and of logs: one text each.

use larder::{EventNumber, LogNumbers};
use proptest::prelude::*;

fn number() -> impl Strategy<Value = EventNumber> {
    let global = prop_oneof![0..4_u64, 0..=EventNumber::MAX_GLOBAL];
    let client = prop_oneof![Just(0), 0..=EventNumber::MAX_CLIENT];
    let generation = prop_oneof![Just(0), any::<u32>()];
    (global, client, generation)
        .prop_map(|(global, client, generation)| EventNumber::client_only(global, client).with_generation(generation))
}

proptest! {
    #[test]
    fn every_number_reads_back_from_its_text(number in number()) {
        let back: EventNumber = number.to_string().parse().unwrap();
        prop_assert_eq!((back.global(), back.client(), back.generation()), (number.global(), number.client(), number.generation()));
        prop_assert_eq!(format!("{number:?}"), number.to_string());
    }

    #[test]
    fn every_text_that_reads_is_what_its_number_prints(text in "e?[0-9]{0,12}(\\.[0-9]{0,8})?(r[0-9]{0,10})?") {
        if let Ok(number) = text.parse::<EventNumber>() {
            prop_assert_eq!(number.to_string(), text);
        }
    }
}

proptest! {
    #[test]
    fn every_log_reads_back_from_its_text(
        numbers in prop::collection::btree_set((1..40_u64, 0..3_u32), 0..12),
        generations in prop::collection::vec(0..3_u32, 12),
        pending in 0..13_usize,
    ) {
        let numbers = numbers.into_iter().zip(generations);
        let numbers: Vec<_> = numbers
            .map(|((global, client), generation)| EventNumber::client_only(global, client).with_generation(generation))
            .collect();
        let (confirmed, pending) = numbers.split_at(numbers.len().saturating_sub(pending));
        let log = LogNumbers::new(confirmed.to_vec(), pending.to_vec());
        let back: LogNumbers = log.to_string().parse().unwrap();
        prop_assert_eq!(&back, &log);
        prop_assert_eq!(back.to_string(), log.to_string());
        prop_assert_eq!((back.confirmed(), back.pending()), (confirmed, pending));
        if let Some(last) = log.to_string().strip_suffix(|last: char| last.is_ascii_digit()) {
            prop_assert_ne!(last.parse::<LogNumbers>().ok(), Some(log));
        }
    }

    #[test]
    fn every_text_that_reads_is_what_its_log_prints(text in "(e[0-3](\\.[0-2])?(r[1-2])?|\\|| ){0,9}") {
        if let Ok(log) = text.parse::<LogNumbers>() {
            let words: Vec<_> = text.split_whitespace().collect();
            prop_assert_eq!(log.to_string(), words.join(" "));
        }
    }
}

#[test]
fn what_is_no_log_is_refused_with_how_to_write_one() {
    let refused = |text: &str| text.parse::<LogNumbers>().unwrap_err().to_string();
    assert!(refused("e1 e2, e3").starts_with("`e2,` is not an event number; write `e5`"));
    assert!(refused("e1 e3 | e2").starts_with("`e2` does not come after `e3`"));
    assert!(refused("e1 e1r1").starts_with("`e1r1` does not come after `e1`"));
    for bar in ["|", "e1 |", "e1 | e2 | e3", "| |"] {
        assert!(refused(bar).starts_with("a log has at most one `|`"), "{bar}");
    }
    assert!(refused("e1|e2").starts_with("`e1|e2` is not"), "the bar stands alone");
    assert_eq!("".parse::<LogNumbers>().unwrap().to_string(), "");
    assert_eq!("  | e1\te2 ".parse::<LogNumbers>().unwrap().to_string(), "| e1 e2");
    assert_eq!(format!("{:?}", "e1 | e2".parse::<LogNumbers>().unwrap()), "`e1 | e2`");
    assert_ne!("e1 e2 | e3".parse::<LogNumbers>(), "e1 | e2 e3".parse());
    assert_ne!("e1 | e2".parse::<LogNumbers>(), "e1 | e2r1".parse());
}

#[test]
fn what_is_no_number_is_refused_with_how_to_write_one() {
    for text in [
        "",
        "e",
        "5",
        "e5.",
        "e5r",
        "e-1",
        "e05",
        "e5.0",
        "e5r0",
        "e5.01",
        "E5",
        "e5 ",
        "e5r2.1",
        "e+5",
        "e549755813888",
    ] {
        let error = text.parse::<EventNumber>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is not an event number; write `e5`")), "{error}");
    }
}

#[test]
fn order_and_equality_look_at_the_place_and_not_at_the_generation() {
    let number = |text: &str| text.parse::<EventNumber>().unwrap();
    assert_eq!(number("e3r1"), number("e3"));
    assert!(number("e3") < number("e3.1") && number("e3.2r7") < number("e4") && number("e9") < number("e10"));
}

#[test]
fn a_number_out_of_range_counts_as_the_highest() {
    assert_eq!(EventNumber::synced(u64::MAX).to_string(), "e549755813887");
    assert_eq!(EventNumber::client_only(1, u32::MAX).to_string(), "e1.16777215");
    assert_eq!(EventNumber::synced(u64::MAX).next(false), EventNumber::synced(u64::MAX));
    assert_eq!("e5r2".parse::<EventNumber>().unwrap().next(true).to_string(), "e5.1r2");
}
