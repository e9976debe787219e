//! Where in a text of SQL something is wrong: stable Rust cannot underline a part of a literal, so the message shows it.

use std::fmt;

/// A place in a query's text.
pub(crate) struct Place {
    line: usize,
    column: usize,
    text: String,
}

impl Place {
    /// The place of the byte at `offset`; the first character is at line 1, column 1.
    pub(crate) fn at(sql: &str, offset: usize) -> Self {
        let offset = (0..=offset.min(sql.len())).rev().find(|at| sql.is_char_boundary(*at)).unwrap_or(0);
        let start = sql[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = sql[offset..].find('\n').map_or(sql.len(), |at| offset + at);
        Self {
            line: sql[..offset].matches('\n').count() + 1,
            column: sql[start..offset].chars().count() + 1,
            text: sql[start..end].to_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = self.text.len() - self.text.trim_start().len();
        let lead: String = self.text[indent..].chars().take((self.column - 1).saturating_sub(indent)).collect();
        // A tab is as wide in the second line as in the first.
        let lead: String = lead.chars().map(|found| if found == '\t' { '\t' } else { ' ' }).collect();
        let Self { line, column, text } = self;
        write!(formatter, "line {line}, column {column}:\n    {}\n    {lead}^", text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn the_line_and_a_mark_below_the_character() {
        let sql = "SELECT a\n    FROM böse WHERE x = 1";
        let place = Place::at(sql, sql.find("WHERE").expect("there"));
        assert_eq!(place.to_string(), "line 2, column 15:\n    FROM böse WHERE x = 1\n              ^");
        assert_eq!(Place::at("", 5).to_string(), "line 1, column 1:\n    \n    ^");
    }
}
