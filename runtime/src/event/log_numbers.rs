//! The notation of a whole log: `e1 e2 | e3 e4` has two pending events.

use std::{fmt, str::FromStr};

use super::{EventNumber, ParseEventNumberError};

/// The numbers of a log in order, those of its pending events behind a bar: `e1 e2 | e3 e4`. Without pending events there is no bar, and
/// an empty log is an empty text. Two are equal when their texts are: unlike single numbers, they differ in generations, too.
///
/// ```
/// use larder::LogNumbers;
/// let log: LogNumbers = "e1 e1.1 | e2r1 e3r1".parse()?;
/// assert_eq!((log.confirmed().len(), log.pending().len()), (2, 2));
/// assert_eq!(log.to_string(), "e1 e1.1 | e2r1 e3r1");
/// assert_ne!(log, "e1 e1.1 | e2 e3".parse()?);
/// # Ok::<(), larder::ParseLogNumbersError>(())
/// ```
#[derive(Clone, Default)]
pub struct LogNumbers {
    confirmed: Vec<EventNumber>,
    pending: Vec<EventNumber>,
}

impl LogNumbers {
    /// The log with these events, each list in order.
    pub fn new(
        confirmed: impl IntoIterator<Item = EventNumber>,
        pending: impl IntoIterator<Item = EventNumber>,
    ) -> Self {
        Self { confirmed: confirmed.into_iter().collect(), pending: pending.into_iter().collect() }
    }

    /// The events that the sync backend has ordered; without a backend all of them.
    pub fn confirmed(&self) -> &[EventNumber] {
        &self.confirmed
    }

    /// The events that the sync backend has not ordered yet.
    pub fn pending(&self) -> &[EventNumber] {
        &self.pending
    }

    fn parts(&self) -> impl Iterator<Item = (u64, u32, u32)> + '_ {
        let part = |number: &EventNumber| (number.global(), number.client(), number.generation());
        self.confirmed.iter().chain(&self.pending).map(part)
    }
}

impl PartialEq for LogNumbers {
    fn eq(&self, other: &Self) -> bool {
        self.confirmed.len() == other.confirmed.len() && self.parts().eq(other.parts())
    }
}

impl Eq for LogNumbers {}

impl fmt::Display for LogNumbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for (at, number) in self.confirmed.iter().chain(&self.pending).enumerate() {
            if at == self.confirmed.len() {
                write!(formatter, "{space}|")?;
                space = " ";
            }
            write!(formatter, "{space}{number}")?;
            space = " ";
        }
        Ok(())
    }
}

impl fmt::Debug for LogNumbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{self}`")
    }
}

/// A text that is not the notation of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseLogNumbersError {
    /// A word of it is neither a number nor the bar.
    #[error(transparent)]
    Number(#[from] ParseEventNumberError),
    /// A number does not follow the one before.
    #[error("`{after}` does not come after `{before}`; write the numbers of a log in order, each once")]
    Order {
        /// The number before.
        before: EventNumber,
        /// The number that is to follow it.
        after: EventNumber,
    },
    /// There is more than one bar, or nothing behind it.
    #[error("a log has at most one `|`, with its pending events behind it, as in `e1 e2 | e3`")]
    Bar,
}

impl FromStr for LogNumbers {
    type Err = ParseLogNumbersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut log = Self::default();
        let (mut last, mut behind_bar) = (EventNumber::ZERO, false);
        for word in text.split_whitespace() {
            if word == "|" {
                if std::mem::replace(&mut behind_bar, true) {
                    return Err(ParseLogNumbersError::Bar);
                }
                continue;
            }
            let number: EventNumber = word.parse()?;
            if number <= last {
                return Err(ParseLogNumbersError::Order { before: last, after: number });
            }
            last = number;
            let part = if behind_bar { &mut log.pending } else { &mut log.confirmed };
            part.push(number);
        }
        if behind_bar && log.pending.is_empty() { Err(ParseLogNumbersError::Bar) } else { Ok(log) }
    }
}
