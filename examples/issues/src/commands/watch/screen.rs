//! The screen: counts, the busiest issues, and the open ones.

use std::io;

use ratatui::{
    DefaultTerminal, Frame,
    layout::{Constraint, Layout},
    style::{Style, Stylize as _},
    text::Line,
    widgets::{Block, Paragraph, Row, Table},
};

use super::Shown;
use crate::{
    output::{count, minute, printable},
    stores::Headline,
};

/// The terminal while it is drawn on; as it was before when this is dropped.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn begin() -> io::Result<Self> {
        Ok(Self { terminal: ratatui::try_init()? })
    }

    /// Shows a workspace; `note` is about the import.
    pub(super) fn draw(&mut self, shown: &Shown<'_>, note: &str) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, shown, note)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn draw(frame: &mut Frame<'_>, shown: &Shown<'_>, note: &str) {
    let busiest = u16::try_from(shown.busiest.len()).unwrap_or(0) + 2;
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(busiest),
        Constraint::Min(3),
        Constraint::Length(1),
    ]);
    let [head, work, open, foot] = areas.areas(frame.area());
    let number = |number: i64| count(number.unsigned_abs());
    let counts = shown.counts;
    let said = format!(
        "{}  {} open  {} closed  {} comments",
        printable(shown.workspace),
        number(counts.open),
        number(counts.closed),
        number(counts.comments)
    );
    frame.render_widget(Line::from(said).bold(), head);
    frame.render_widget(table(shown.busiest, " most of the work "), work);
    frame.render_widget(table(shown.issues, " open issues, the latest activity first "), open);
    let note = if note.is_empty() { "q ends".to_owned() } else { format!("q ends  {note}") };
    frame.render_widget(Paragraph::new(note).style(Style::new().dim()), foot);
}

fn table<'a>(issues: &[Headline], title: &'a str) -> Table<'a> {
    let row = |issue: &Headline| {
        let Headline { number, title, comments, last_activity, .. } = issue;
        Row::new([format!("#{number}"), count(comments.unsigned_abs()), minute(*last_activity), printable(title)])
    };
    let widths = [Constraint::Length(8), Constraint::Length(6), Constraint::Length(16), Constraint::Min(12)];
    Table::new(issues.iter().map(row), widths).block(Block::bordered().title(title))
}

#[cfg(test)]
mod tests {
    use larder::Timestamp;
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::stores::{Counts, State};

    #[test]
    fn the_screen_shows_counts_the_busiest_and_the_open_issues_and_obeys_no_title() {
        let at = Timestamp::from_second(1_622_161_550).expect("a time");
        let issue = |number, title: &str| Headline {
            number,
            title: title.to_owned(),
            state: State::Open,
            comments: number * 1_000,
            last_activity: at,
        };
        let (busiest, issues) = ([issue(2, "two")], [issue(1, "one \u{1b}[31m"), issue(2, "two")]);
        let counts = Counts { open: 2, closed: 1_234, comments: 7, last_activity: Some(at) };
        let shown = Shown { workspace: "a/b", counts: &counts, busiest: &busiest, issues: &issues };
        let mut terminal = Terminal::new(TestBackend::new(60, 10)).expect("a terminal in memory");
        terminal.draw(|frame| draw(frame, &shown, "importing, 7 %")).expect("it draws");
        let lines: Vec<String> =
            terminal.backend().to_string().lines().map(|line| line.trim_matches('"').to_owned()).collect();
        assert_eq!(lines[0].trim_end(), "a/b  2 open  1,234 closed  7 comments");
        assert!(lines[1].contains("most of the work"), "{lines:?}");
        assert!(lines[2].contains("#2") && lines[2].contains("2,000") && lines[2].contains("2021-05-28 00:25"));
        assert!(lines[5].contains("#1") && lines[5].contains("one  [31m"), "{lines:?}");
        assert!(lines[6].contains("two"));
        assert_eq!(lines[9].trim_end(), "q ends  importing, 7 %");
    }
}
