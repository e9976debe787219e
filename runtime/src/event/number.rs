//! Event numbers and their notation: `e5`, `e5.1`, `e5r2`.

use std::{cmp::Ordering, fmt, hash, str::FromStr};

use crate::error::shown;

/// Where an event stands: `e5` is the 5th in the agreed order, `e5.1` the first client-only event after it, `e5r2` was renumbered by the
/// 2nd rebase. Order and equality look at the place alone, never at the generation.
///
/// ```
/// use larder::EventNumber;
/// let number: EventNumber = "e5.1r2".parse()?;
/// assert_eq!((number.global(), number.client(), number.generation()), (5, 1, 2));
/// assert_eq!(number.to_string(), "e5.1r2");
/// assert_eq!(number, "e5.1".parse()?);
/// # Ok::<(), larder::ParseEventNumberError>(())
/// ```
#[derive(Clone, Copy)]
pub struct EventNumber {
    global: u64,
    client: u32,
    generation: u32,
}

impl EventNumber {
    /// Before the first event: the head of an empty log.
    pub const ZERO: Self = Self::synced(0);

    /// Highest number in the agreed order: 2^39 - 1, so that a place fits SQLite's 64-bit rowid.
    pub const MAX_GLOBAL: u64 = (1 << 39) - 1;

    /// Most client-only events after one synced event: 2^24 - 1.
    pub const MAX_CLIENT: u32 = (1 << 24) - 1;

    /// The synced event at `global`; what is above [`MAX_GLOBAL`](Self::MAX_GLOBAL) counts as that.
    pub const fn synced(global: u64) -> Self {
        Self::client_only(global, 0)
    }

    /// The `client`th client-only event after the synced event `global`; what is above [`MAX_GLOBAL`](Self::MAX_GLOBAL) or
    /// [`MAX_CLIENT`](Self::MAX_CLIENT) counts as that.
    pub const fn client_only(global: u64, client: u32) -> Self {
        let global = if global > Self::MAX_GLOBAL { Self::MAX_GLOBAL } else { global };
        let client = if client > Self::MAX_CLIENT { Self::MAX_CLIENT } else { client };
        Self { global, client, generation: 0 }
    }

    /// The same place, renumbered by the `generation`th rebase.
    pub const fn with_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// The same place without generation.
    pub const fn without_generation(self) -> Self {
        self.with_generation(0)
    }

    /// The number in the agreed order.
    pub const fn global(self) -> u64 {
        self.global
    }

    /// 0 for a synced event, else which client-only event after it.
    pub const fn client(self) -> u32 {
        self.client
    }

    /// How many rebases renumbered the event.
    pub const fn generation(self) -> u32 {
        self.generation
    }

    /// Whether this is a client-only event.
    pub const fn is_client_only(self) -> bool {
        self.client != 0
    }

    /// The number of an event that follows this one directly. The last number there is follows itself.
    pub const fn next(self, client_only: bool) -> Self {
        if client_only {
            Self::client_only(self.global, self.client + 1).with_generation(self.generation)
        } else {
            Self::synced(self.global + 1).with_generation(self.generation)
        }
    }

    const fn place(self) -> (u64, u32) {
        (self.global, self.client)
    }
}

impl PartialEq for EventNumber {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for EventNumber {}

impl hash::Hash for EventNumber {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl PartialOrd for EventNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EventNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl fmt::Display for EventNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "e{}", self.global)?;
        if self.client != 0 {
            write!(formatter, ".{}", self.client)?;
        }
        if self.generation != 0 {
            write!(formatter, "r{}", self.generation)?;
        }
        Ok(())
    }
}

impl fmt::Debug for EventNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text that is not an event number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an event number; write `e5`, `e5.1` (client-only) or `e5r2` (2nd rebase)", shown(text))]
pub struct ParseEventNumberError {
    text: String,
}

impl FromStr for EventNumber {
    type Err = ParseEventNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParseEventNumberError { text: text.chars().take(64).collect() })
    }
}

fn parse(text: &str) -> Option<EventNumber> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty();
    let rest = text.strip_prefix('e')?;
    let (place, generation) = rest.split_once('r').map_or((rest, None), |(place, tail)| (place, Some(tail)));
    let (global, client) = place.split_once('.').map_or((place, None), |(global, tail)| (global, Some(tail)));
    let part = |part: Option<&str>| part.map_or(Some(0), |part| digits(part).then(|| part.parse::<u32>().ok())?);
    let global = digits(global).then(|| global.parse::<u64>().ok())??;
    let (client, generation) = (part(client)?, part(generation)?);
    let number = EventNumber { global, client, generation };
    // One text a number: not `e05`, not `e5.0`, and nothing above the highest.
    (global <= EventNumber::MAX_GLOBAL && client <= EventNumber::MAX_CLIENT && number.to_string() == text)
        .then_some(number)
}
