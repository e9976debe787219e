//! Text that came out of a file or from another client, as a message may show it: in one line, and not all of it.

use std::fmt;

/// The beginning of a name or a value.
pub(crate) fn shown(text: &str) -> Shown<'_> {
    Shown { text, most: 64 }
}

/// A sentence of another library that may quote such a text.
pub(crate) fn one_line(text: &str) -> Shown<'_> {
    Shown { text, most: 500 }
}

/// At most so many characters, those that a terminal or a log would act on escaped.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    text: &'a str,
    most: usize,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.text.chars();
        for character in characters.by_ref().take(self.most) {
            match character {
                '"' | '\'' | '\\' => write!(formatter, "{character}")?,
                other => write!(formatter, "{}", other.escape_debug())?,
            }
        }
        formatter.write_str(if characters.next().is_some() { "…" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::{one_line, shown};

    #[test]
    fn what_is_readable_stays_and_the_rest_is_escaped() {
        assert_eq!(shown("v1.IssueOpened 'é' \"ß\" \\").to_string(), "v1.IssueOpened 'é' \"ß\" \\");
        assert_eq!(shown("a\nb\0\u{1b}[31m\u{202e}").to_string(), "a\\nb\\0\\u{1b}[31m\\u{202e}");
        assert_eq!(shown(&"x".repeat(65)).to_string(), format!("{}…", "x".repeat(64)));
        assert_eq!(one_line(&"é".repeat(500)).to_string(), "é".repeat(500));
    }
}
