//! The points of a file's runs, by column, on their way into frames.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};

use super::cell::Time;
use super::problems::Problems;
use crate::error::Result;
use crate::iamc::Frame;

/// The code of a name that is not there.
pub(super) const NONE: i32 = -1;

#[derive(Default)]
pub(super) struct FileNames {
    pub(super) model: Names,
    pub(super) scenario: Names,
    pub(super) region: Names,
    pub(super) variable: Names,
    pub(super) unit: Names,
    pub(super) part: Names,
}

/// Distinct names of a column, by code.
#[derive(Default)]
pub(super) struct Names {
    names: Vec<String>,
    codes: HashMap<String, i32>,
    last: i32,
}

/// The points of one run, by column.
#[derive(Default)]
pub(super) struct RunPoints {
    pub(super) model: i32,
    pub(super) scenario: i32,
    pub(super) version: i32,
    pub(super) region: Vec<i32>,
    pub(super) variable: Vec<i32>,
    pub(super) unit: Vec<i32>,
    pub(super) part: Vec<i32>,
    pub(super) time: Vec<Time>,
    pub(super) value: Vec<f64>,
    pub(super) line: Vec<u64>,
}

impl Names {
    pub(super) fn code(&mut self, name: &str) -> i32 {
        // Most rows repeat the name above.
        if self.of(self.last) == Some(name) {
            return self.last;
        }
        self.last = match self.codes.get(name) {
            Some(code) => *code,
            None => {
                let code = self.names.len() as i32;
                self.names.push(name.to_owned());
                self.codes.insert(name.to_owned(), code);
                code
            }
        };
        self.last
    }

    pub(super) fn of(&self, code: i32) -> Option<&str> {
        self.names
            .get(usize::try_from(code).ok()?)
            .map(String::as_str)
    }

    pub(super) fn array(&self) -> Arc<StringArray> {
        Arc::new(StringArray::from_iter_values(&self.names))
    }
}

impl RunPoints {
    fn key(&self, row: usize) -> (i32, i32, i32, i32, Time) {
        (
            self.region[row],
            self.variable[row],
            self.unit[row],
            self.part[row],
            self.time[row],
        )
    }

    /// A point that is there twice: here, because only the file's lines help its user to find them.
    pub(super) fn note_duplicates(&self, names: &FileNames, problems: &mut Problems) {
        let mut order: Vec<usize> = (0..self.time.len()).collect();
        order.sort_unstable_by_key(|row| (self.key(*row), self.line[*row]));
        let mut repeated: Vec<_> = order
            .windows(2)
            .filter(|pair| self.key(pair[0]) == self.key(pair[1]))
            .map(|pair| (self.line[pair[1]], self.line[pair[0]], pair[1]))
            .collect();
        repeated.sort_unstable();
        for (line, before, row) in repeated {
            let name = |names: &Names, code| names.of(code).unwrap_or_default().to_owned();
            let found = format!(
                "as in {before}: {}, {}",
                name(&names.region, self.region[row]),
                name(&names.variable, self.variable[row]),
            );
            problems.add("the same point again", line, &found);
        }
    }

    pub(super) fn frame(
        self,
        region: &Arc<StringArray>,
        variable: &Arc<StringArray>,
        unit: &Arc<StringArray>,
        part: &Arc<StringArray>,
    ) -> Result<Frame> {
        let year = |time: &Time| match time {
            Time::Year(year) => Some(*year),
            Time::Moment(_) => None,
        };
        let moment = |time: &Time| match time {
            Time::Year(_) => None,
            Time::Moment(micros) => Some(*micros),
        };
        let has_moments = self.time.iter().any(|time| moment(time).is_some());
        let has_years = !has_moments || self.time.iter().any(|time| year(time).is_some());
        let has_parts = self.part.iter().any(|code| *code != NONE);
        let mut columns = vec![
            ("region", coded(self.region, region)?),
            ("variable", coded(self.variable, variable)?),
            ("unit", coded(self.unit, unit)?),
        ];
        if has_years {
            let years: Int64Array = self.time.iter().map(year).collect();
            columns.push(("year", Arc::new(years)));
        }
        if has_parts {
            columns.push(("subannual", coded(self.part, part)?));
        }
        if has_moments {
            let moments: TimestampMicrosecondArray = self.time.iter().map(moment).collect();
            columns.push(("datetime", Arc::new(moments)));
        }
        columns.push(("value", Arc::new(Float64Array::from(self.value))));
        Ok(Frame::from_columns(columns))
    }
}

fn coded(codes: Vec<i32>, names: &Arc<StringArray>) -> Result<ArrayRef> {
    let codes: Int32Array = codes
        .into_iter()
        .map(|code| (code != NONE).then_some(code))
        .collect();
    Ok(Arc::new(DictionaryArray::try_new(
        codes,
        Arc::clone(names) as ArrayRef,
    )?))
}
