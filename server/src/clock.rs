//! The time of day, as events carry it.

use jiff::Timestamp;

/// Milliseconds since 1970, now.
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A moment as the wire has it: `2026-11-22T15:09:30.231Z`.
pub(crate) fn iso(ms: i64) -> String {
    let moment = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{moment:.3}")
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn a_moment_has_three_digits_and_a_z() {
        assert_eq!(iso(1_795_360_170_231), "2026-11-22T15:09:30.231Z");
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
    }
}
