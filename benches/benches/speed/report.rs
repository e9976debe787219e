//! The table: work, larder, baseline, ratio, bar, met or not; or the same as JSON.

use serde::Serialize;

use crate::measure::Compared;

/// One line of the table.
#[derive(Serialize, Clone, Debug)]
pub(crate) struct Row {
    /// What was done.
    pub(crate) work: &'static str,
    /// What larder took, in `unit`.
    pub(crate) larder: f64,
    /// What the baseline took; none where there is nothing to compare with.
    pub(crate) baseline: Option<f64>,
    pub(crate) unit: Unit,
    /// larder over the baseline.
    pub(crate) ratio: Option<f64>,
    /// The ratio's quartiles over the rounds.
    pub(crate) quartiles: Option<(f64, f64)>,
    /// The same of processor time.
    pub(crate) cpu_ratio: Option<f64>,
    pub(crate) bar: Bar,
    /// Whether the bar is met; none where there is none.
    pub(crate) met: Option<bool>,
    /// What the baseline is, or what else is worth knowing.
    pub(crate) note: String,
}

/// What a number counts.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Nanoseconds for one.
    Nanos,
    Bytes,
    /// Threads, tasks, stores.
    Count,
    /// How many times as fast with two threads.
    Times,
    /// So many a second.
    PerSecond,
}

/// What is to be met.
#[derive(Serialize, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bar {
    None,
    /// At most so many times the baseline.
    Ratio(f64),
    /// At most so much.
    Most(f64),
    /// At least so much.
    Least(f64),
}

impl Row {
    /// larder beside a baseline.
    pub(crate) fn compared(work: &'static str, bar: Bar, compared: Compared, note: &str) -> Self {
        let met = match bar {
            Bar::None => None,
            Bar::Ratio(most) => Some(compared.ratio <= most),
            Bar::Most(most) => Some(compared.larder <= most),
            Bar::Least(least) => Some(compared.larder >= least),
        };
        Self {
            work,
            larder: compared.larder,
            baseline: Some(compared.baseline),
            unit: Unit::Nanos,
            ratio: Some(compared.ratio),
            quartiles: Some(compared.quartiles),
            cpu_ratio: Some(compared.cpu_ratio),
            bar,
            met,
            note: note.to_owned(),
        }
    }

    /// A number of larder's own, with a baseline's where there is one.
    pub(crate) fn number(work: &'static str, unit: Unit, larder: f64, baseline: Option<f64>, bar: Bar) -> Self {
        let ratio = baseline.map(|baseline| larder / baseline);
        let met = match bar {
            Bar::None => None,
            Bar::Ratio(most) => ratio.map(|ratio| ratio <= most),
            Bar::Most(most) => Some(larder <= most),
            Bar::Least(least) => Some(larder >= least),
        };
        Self { work, larder, baseline, unit, ratio, quartiles: None, cpu_ratio: None, bar, met, note: String::new() }
    }

    /// A row that could not be measured here, and why.
    pub(crate) fn missing(work: &'static str, why: &str) -> Self {
        Self::number(work, Unit::Nanos, f64::NAN, None, Bar::None).note(why)
    }

    /// With a note.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// The names of the columns.
pub(crate) fn header() -> String {
    format!(
        "{:<58}{:>12}{:>12}{:>8}{:>14}{:>7}{:>13}  {}",
        "work", "larder", "baseline", "ratio", "quartiles", "cpu", "bar", "met"
    )
}

/// One line.
pub(crate) fn line(row: &Row) -> String {
    let baseline = row.baseline.map_or_else(|| "-".to_owned(), |baseline| shown(baseline, row.unit));
    let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let quartiles = row.quartiles.map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:.2}..{high:.2}"));
    let bar = match row.bar {
        Bar::None => "-".to_owned(),
        Bar::Ratio(most) => format!("<= {most:.1} x"),
        Bar::Most(most) => format!("<= {}", shown(most, row.unit)),
        Bar::Least(least) => format!(">= {}", shown(least, row.unit)),
    };
    let met = row.met.map_or("", |met| if met { "yes" } else { "NO" });
    format!(
        "{:<58}{:>12}{:>12}{:>8}{:>14}{:>7}{:>13}  {met}",
        row.work,
        shown(row.larder, row.unit),
        baseline,
        ratio(row.ratio),
        quartiles,
        ratio(row.cpu_ratio),
        bar
    )
}

/// The notes, below the table.
pub(crate) fn notes(rows: &[Row]) -> String {
    let mut said = Vec::new();
    for row in rows.iter().filter(|row| !row.note.is_empty()) {
        match said.last_mut() {
            Some((works, note)) if *note == row.note.as_str() => *works = format!("{works}; {}", row.work),
            _ => said.push((row.work.to_owned(), row.note.as_str())),
        }
    }
    said.iter().map(|(works, note)| format!("{works}: {note}\n")).collect()
}

fn shown(number: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanos if number < 1e3 => format!("{number:.0} ns"),
        Unit::Nanos if number < 1e6 => format!("{:.2} us", number / 1e3),
        Unit::Nanos if number < 1e9 => format!("{:.2} ms", number / 1e6),
        Unit::Nanos => format!("{:.2} s", number / 1e9),
        Unit::Bytes => format!("{:.1} KiB", number / 1024.0),
        Unit::Count => format!("{number:.0}"),
        Unit::Times => format!("{number:.2} x"),
        Unit::PerSecond => format!("{number:.0}/s"),
    }
}
