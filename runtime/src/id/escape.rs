//! Escaping of parts of store ids: injective, and nothing of a part can be taken for a separator.

use super::StoreIdError;

/// Appends `part`: `[A-Za-z0-9_-]` and a `.` not after `.` stand, every other byte is `~XX` in upper-case hex.
pub(super) fn escape_into(text: &mut String, part: &str) -> Result<(), StoreIdError> {
    if part.is_empty() {
        return Err(StoreIdError::EmptyPart { before: text.clone() });
    }
    let mut after_dot = false;
    for byte in part.bytes() {
        let stands = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (byte == b'.' && !after_dot);
        after_dot = byte == b'.' && stands;
        if stands {
            text.push(char::from(byte));
        } else {
            text.push('~');
            text.push(hex(byte >> 4));
            text.push(hex(byte & 15));
        }
    }
    Ok(())
}

/// The part that [`escape_into`] makes this text of; `None` for a text that it never makes.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'~' {
            let [high, low, tail @ ..] = tail else { return None };
            bytes.push((unhex(*high)? << 4) | unhex(*low)?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    let part = String::from_utf8(bytes).ok()?;
    let mut again = String::new();
    escape_into(&mut again, &part).ok()?;
    (again == text).then_some(part)
}

fn hex(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble)])
}

fn unhex(digit: u8) -> Option<u8> {
    b"0123456789ABCDEF".iter().position(|known| *known == digit).and_then(|at| u8::try_from(at).ok())
}
