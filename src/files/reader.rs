//! From rows of cells to the points of runs, whatever kind of file the rows come from.

use std::collections::HashMap;
use std::path::Path;

use super::FileRun;
use super::cell::{Cell, EMPTY, Moment, Time, Wrong};
use super::header::{Column, Header, Times};
use super::points::{FileNames, NONE, Names, RunPoints};
use super::problems::{Problems, refused};
use crate::error::Result;

/// What pyam calls the whole of a year in a column of its parts.
const WHOLE_YEAR: &str = "Year";

/// What an empty cell among the names is.
#[derive(Clone, Copy)]
enum Empty {
    Wrong,
    /// A name of its own: the unit of what has none.
    Name,
    /// The whole year.
    Whole,
}

/// Takes the rows of a table one after the other.
pub(super) struct Reader<'p> {
    path: &'p Path,
    header: Option<Header>,
    problems: Problems,
    names: FileNames,
    runs: Vec<RunPoints>,
    run_by_key: HashMap<(i32, i32, i32), usize>,
    zones: Zones,
}

/// What the points of a row have in common.
#[derive(Clone, Copy)]
struct Series {
    run: usize,
    region: i32,
    variable: i32,
    unit: i32,
    part: i32,
}

/// The first line with a zone and the first without: a file has either or none.
#[derive(Default)]
struct Zones {
    with: Option<u64>,
    without: Option<u64>,
}

impl<'p> Reader<'p> {
    /// `place` is what rows are called: "line" or "row".
    pub(super) fn new(path: &'p Path, place: &'static str) -> Self {
        Self {
            path,
            header: None,
            problems: Problems::new(place),
            names: FileNames::default(),
            runs: Vec::new(),
            run_by_key: HashMap::new(),
            zones: Zones::default(),
        }
    }

    /// Takes a row; the first that is not empty is the header.
    ///
    /// # Errors
    /// When the header cannot be understood. Problems of other rows are collected.
    pub(super) fn row<'c>(
        &mut self,
        line: u64,
        width: usize,
        cell: impl Fn(usize) -> Cell<'c>,
    ) -> Result<()> {
        if (0..width).all(|index| cell(index).is_blank()) {
            return Ok(());
        }
        // Taken out for the time being, so that the rest of `self` can be written to.
        match self.header.take() {
            Some(header) => {
                self.take(&header, line, width, &cell);
                self.header = Some(header);
            }
            None => {
                let cells: Vec<_> = (0..width).map(cell).collect();
                let header =
                    Header::understand(&cells).map_err(|problem| refused(self.path, &problem))?;
                for has_zone in &header.zones {
                    self.zones.note(*has_zone, line);
                }
                self.header = Some(header);
            }
        }
        Ok(())
    }

    fn take<'c>(
        &mut self,
        header: &Header,
        line: u64,
        width: usize,
        cell: &impl Fn(usize) -> Cell<'c>,
    ) {
        if width < header.width || (header.width..width).any(|index| !cell(index).is_blank()) {
            self.problems.add(
                &format!("not {} cells as in the header", header.width),
                line,
                &width.to_string(),
            );
            return;
        }
        for index in header
            .nameless
            .iter()
            .filter(|index| !cell(**index).is_blank())
        {
            let column = format!("column {}", index + 1);
            self.problems.add("a cell under no name", line, &column);
        }
        let Some(series) = self.series(header, line, cell) else {
            return;
        };
        match &header.times {
            Times::Long {
                year,
                datetime,
                time,
                value,
            } => {
                let time = self.time([*year, *datetime, *time], line, cell);
                let wrong = |wrong: Wrong| format!("{} {wrong}", value.name);
                let value = match cell(value.index).number() {
                    Ok(Some(number)) => Some(number),
                    Ok(None) => self.wrong(&wrong(EMPTY), line, ""),
                    Err(problem) => self.wrong(&wrong(problem), line, &cell(value.index).shown()),
                };
                if let (Some(time), Some(value)) = (time, value) {
                    self.point(series, time, value, line);
                }
            }
            Times::Wide(columns) => {
                for column in columns {
                    match cell(column.index).number() {
                        Ok(None) => {}
                        Ok(Some(value)) => self.point(series, column.time, value, line),
                        Err(problem) => {
                            let found =
                                format!("column {}: {}", column.name, cell(column.index).shown());
                            self.problems
                                .add(&format!("a value {problem}"), line, &found);
                        }
                    }
                }
            }
        }
    }

    fn wrong<T>(&mut self, problem: &str, line: u64, found: &str) -> Option<T> {
        self.problems.add(problem, line, found);
        None
    }

    fn series<'c>(
        &mut self,
        header: &Header,
        line: u64,
        cell: &impl Fn(usize) -> Cell<'c>,
    ) -> Option<Series> {
        let problems = &mut self.problems;
        let names = &mut self.names;
        let mut name = |column: Option<Column>, names: &mut Names, empty: Empty| {
            let Some(column) = column else {
                return Some(NONE);
            };
            match (cell(column.index).name(), empty) {
                (Ok(Some(name)), Empty::Whole) if name == WHOLE_YEAR => return Some(NONE),
                (Ok(Some(name)), _) => return Some(names.code(&name)),
                (Ok(None), Empty::Whole) => return Some(NONE),
                (Ok(None), Empty::Name) => return Some(names.code("")),
                (Ok(None), Empty::Wrong) => {
                    problems.add(&format!("{} {EMPTY}", column.name), line, "")
                }
                (Err(wrong), _) => {
                    let found = cell(column.index).shown();
                    problems.add(&format!("{} {wrong}", column.name), line, &found);
                }
            }
            None
        };
        let model = name(header.model, &mut names.model, Empty::Wrong);
        let scenario = name(header.scenario, &mut names.scenario, Empty::Wrong);
        let region = name(Some(header.region), &mut names.region, Empty::Wrong);
        let variable = name(Some(header.variable), &mut names.variable, Empty::Wrong);
        let unit = name(Some(header.unit), &mut names.unit, Empty::Name);
        let part = name(header.subannual, &mut names.part, Empty::Whole);
        let version = self.version(header.version, line, cell);
        Some(Series {
            run: self.run(model?, scenario?, version?),
            region: region?,
            variable: variable?,
            unit: unit?,
            part: part?,
        })
    }

    fn version<'c>(
        &mut self,
        column: Option<Column>,
        line: u64,
        cell: &impl Fn(usize) -> Cell<'c>,
    ) -> Option<i32> {
        let Some(column) = column else {
            return Some(NONE);
        };
        let version = match cell(column.index).integer() {
            Ok(Some(version)) => i32::try_from(version).ok().filter(|version| *version > 0),
            _ => None,
        };
        version.or_else(|| {
            let found = cell(column.index).shown();
            self.wrong(&format!("{} is not 1, 2, 3 …", column.name), line, &found)
        })
    }

    fn run(&mut self, model: i32, scenario: i32, version: i32) -> usize {
        *self
            .run_by_key
            .entry((model, scenario, version))
            .or_insert_with(|| {
                self.runs.push(RunPoints {
                    model,
                    scenario,
                    version,
                    ..RunPoints::default()
                });
                self.runs.len() - 1
            })
    }

    /// The time of a row of a long file. `columns`: year, datetime, time.
    fn time<'c>(
        &mut self,
        columns: [Option<Column>; 3],
        line: u64,
        cell: &impl Fn(usize) -> Cell<'c>,
    ) -> Option<Time> {
        let [year, datetime, time] = columns;
        let mut found = None;
        for (column, is_year, is_moment) in [
            (year, true, false),
            (datetime, false, true),
            (time, true, true),
        ] {
            let Some(column) = column else { continue };
            let cell = cell(column.index);
            let read = match cell.year() {
                Ok(year) if is_year => Ok(year),
                Err(wrong) if !is_moment => Err(wrong),
                _ => cell.moment().map(|moment| {
                    moment.map(|Moment { micros, has_zone }| {
                        if matches!(cell, Cell::Text(_)) {
                            self.zones.note(has_zone, line);
                        }
                        Time::Moment(micros)
                    })
                }),
            };
            match read {
                Ok(None) => {}
                Ok(Some(_)) if found.is_some() => {
                    return self.wrong("both a year and a date and time", line, &cell.shown());
                }
                Ok(time) => found = time,
                Err(wrong) => {
                    return self.wrong(&format!("{} {wrong}", column.name), line, &cell.shown());
                }
            }
        }
        found.or_else(|| {
            let names: Vec<_> = columns.iter().flatten().map(|column| column.name).collect();
            self.wrong(&format!("{} {EMPTY}", names.join(" and ")), line, "")
        })
    }

    fn point(&mut self, series: Series, time: Time, value: f64, line: u64) {
        if series.part != NONE && matches!(time, Time::Moment(_)) {
            let found = self
                .names
                .part
                .of(series.part)
                .unwrap_or_default()
                .to_owned();
            self.problems
                .add("Subannual beside a date and time", line, &found);
            return;
        }
        let run = &mut self.runs[series.run];
        run.region.push(series.region);
        run.variable.push(series.variable);
        run.unit.push(series.unit);
        run.part.push(series.part);
        run.time.push(time);
        run.value.push(value);
        run.line.push(line);
    }

    /// The runs, if nothing was wrong.
    pub(super) fn finish(mut self) -> Result<Vec<FileRun>> {
        if self.header.is_none() {
            return Err(refused(self.path, "it is empty"));
        }
        if let Zones {
            with: Some(with),
            without: Some(without),
        } = self.zones
        {
            let found = format!("{with} has a zone, {without} has none");
            self.problems.add(
                "dates with and without a time zone",
                with.max(without),
                &found,
            );
        }
        for run in &self.runs {
            run.note_duplicates(&self.names, &mut self.problems);
        }
        self.problems.refuse(self.path)?;
        let names = &self.names;
        let [region, variable, unit, part] =
            [&names.region, &names.variable, &names.unit, &names.part].map(Names::array);
        self.runs
            .into_iter()
            .map(|run| {
                let name = |names: &Names, code| names.of(code).map(str::to_owned);
                Ok(FileRun {
                    model: name(&names.model, run.model),
                    scenario: name(&names.scenario, run.scenario),
                    version: (run.version != NONE).then_some(run.version),
                    frame: run.frame(&region, &variable, &unit, &part)?,
                })
            })
            .collect()
    }
}

impl Zones {
    fn note(&mut self, has_zone: bool, line: u64) {
        let first = if has_zone {
            &mut self.with
        } else {
            &mut self.without
        };
        first.get_or_insert(line);
    }
}
