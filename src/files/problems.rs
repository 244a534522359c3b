//! What is wrong with a file's contents, by kind.

use std::path::Path;

use crate::error::{Error, Result};

/// How many places of a kind of problem are named.
const NAMED: usize = 10;

/// The longest piece of a file that a message repeats.
const SHOWN_CHARACTERS: usize = 40;

/// The problems of a file, collected while it is read.
pub(super) struct Problems {
    /// What its rows are called: "line" or "row".
    place: &'static str,
    kinds: Vec<Kind>,
}

struct Kind {
    text: String,
    count: usize,
    first: Vec<(u64, String)>,
}

impl Problems {
    pub(super) fn new(place: &'static str) -> Self {
        Self {
            place,
            kinds: Vec::new(),
        }
    }

    /// One more of a kind. `found` is shown beside the line if there is any.
    pub(super) fn add(&mut self, text: &str, line: u64, found: &str) {
        let position = self.kinds.iter().position(|kind| kind.text == text);
        let position = position.unwrap_or_else(|| {
            self.kinds.push(Kind {
                text: text.to_owned(),
                count: 0,
                first: Vec::new(),
            });
            self.kinds.len() - 1
        });
        let kind = &mut self.kinds[position];
        kind.count += 1;
        if kind.first.len() < NAMED {
            kind.first.push((line, found.to_owned()));
        }
    }

    /// Nothing, or an error that names them all.
    pub(super) fn refuse(&self, path: &Path) -> Result<()> {
        if self.kinds.is_empty() {
            return Ok(());
        }
        let kinds: Vec<_> = self
            .kinds
            .iter()
            .map(|kind| kind.describe(self.place))
            .collect();
        Err(refused(path, &kinds.join("; ")))
    }
}

impl Kind {
    fn describe(&self, place: &str) -> String {
        let places: Vec<_> = self
            .first
            .iter()
            .map(|(line, found)| match found.as_str() {
                "" => line.to_string(),
                found => format!("{line} ({found})"),
            })
            .collect();
        let more = match self.count - self.first.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let plural = if self.count == 1 { "" } else { "s" };
        format!(
            "{} in {place}{plural} {}{more}",
            self.text,
            places.join(", ")
        )
    }
}

/// The contents of a file cannot be taken.
pub(super) fn refused(path: &Path, problem: &str) -> Error {
    Error::frame(format!("{}: {problem}", path.display()))
}

/// A piece of the file in quotes, not too long.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_places_of_each_kind_are_named() {
        let mut problems = Problems::new("line");
        for line in 2..15 {
            problems.add("Value is not a number", line, "\"x\"");
        }
        problems.add("Region is empty", 3, "");
        let message = problems
            .refuse(Path::new("a.csv"))
            .map_err(|error| error.to_string());
        assert_eq!(
            message,
            Err("the data cannot be taken, nothing was written: a.csv: Value is not a number in lines \
                 2 (\"x\"), 3 (\"x\"), 4 (\"x\"), 5 (\"x\"), 6 (\"x\"), 7 (\"x\"), 8 (\"x\"), 9 (\"x\"), \
                 10 (\"x\"), 11 (\"x\") and 3 more; Region is empty in line 3"
                .to_owned())
        );
    }

    #[test]
    fn long_pieces_are_cut_between_characters() {
        assert_eq!(shown("é"), "\"é\"");
        assert_eq!(shown(&"é".repeat(50)), format!("\"{}…\"", "é".repeat(40)));
    }
}
