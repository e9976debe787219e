//! The table: work, larder, baseline, ratio, bar, met.

/// One line of the table.
pub(crate) struct Row {
    work: &'static str,
    larder: f64,
    /// The same by hand, where there is such a thing.
    baseline: Option<f64>,
    bar: Bar,
    note: String,
}

/// What is to be reached.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    /// A number a second, at least.
    Least(f64),
    /// Milliseconds, at most.
    MostMillis(f64),
}

impl Row {
    pub(crate) fn new(
        work: &'static str,
        larder: f64,
        baseline: Option<f64>,
        bar: Bar,
        note: impl Into<String>,
    ) -> Self {
        Self { work, larder, baseline, bar, note: note.into() }
    }

    fn met(&self) -> bool {
        match self.bar {
            Bar::Least(least) => self.larder >= least,
            Bar::MostMillis(most) => self.larder <= most,
        }
    }

    fn shown(&self, number: f64) -> String {
        match self.bar {
            Bar::Least(_) => format!("{number:.0}/s"),
            Bar::MostMillis(_) => format!("{number:.2} ms"),
        }
    }

    fn print(&self) {
        let baseline = self.baseline.map_or_else(|| "-".to_owned(), |baseline| self.shown(baseline));
        let ratio = self.baseline.map_or_else(|| "-".to_owned(), |baseline| format!("{:.2}", self.larder / baseline));
        let bar = match self.bar {
            Bar::Least(least) => format!(">= {}", self.shown(least)),
            Bar::MostMillis(most) => format!("<= {}", self.shown(most)),
        };
        let met = if self.met() { "yes" } else { "NO" };
        println!(
            "{:44} {:>13} {baseline:>13} {ratio:>7} {bar:>15} {met:>4}  {}",
            self.work,
            self.shown(self.larder),
            self.note
        );
    }
}

/// Prints the head.
pub(crate) fn begin() {
    println!("{:44} {:>13} {:>13} {:>7} {:>15} {:>4}", "work", "larder", "baseline", "ratio", "bar", "met");
}

/// Prints rows as they come; whether all bars are met.
pub(crate) fn print(rows: &[Row]) -> bool {
    rows.iter().for_each(Row::print);
    rows.iter().all(Row::met)
}
