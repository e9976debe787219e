//! What a push must be before a log takes it.

use crate::{Event, Limits, depth::deeper_than};

/// Whether a batch is within the limits and every event follows the one before it, not only the first.
///
/// Whether the first follows the log's head is for the log to say.
///
/// # Errors
/// The first thing that is wrong, with the event it is wrong with.
pub fn check_batch(batch: &[Event], limits: &Limits) -> Result<(), BatchError> {
    if batch.len() > limits.batch_events {
        return Err(BatchError::TooManyEvents { events: batch.len(), limit: limits.batch_events });
    }
    let mut total = 0_usize;
    let mut before = batch.first().map_or(0, |first| first.parent_seq_num);
    for event in batch {
        let number = event.seq_num;
        check_event(event, limits)?;
        if number > Limits::EVENT_NUMBER {
            return Err(BatchError::NumberTooLarge { number });
        }
        if event.parent_seq_num != before || number != before.saturating_add(1) {
            return Err(BatchError::Gap { number, parent: event.parent_seq_num, before });
        }
        total = total.saturating_add(event.size());
        before = number;
    }
    if total > limits.batch_bytes {
        return Err(BatchError::TooManyBytes { bytes: total, limit: limits.batch_bytes });
    }
    Ok(())
}

fn check_event(event: &Event, limits: &Limits) -> Result<(), BatchError> {
    let (number, args) = (event.seq_num, event.args_text().unwrap_or_default());
    if args.len() > limits.event_bytes {
        return Err(BatchError::EventTooLarge { number, bytes: args.len(), limit: limits.event_bytes });
    }
    if deeper_than(args, limits.json_depth).is_some() {
        return Err(BatchError::TooDeep { number, limit: limits.json_depth });
    }
    let bytes = event.label_bytes();
    if bytes > Limits::LABEL_BYTES {
        return Err(BatchError::LabelsTooLong { number, bytes, limit: Limits::LABEL_BYTES });
    }
    Ok(())
}

/// Why no log takes a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// More events than a push may have.
    #[error("the push has {events} events, at most {limit} are taken; split it")]
    TooManyEvents {
        /// How many it has.
        events: usize,
        /// How many it may have.
        limit: usize,
    },
    /// More bytes than a push may have.
    #[error("the events of the push have {bytes} bytes, at most {limit} are taken; split it")]
    TooManyBytes {
        /// How many they have.
        bytes: usize,
        /// How many they may have.
        limit: usize,
    },
    /// The arguments of one event are too large.
    #[error(
        "e{number} has {bytes} bytes of arguments, at most {limit} are taken; put large values elsewhere and their address into the event"
    )]
    EventTooLarge {
        /// Its number.
        number: u64,
        /// How many they have.
        bytes: usize,
        /// How many they may have.
        limit: usize,
    },
    /// The arguments of one event are nested too deep.
    #[error("the arguments of e{number} are nested deeper than {limit} levels; flatten them, or keep them as text")]
    TooDeep {
        /// Its number.
        number: u64,
        /// The deepest that is taken.
        limit: usize,
    },
    /// The name and ids of one event are too long.
    #[error("the name and the ids of e{number} have {bytes} bytes, at most {limit} are taken; use shorter ones")]
    LabelsTooLong {
        /// Its number.
        number: u64,
        /// How many they have.
        bytes: usize,
        /// How many they may have.
        limit: usize,
    },
    /// An event does not follow the one before it.
    #[error(
        "e{number} with parent e{parent} does not follow e{before}; number the events of a push one after the other"
    )]
    Gap {
        /// Its number.
        number: u64,
        /// The parent it names.
        parent: u64,
        /// The event it stands behind.
        before: u64,
    },
    /// A number beyond what every client can count.
    #[error("e{number} is beyond the last number that every client can count; a store has at most 2^53 - 1 events")]
    NumberTooLarge {
        /// The number.
        number: u64,
    },
}
