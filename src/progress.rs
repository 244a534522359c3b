//! Progress of long work on the terminal (stderr): the same bar for the command line and Python.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::ixmp4::Ixmp4Step;

/// A bar that counts rows. Nothing is drawn where stderr is not a terminal, except the closing line.
pub struct RowBar {
    bar: ProgressBar,
    label: String,
}

impl RowBar {
    /// A bar at 0 of `total` rows.
    pub fn new(label: &str, total: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix} {bar:30} {human_pos}/{human_len} rows, {rate}, {eta} left",
        ) {
            // `per_sec` shows four digits behind the point.
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}/s", HumanCount(state.per_sec() as u64));
            };
            bar.set_style(style.progress_chars("━╸ ").with_key("rate", rate));
        }
        bar.set_prefix(label.to_owned());
        Self {
            bar,
            label: label.to_owned(),
        }
    }

    /// A count of rows of which nobody knows how many will come.
    pub fn without_end(label: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{prefix} {human_pos} rows in {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(label.to_owned());
        Self {
            bar,
            label: label.to_owned(),
        }
    }

    /// So many more rows were taken.
    pub fn advance(&self, rows: usize) {
        self.bar.inc(rows as u64);
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Replaces the bar by one line that stays.
    pub fn finish(&self, outcome: &str) {
        let rows = self.bar.length().unwrap_or_else(|| self.bar.position());
        self.bar.finish_and_clear();
        // A closed stderr is no reason to fail.
        let _ = writeln!(
            std::io::stderr(),
            "{}: {} rows ({outcome})",
            self.label,
            rows
        );
    }
}

/// A sign of life on a terminal's stderr while something goes on; gone when it is finished.
pub(crate) fn spinner(text: &str) -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        spinner.set_style(style);
    }
    spinner.set_message(text.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// What is drawn while an ixmp4 database is imported.
#[derive(Default)]
pub struct Ixmp4Bar {
    looking: RefCell<Option<ProgressBar>>,
    writing: RefCell<Option<RowBar>>,
}

impl Ixmp4Bar {
    /// Shows how far it is.
    pub fn step(&self, step: Ixmp4Step<'_>) {
        match step {
            Ixmp4Step::Look(what) => self.look(&format!("looking at {what}")),
            Ixmp4Step::Compare(run) => self.look(&format!("comparing {run}")),
            Ixmp4Step::Begin { run, rows } => {
                self.clear();
                let rows = usize::try_from(rows).unwrap_or_default();
                *self.writing.borrow_mut() = Some(RowBar::new(run, rows));
            }
            Ixmp4Step::Rows(rows) => {
                if let Some(bar) = &*self.writing.borrow() {
                    bar.advance(rows);
                }
            }
        }
    }

    fn look(&self, text: &str) {
        if let Some(bar) = self.writing.take() {
            bar.clear();
        }
        self.looking
            .borrow_mut()
            .get_or_insert_with(|| spinner(text))
            .set_message(text.to_owned());
    }

    /// Takes it away.
    pub fn clear(&self) {
        if let Some(spinner) = self.looking.take() {
            spinner.finish_and_clear();
        }
        if let Some(bar) = self.writing.take() {
            bar.clear();
        }
    }
}
