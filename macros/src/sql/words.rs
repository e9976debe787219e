//! The words of a text of SQL, for what SQLite does not tell: which column a parameter is compared with.

/// One word, with its place in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) at: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword; in quotes it is a name, given without them.
    Name,
    /// `:name`, `?1`, `@name`, `$name`
    Parameter,
    /// `'text'`, given without the quotes.
    Text,
    Number,
    /// An operator or a sign of punctuation, two characters where SQL reads two.
    Sign,
}

impl Word {
    /// Whether it is this keyword or sign, letters in either case.
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Name | Kind::Sign) && self.text.eq_ignore_ascii_case(text)
    }
}

/// The words in order, comments left out.
pub(crate) fn words(sql: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let at = sql.len() - rest.len();
        let (kind, length) = word(rest, first);
        if let Some(kind) = kind {
            words.push(Word { kind, text: unquoted(&rest[..length]), at, end: at + length });
        }
        rest = &rest[length..];
    }
    words
}

fn word(rest: &str, first: char) -> (Option<Kind>, usize) {
    let while_ = |from: usize, holds: &dyn Fn(char) -> bool| {
        from + rest[from..].find(|found| !holds(found)).unwrap_or(rest.len() - from)
    };
    let in_name = |found: char| found.is_alphanumeric() || matches!(found, '_' | '$');
    match first {
        '\'' => (Some(Kind::Text), quoted(rest, '\'')),
        '"' | '`' => (Some(Kind::Name), quoted(rest, first)),
        '[' => (Some(Kind::Name), rest.find(']').map_or(rest.len(), |end| end + 1)),
        '-' if rest.starts_with("--") => (None, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => (None, rest[2..].find("*/").map_or(rest.len(), |end| end + 4)),
        ':' | '?' | '@' | '$' => (Some(Kind::Parameter), while_(1, &in_name)),
        _ if first.is_whitespace() => (None, while_(0, &char::is_whitespace)),
        _ if first.is_ascii_digit() => (Some(Kind::Number), while_(0, &|found| in_name(found) || found == '.')),
        _ if in_name(first) => (Some(Kind::Name), while_(0, &in_name)),
        _ => {
            let two = ["<=", ">=", "<>", "!=", "==", "||", "->"].iter().any(|sign| rest.starts_with(sign));
            (Some(Kind::Sign), if two { 2 } else { first.len_utf8() })
        }
    }
}

/// The length of a text in quotes, in which a doubled quote stands for one.
fn quoted(rest: &str, quote: char) -> usize {
    let mut inside = rest.char_indices().skip(1).peekable();
    while let Some((at, found)) = inside.next() {
        if found == quote && inside.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

fn unquoted(text: &str) -> String {
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '\'' | '"' | '`' | '[')) else {
        return text.to_owned();
    };
    let close = if quote == '[' { ']' } else { quote };
    let inside = text[1..].strip_suffix(close).unwrap_or(&text[1..]);
    inside.replace(&format!("{close}{close}"), &close.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Kind, words};

    #[test]
    fn words_of_every_kind() {
        let sql = "SELECT \"a \"\"b\", x.y -- why\nFROM t /* : */ WHERE z>=:p AND q='it''s' LIMIT 10";
        let found: Vec<_> = words(sql).into_iter().map(|word| (word.kind, word.text)).collect();
        let name = |text: &str| (Kind::Name, text.to_owned());
        let sign = |text: &str| (Kind::Sign, text.to_owned());
        assert_eq!(
            found,
            [
                name("SELECT"),
                name("a \"b"),
                sign(","),
                name("x"),
                sign("."),
                name("y"),
                name("FROM"),
                name("t"),
                name("WHERE"),
                name("z"),
                sign(">="),
                (Kind::Parameter, ":p".to_owned()),
                name("AND"),
                name("q"),
                sign("="),
                (Kind::Text, "it's".to_owned()),
                name("LIMIT"),
                (Kind::Number, "10".to_owned()),
            ]
        );
    }

    #[test]
    fn what_never_ends_ends_with_the_text() {
        for sql in ["'a", "\"", "/* x", "-- y", "[z", ":"] {
            assert!(words(sql).len() <= 1, "{sql}");
        }
    }
}
