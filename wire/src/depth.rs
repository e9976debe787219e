//! How deep JSON is nested, told without recursion and before anything parses it.

use crate::{Limits, WireError};

/// Whether a value's text is short enough, and its arrays and objects are at most `limits.json_depth` levels deep. Text that is no JSON passes: the
/// parser says what is wrong with it.
///
/// # Errors
/// [`WireError::MessageTooLong`], and [`WireError::TooDeep`] with the byte at which the limit is passed.
pub fn check_depth(text: &str, limits: &Limits) -> Result<(), WireError> {
    check(text, limits, limits.json_depth)
}

/// As [`check_depth`], of a message: what carries the arguments of events is not counted.
pub(crate) fn check_message(text: &str, limits: &Limits) -> Result<(), WireError> {
    check(text, limits, limits.json_depth.saturating_add(Limits::ENVELOPE_DEPTH))
}

fn check(text: &str, limits: &Limits, levels: usize) -> Result<(), WireError> {
    if text.len() > limits.message_bytes {
        return Err(WireError::MessageTooLong { bytes: text.len(), limit: limits.message_bytes });
    }
    match deeper_than(text, levels) {
        Some(at) => Err(WireError::TooDeep { at, limit: limits.json_depth }),
        None => Ok(()),
    }
}

/// The byte at which a text is deeper than so many levels, if it is.
pub(crate) fn deeper_than(text: &str, levels: usize) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > levels {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}
