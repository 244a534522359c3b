//! The header: which column is what, and whether the file is long or wide.

use super::cell::{Cell, Moment, Time, moment};

/// The columns that mean something, as files write them. Read in any letter case.
const MODEL: &str = "Model";
const SCENARIO: &str = "Scenario";
const VERSION: &str = "Version";
const REGION: &str = "Region";
const VARIABLE: &str = "Variable";
const UNIT: &str = "Unit";
const SUBANNUAL: &str = "Subannual";
const YEAR: &str = "Year";
const DATETIME: &str = "Datetime";
const TIME: &str = "Time";
const VALUE: &str = "Value";
const KNOWN: [&str; 11] = [
    MODEL, SCENARIO, VERSION, REGION, VARIABLE, UNIT, SUBANNUAL, YEAR, DATETIME, TIME, VALUE,
];

/// Years that can be a column: 0, 1, 2 … are what programs call columns that have no name.
pub(super) const WIDE_YEARS: std::ops::RangeInclusive<i64> = 1000..=9999;

/// A column that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) index: usize,
}

/// Where the times and values are.
#[derive(Debug)]
pub(super) enum Times {
    /// A row per point. One of the first three at least is there.
    Long {
        year: Option<Column>,
        datetime: Option<Column>,
        time: Option<Column>,
        value: Column,
    },
    /// A column per time.
    Wide(Vec<TimeColumn>),
}

/// A column of a wide file.
#[derive(Debug)]
pub(super) struct TimeColumn {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) time: Time,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) width: usize,
    pub(super) model: Option<Column>,
    pub(super) scenario: Option<Column>,
    pub(super) version: Option<Column>,
    pub(super) region: Column,
    pub(super) variable: Column,
    pub(super) unit: Column,
    pub(super) subannual: Option<Column>,
    pub(super) times: Times,
    /// Columns without a name; nothing may be in them.
    pub(super) nameless: Vec<usize>,
    /// Whether the dates among the names have a zone; `None` where there are no dates.
    pub(super) zones: Vec<bool>,
}

#[derive(Default)]
struct Found {
    known: Vec<Column>,
    times: Vec<TimeColumn>,
    zones: Vec<bool>,
    nameless: Vec<usize>,
    unknown: Vec<String>,
    problems: Vec<String>,
}

impl Header {
    /// Understands a header, or says all that is wrong with it.
    pub(super) fn understand(cells: &[Cell<'_>]) -> Result<Self, String> {
        let found = Found::among(cells);
        if found.known.is_empty() {
            return Err(no_header(cells));
        }
        found.header(cells.len())
    }
}

impl Found {
    fn among(cells: &[Cell<'_>]) -> Self {
        let mut found = Self::default();
        for (index, cell) in cells.iter().enumerate() {
            let name = column_name(cell);
            if name.is_empty() {
                found.nameless.push(index);
            } else if let Some(known) = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(&name))
            {
                found.add_known(Column { name: known, index });
            } else if let Some((time, zone)) = time_column(cell) {
                found.zones.extend(zone);
                found.add_time(TimeColumn { index, name, time });
            } else {
                found.unknown.push(super::problems::shown(&name));
            }
        }
        found
    }

    fn add_known(&mut self, column: Column) {
        if self.column(column.name).is_some() {
            self.problems
                .push(format!("the column {} is there twice", column.name));
        }
        self.known.push(column);
    }

    fn add_time(&mut self, column: TimeColumn) {
        if let Some(same) = self.times.iter().find(|other| other.time == column.time) {
            self.problems.push(if same.name == column.name {
                format!("the column {} is there twice", column.name)
            } else {
                format!(
                    "the columns {} and {} are the same time",
                    same.name, column.name
                )
            });
        }
        self.times.push(column);
    }

    fn column(&self, name: &str) -> Option<Column> {
        self.known
            .iter()
            .find(|column| column.name == name)
            .copied()
    }

    fn header(mut self, width: usize) -> Result<Header, String> {
        let needed = [REGION, VARIABLE, UNIT].map(|name| (name, self.column(name)));
        let mut missing: Vec<_> = needed
            .iter()
            .filter(|(_, column)| column.is_none())
            .map(|(name, _)| *name)
            .collect();
        let is_long = [YEAR, DATETIME, TIME]
            .iter()
            .any(|name| self.column(name).is_some());
        if is_long && self.column(VALUE).is_none() && self.times.is_empty() {
            missing.push(VALUE);
        }
        if !missing.is_empty() {
            self.problems
                .push(format!("missing columns: {}", missing.join(", ")));
        }
        if !self.unknown.is_empty() {
            self.problems
                .push(format!("unknown columns: {}", self.unknown.join(", ")));
        }
        let times = self.times();
        let [(_, Some(region)), (_, Some(variable)), (_, Some(unit))] = needed else {
            return Err(self.problems.join("; "));
        };
        let (Some(times), true) = (times, self.problems.is_empty()) else {
            return Err(self.problems.join("; "));
        };
        Ok(Header {
            width,
            model: self.column(MODEL),
            scenario: self.column(SCENARIO),
            version: self.column(VERSION),
            region,
            variable,
            unit,
            subannual: self.column(SUBANNUAL),
            times,
            nameless: self.nameless,
            zones: self.zones,
        })
    }

    fn times(&mut self) -> Option<Times> {
        let [year, datetime, time, value] =
            [YEAR, DATETIME, TIME, VALUE].map(|name| self.column(name));
        let long = [year, datetime, time].into_iter().flatten().next();
        match (long.or(value), self.times.first()) {
            (Some(column), Some(wide)) => {
                self.problems.push(format!(
                    "both the column {} of a long file and the column {} of a wide one",
                    column.name, wide.name
                ));
                None
            }
            (None, Some(_)) => Some(Times::Wide(std::mem::take(&mut self.times))),
            (_, None) => {
                if let (Some(_), Some(other)) = (time, year.or(datetime)) {
                    self.problems
                        .push(format!("a column {TIME} beside {}", other.name));
                }
                if long.is_none() {
                    self.problems.push(format!(
                        "no time: a column {YEAR}, {DATETIME} or {TIME} (long), or a column per year or date (wide)"
                    ));
                }
                Some(Times::Long {
                    year,
                    datetime,
                    time,
                    value: value?,
                })
            }
        }
    }
}

fn column_name(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.trim().to_owned(),
        cell => cell.shown(),
    }
}

/// The time that a column's name is, and whether it has a zone if it is a date.
fn time_column(cell: &Cell<'_>) -> Option<(Time, Option<bool>)> {
    if let Ok(Some(Time::Year(year))) = cell.year() {
        return WIDE_YEARS
            .contains(&year)
            .then_some((Time::Year(year), None));
    }
    let Moment { micros, has_zone } = match cell {
        Cell::Text(text) => moment(text.trim()).ok()?,
        cell => cell.moment().ok()??,
    };
    Some((Time::Moment(micros), Some(has_zone)))
}

fn no_header(cells: &[Cell<'_>]) -> String {
    let names: Vec<_> = cells.iter().map(column_name).collect();
    let separator = [(";", "semicolons"), ("\t", "tabs")]
        .into_iter()
        .find(|(separator, _)| names.len() == 1 && names[0].contains(separator));
    if let Some((_, word)) = separator {
        return format!(
            "its columns are separated by {word}: save it with commas, and numbers with points"
        );
    }
    format!(
        "no header: the first row names the columns ({}, and years or {YEAR} and {VALUE}), here it is {}",
        [MODEL, SCENARIO, REGION, VARIABLE, UNIT].join(", "),
        super::problems::shown(&names.join(", "))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understand(names: &str) -> Result<Header, String> {
        let cells: Vec<_> = names.split(',').map(Cell::text).collect();
        Header::understand(&cells)
    }

    #[test]
    fn long_headers_are_understood_in_any_case() {
        let header = understand("MODEL,scenario,Region,variable, Unit ,YEAR,value");
        let Ok(Header {
            model: Some(model),
            unit,
            times,
            ..
        }) = header
        else {
            panic!("{header:?}")
        };
        assert_eq!((model.index, unit.index), (0, 4));
        assert!(matches!(
            times,
            Times::Long {
                year: Some(Column { index: 5, .. }),
                datetime: None,
                time: None,
                value: Column { index: 6, .. }
            }
        ));
    }

    #[test]
    fn wide_headers_have_years_and_dates() {
        let header = understand("Region,Variable,Unit,2030,2030-06-17,2050.0,");
        let Ok(Header {
            times: Times::Wide(times),
            nameless,
            ..
        }) = header
        else {
            panic!("{header:?}")
        };
        let times: Vec<_> = times.into_iter().map(|column| column.time).collect();
        assert_eq!(
            times,
            [
                Time::Year(2030),
                Time::Moment(1_907_884_800_000_000),
                Time::Year(2050)
            ]
        );
        assert_eq!(nameless, [6]);
    }

    #[test]
    fn what_is_wrong_with_a_header_is_said_at_once() {
        for (names, problem) in [
            ("Region,Variable,Year,Value", "missing columns: Unit"),
            (
                "Region,Notes,Year,Colour",
                "missing columns: Variable, Unit, Value; unknown columns: \"Notes\", \"Colour\"",
            ),
            (
                "Region,Variable,Unit,2030,2030",
                "the column 2030 is there twice",
            ),
            (
                "Region,Variable,Unit,2030,2030.0",
                "the columns 2030 and 2030.0 are the same time",
            ),
            (
                "Region,region,Variable,Unit,2030",
                "the column Region is there twice",
            ),
            (
                "Region,Variable,Unit,1,2",
                "unknown columns: \"1\", \"2\"; no time: a column Year, Datetime or Time (long), or a column per year or date (wide)",
            ),
            (
                "Region,Variable,Unit,Value,2030",
                "both the column Value of a long file and the column 2030 of a wide one",
            ),
            (
                "Region,Variable,Unit,Year,Time,Value",
                "a column Time beside Year",
            ),
            (
                "Region;Variable;Unit;2030",
                "its columns are separated by semicolons: save it with commas, and numbers with points",
            ),
            (
                "World,Population,7800",
                "no header: the first row names the columns (Model, Scenario, Region, Variable, Unit, and years or Year and Value), here it is \"World, Population, 7800\"",
            ),
        ] {
            assert_eq!(understand(names).err().as_deref(), Some(problem), "{names}");
        }
    }
}
