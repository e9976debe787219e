//! What commands print: aligned text, coloured only on a terminal, or JSON.

use std::io::{self, IsTerminal, Write};

use console::{Alignment, measure_text_width, pad_str, style, truncate_str};
use larder::Timestamp;
use serde::Serialize;

/// Narrowest that a column may become on a narrow terminal.
const MIN_COLUMN: usize = 12;

/// Where and how a command prints.
pub struct Output {
    out: Box<dyn Write>,
    json: bool,
    /// The terminal's width in columns; `None` when the output is not a terminal.
    width: Option<usize>,
}

impl Output {
    /// The standard output.
    pub fn stdout(json: bool) -> Self {
        let stdout = io::stdout();
        let width = stdout.is_terminal().then(|| usize::from(console::Term::stdout().size().1));
        Self { out: Box::new(io::BufWriter::new(stdout)), json, width }
    }

    /// Whether JSON is asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether somebody looks at it on a terminal.
    pub fn is_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// One line of text.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text.as_ref())
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        writeln!(self.out)
    }

    /// A table, aligned; cut to the terminal's width if there is a terminal.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn table(&mut self, table: &Grid) -> io::Result<()> {
        let mut lines = table.lines(self.width).into_iter();
        let header = lines.next().unwrap_or_default();
        match self.width {
            Some(_) => writeln!(self.out, "{}", style(header).bold())?,
            None => writeln!(self.out, "{header}")?,
        }
        lines.try_for_each(|line| writeln!(self.out, "{line}"))
    }

    /// Writes out what is buffered. Called before a command counts as done, so that a closed pipe is noticed.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A table to print.
#[derive(Debug)]
pub struct Grid {
    columns: Vec<GridColumn>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct GridColumn {
    name: &'static str,
    alignment: Alignment,
}

impl Grid {
    /// A table with these columns; names that begin with `>` are right-aligned, for numbers.
    pub fn new(columns: &[&'static str]) -> Self {
        let column = |name: &&'static str| match name.strip_prefix('>') {
            Some(name) => GridColumn { name, alignment: Alignment::Right },
            None => GridColumn { name, alignment: Alignment::Left },
        };
        Self { columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row; what a terminal would obey is made harmless.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len(), "one cell per column");
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The names of the columns, and then each row; cut to so many columns of a terminal, if there is one.
    pub(crate) fn lines(&self, limit: Option<usize>) -> Vec<String> {
        let widths = self.widths(limit);
        let header: Vec<_> = self.columns.iter().map(|column| column.name.to_owned()).collect();
        std::iter::once(&header).chain(&self.rows).map(|row| self.format(row, &widths)).collect()
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<_> = self.columns.iter().map(|column| column.name.len()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = measure_text_width(cell).max(*width);
            }
        }
        if let Some(limit) = limit {
            let excess = (widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)).saturating_sub(limit);
            if let Some(widest) = widths.iter_mut().max() {
                *widest = widest.saturating_sub(excess).max(MIN_COLUMN.min(*widest));
            }
        }
        widths
    }

    fn format(&self, row: &[String], widths: &[usize]) -> String {
        let mut text = String::new();
        for ((cell, width), column) in row.iter().zip(widths).zip(&self.columns) {
            if !text.is_empty() {
                text.push_str("  ");
            }
            text.push_str(&pad_str(&truncate_str(cell, *width, "…"), *width, column.alignment, None));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// The text without control characters: a title may come from anywhere, and a terminal obeys what it is sent.
pub fn printable(text: &str) -> String {
    text.chars().map(|found| if found.is_control() { ' ' } else { found }).collect()
}

/// A number with thousands apart: `30,480`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 issue`, `2 issues`.
pub fn things(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ if thing.ends_with('y') => format!("{} {}ies", count(number), &thing[..thing.len() - 1]),
        _ => format!("{} {thing}s", count(number)),
    }
}

/// A size: `1.5 MiB`.
#[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
pub fn bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} GiB")
}

/// The day and minute, in UTC: `2021-05-27 20:25`.
pub fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..16).map_or_else(|| text.clone(), |minute| minute.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sizes_and_times_read_well() {
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(7), bytes(1536), bytes(5 << 30)], ["7 B", "1.5 KiB", "5.0 GiB"]);
        assert_eq!([things(1, "issue"), things(2, "activity")], ["1 issue", "2 activities"]);
        assert_eq!(minute(Timestamp::from_second(1_622_161_550).expect("a time")), "2021-05-28 00:25");
    }

    #[test]
    fn a_table_is_aligned_cut_to_the_terminal_and_cannot_command_it() {
        let mut table = Grid::new(&[">number", "title"]);
        table.row(["7".into(), "a \u{1b}[31mlong title that goes on".into()]);
        assert_eq!(table.format(&table.rows[0], &table.widths(None)), "     7  a  [31mlong title that goes on");
        assert_eq!(table.format(&table.rows[0], &table.widths(Some(22))), "     7  a  [31mlong t…");
    }
}
