//! Progress of long work on the terminal (stderr): the same bar for the command line and Python.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that counts rows. Nothing is drawn where stderr is not a terminal, except the closing line.
pub struct RowBar {
    bar: ProgressBar,
    label: String,
    total: u64,
}

impl RowBar {
    /// A bar at 0 of `total` rows.
    pub fn new(label: &str, total: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix} {bar:30} {human_pos}/{human_len} rows, {per_sec}, {eta} left",
        ) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(label.to_owned());
        Self {
            bar,
            label: label.to_owned(),
            total: total as u64,
        }
    }

    /// So many more rows were taken.
    pub fn advance(&self, rows: usize) {
        self.bar.inc(rows as u64);
    }

    /// Replaces the bar by one line that stays.
    pub fn finish(&self, outcome: &str) {
        self.bar.finish_and_clear();
        eprintln!("{}: {} rows ({outcome})", self.label, self.total);
    }
}
