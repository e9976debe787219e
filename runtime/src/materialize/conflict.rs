//! What a statement of an app says is to happen at a conflict. SQLite's authorizer is not told.

/// Whether it is `INSERT OR ROLLBACK` or `UPDATE OR ROLLBACK`: a failure would undo the whole transaction, with the events of others.
pub(super) fn rolls_back(sql: &str) -> bool {
    let mut last = ["", ""];
    for word in Words(sql) {
        let is = |text: &str, wanted: &str| text.eq_ignore_ascii_case(wanted);
        // Nowhere else does `OR` follow one of these.
        if (is(last[0], "INSERT") || is(last[0], "UPDATE")) && is(last[1], "OR") && is(word, "ROLLBACK") {
            return true;
        }
        last = [last[1], word];
    }
    false
}

/// The words of a statement, and whatever else there is but spaces and comments.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            // SQLite takes a byte order mark for a space.
            self.0 = self.0.trim_start_matches(|char: char| char.is_whitespace() || char == '\u{feff}');
            self.0 = match (self.0.strip_prefix("--"), self.0.strip_prefix("/*")) {
                (Some(comment), _) => comment.split_once('\n').map_or("", |(_, rest)| rest),
                (_, Some(comment)) => comment.split_once("*/").map_or("", |(_, rest)| rest),
                _ => break,
            };
        }
        let first = self.0.chars().next()?;
        let is_word = |char: char| {
            char != '\u{feff}' && (char.is_alphanumeric() || char == '_' || char == '$' || !char.is_ascii())
        };
        let end = match first {
            '\'' | '"' | '`' => self.0[1..].find(first).map(|end| end + 2),
            '[' => self.0.find(']').map(|end| end + 1),
            _ if is_word(first) => self.0.find(|char| !is_word(char)),
            _ => Some(first.len_utf8()),
        };
        let (word, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::rolls_back;

    #[test]
    fn or_rollback_is_found_however_it_is_written_and_nowhere_else() {
        for sql in [
            "INSERT OR ROLLBACK INTO t VALUES (1)",
            "insert\n\tor /* a */ -- b\n rollback into t values (1)",
            "INSERT\u{feff}OR\u{feff} ROLLBACK INTO t VALUES (1)",
            "WITH a AS (SELECT 1) UPDATE/**/OR/**/ROLLBACK t SET x = 'it''s'",
        ] {
            assert!(rolls_back(sql), "{sql}");
        }
        for sql in [
            "INSERT OR REPLACE INTO t VALUES ('INSERT OR ROLLBACK')",
            "UPDATE OR IGNORE t SET x = 1 -- UPDATE OR ROLLBACK",
            "DELETE FROM t WHERE a OR rollback OR \"INSERT OR ROLLBACK\"",
            "UPDATE t SET insert_or = 1 WHERE [UPDATE OR ROLLBACK] = ' /* ' OR ROLLBACK",
            "INSERT OR 'ROLLBACK'",
            "INSERT INTO t VALUES ('",
            "/* INSERT OR ROLLBACK",
            "",
        ] {
            assert!(!rolls_back(sql), "{sql}");
        }
    }
}
