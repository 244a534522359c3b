//! What goes to stdout: text for people, or one JSON document.

use serde::Serialize;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};

use super::failure::Failure;
use super::pager;
use super::table::Table;
pub(super) use crate::progress::spinner;

/// When output has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless NO_COLOR is set; elsewhere if CLICOLOR_FORCE is
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    fn is_wanted(self, is_terminal: bool) -> bool {
        // <https://no-color.org>, <https://bixense.com/clicolors>: set to anything but nothing (or 0).
        let is_set = |name: &str| {
            std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
        };
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) => {
                false
            }
            Self::Auto => is_terminal || is_set("CLICOLOR_FORCE"),
        }
    }
}

pub(super) struct Output {
    json: bool,
    is_terminal: bool,
    has_colours: bool,
    may_page: bool,
    closed: Cell<bool>,
    /// What is held back until it is known whether it fits the screen.
    held: RefCell<Option<Vec<u8>>>,
}

impl Output {
    pub(super) fn new(json: bool, colour: Colour, may_page: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            json,
            is_terminal,
            has_colours: colour.is_wanted(is_terminal),
            may_page: may_page && is_terminal && !json,
            closed: Cell::new(false),
            held: RefCell::new(None),
        }
    }

    /// Runs `work`; what it writes goes through a pager if it is longer than the screen.
    pub(super) fn paged(&self, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        if !self.may_page {
            return work();
        }
        self.held.replace(Some(Vec::new()));
        let result = work();
        let text = self.held.take().unwrap_or_default();
        let shown = if pager::is_longer_than_screen(&text) && pager::show(&text) {
            Ok(())
        } else {
            self.write(|out| out.write_all(&text))
        };
        result.and(shown)
    }

    /// Whether to print JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// The one document of `--json`.
    pub(super) fn json(&self, document: &impl Serialize) -> Result<(), Failure> {
        let failed = |error: serde_json::Error| Failure::Other(format!("writing JSON: {error}"));
        let mut document = serde_json::to_value(document).map_err(failed)?;
        say_utc(&mut document);
        let text = serde_json::to_string_pretty(&document).map_err(failed)?;
        self.line(&text)
    }

    pub(super) fn line(&self, text: &str) -> Result<(), Failure> {
        self.write(|out| writeln!(out, "{text}"))
    }

    pub(super) fn table(&self, table: &Table) -> Result<(), Failure> {
        self.line(&table.render(self.is_terminal, self.has_colours))
    }

    /// Hands stdout to `work`.
    pub(super) fn write(
        &self,
        work: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if let Some(held) = &mut *self.held.borrow_mut() {
            return work(held).map_err(|error| Failure::Other(format!("writing: {error}")));
        }
        let mut out = Stdout {
            inner: io::stdout().lock(),
            closed: &self.closed,
        };
        let written = work(&mut out).and_then(|()| out.flush());
        if self.closed.get() {
            return Err(Failure::StdoutClosed);
        }
        written.map_err(|error| Failure::Other(format!("writing to stdout: {error}")))
    }
}

/// Stdout that remembers that its reader has gone, whatever becomes of the error on its way up.
struct Stdout<'a> {
    inner: io::StdoutLock<'static>,
    closed: &'a Cell<bool>,
}

impl Stdout<'_> {
    fn noting<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            self.closed.set(true);
        }
        result
    }
}

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.noting(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.noting(result)
    }
}

/// All times in the log are UTC; in JSON they say so: keys that end in `_at` hold such times.
fn say_utc(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(say_utc),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(time) if key.ends_with("_at") => time.push('Z'),
                    value => say_utc(value),
                }
            }
        }
        _ => {}
    }
}

/// "12.5 MB".
pub(super) fn bytes(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}

/// 1234567 as "1,234,567".
pub(super) fn count(number: impl TryInto<u64>) -> String {
    indicatif::HumanCount(number.try_into().unwrap_or_default()).to_string()
}

/// "1 point", "1,234 points".
pub(super) fn counted(number: usize, word: &str) -> String {
    format!(
        "{} {word}{}",
        count(number),
        if number == 1 { "" } else { "s" }
    )
}
