//! The answer to a request over HTTP, taken apart while it arrives: pure.

use larder_wire::Limits;

/// Cuts a JSON array of frames into their texts. It keeps one frame, however long the answer is.
#[derive(Debug, Default)]
pub(super) struct Answer {
    frame: Vec<u8>,
    /// Levels of arrays and objects that are open; the array of the answer is the first.
    depth: usize,
    in_string: bool,
    escaped: bool,
    begun: bool,
    ended: bool,
}

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("it is no array of frames")]
    NoArray,
    #[error("a frame of it has more than {} bytes", Limits::MESSAGE_BYTES)]
    TooLong,
    #[error("a frame of it is no text")]
    NoText,
    #[error("its end is missing")]
    Cut,
}

impl Answer {
    /// The frames that are whole now.
    ///
    /// # Errors
    /// [`NoAnswer`]: the bytes are no answer.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, NoAnswer> {
        let mut whole = Vec::new();
        for byte in bytes {
            if let Some(frame) = self.byte(*byte)? {
                whole.push(String::from_utf8(frame).map_err(|_| NoAnswer::NoText)?);
            }
        }
        Ok(whole)
    }

    /// # Errors
    /// [`NoAnswer::Cut`]: something is missing.
    pub(super) fn end(&self) -> Result<(), NoAnswer> {
        if self.ended { Ok(()) } else { Err(NoAnswer::Cut) }
    }

    fn byte(&mut self, byte: u8) -> Result<Option<Vec<u8>>, NoAnswer> {
        if self.depth <= 1 {
            return self.between(byte);
        }
        if self.frame.len() >= Limits::MESSAGE_BYTES {
            return Err(NoAnswer::TooLong);
        }
        self.frame.push(byte);
        match byte {
            _ if self.in_string => {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
            }
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        Ok((self.depth == 1).then(|| std::mem::take(&mut self.frame)))
    }

    /// Outside of frames, where there is nothing but the array's own signs.
    fn between(&mut self, byte: u8) -> Result<Option<Vec<u8>>, NoAnswer> {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ if self.ended => return Err(NoAnswer::NoArray),
            b'[' if !self.begun => (self.begun, self.depth) = (true, 1),
            b'{' if self.begun => {
                self.depth = 2;
                self.frame.push(byte);
            }
            b',' if self.begun => {}
            b']' if self.begun => (self.ended, self.depth) = (true, 0),
            _ => return Err(NoAnswer::NoArray),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Answer, NoAnswer};

    fn cut(text: &str, parts: usize) -> Result<Vec<String>, NoAnswer> {
        let mut answer = Answer::default();
        let mut frames = Vec::new();
        for part in text.as_bytes().chunks(parts.max(1)) {
            frames.extend(answer.take(part)?);
        }
        answer.end()?;
        Ok(frames)
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_arrive() {
        let frames = [r#"{"a":"}],\"[\\"}"#, "{}", r#"{"b":[{"c":[1,2]}]}"#, r#"{"ü":"\\\""}"#];
        let text = format!(" [{}]\n", frames.join(" , "));
        for parts in 1..text.len() {
            assert_eq!(cut(&text, parts).unwrap(), frames, "{parts}");
        }
        assert_eq!(cut("[]", 1).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_answer_is_said_to_be_none() {
        for text in ["<html>", "{}", "[1]", "[] x", "[{}}", "\"", "[\"a\"]"] {
            assert_eq!(cut(text, 7), Err(NoAnswer::NoArray), "{text}");
        }
        for text in ["", "[", "[{", "[{}", "[{\"a\":\"}]"] {
            assert_eq!(cut(text, 7), Err(NoAnswer::Cut), "{text}");
        }
        let long = format!("[{{\"a\":\"{}\"}}]", "x".repeat(larder_wire::Limits::MESSAGE_BYTES));
        assert_eq!(cut(&long, 4096), Err(NoAnswer::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_arrives_nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::default().take(&bytes);
            let _ = Answer::default().take(&[b"[{".as_slice(), &bytes].concat());
        }
    }
}
