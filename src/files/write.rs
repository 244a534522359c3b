//! Runs into CSV, so that [`read`](super::read) gives the same points back, bit by bit.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::TimestampMicrosecondArray;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::DateTime;

use super::cell::Time;
use super::header::WIDE_YEARS;
use super::unreadable;
use crate::error::{Error, Result};
use crate::run::RunInfo;

/// How a file is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// A row per point.
    #[default]
    Long,
    /// A row per time series, a column per year or date.
    Wide,
}

/// Writes runs, each with the points that [`Iamc::tabulate`](crate::Iamc::tabulate) gave, as CSV; `-` is stdout.
///
/// Columns Model, Scenario, Region, Variable, Unit, then Subannual, Year, Datetime (UTC) as needed and
/// Value, or a column per time. Version is there only where two runs differ in nothing else. Numbers are
/// the shortest that read back as the same float. A file appears when it is complete, and not before.
///
/// # Errors
/// [`Error::File`]; [`Error::InvalidFrame`] when a batch has not the columns of such a table.
pub fn write(path: &Path, runs: &[(RunInfo, RecordBatch)], layout: Layout) -> Result<()> {
    if path == Path::new("-") {
        return write_to(&mut io::stdout().lock(), runs, layout);
    }
    let is_csv = path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("csv") || extension.eq_ignore_ascii_case("txt")
    });
    // Not a regular file: a pipe or a device, which cannot be put in place by renaming.
    let in_place = path.exists() && !path.is_file();
    if !is_csv && !in_place {
        return Err(unreadable(
            path,
            "only CSV is written: let the name end in .csv",
        ));
    }
    let part = if in_place {
        path.to_owned()
    } else {
        part_of(path)
    };
    let failed = |error: io::Error| unreadable(path, error);
    let file = File::create(&part).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let written = write_to(&mut out, runs, layout).and_then(|()| {
        out.flush().map_err(failed)?;
        if in_place {
            Ok(())
        } else {
            std::fs::rename(&part, path).map_err(failed)
        }
    });
    if written.is_err() && !in_place {
        // The first error is the one to tell; a part that stays does no harm.
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(|error| match error {
        Error::File { problem, .. } => unreadable(path, problem),
        error => error,
    })
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// [`write`] to anything that can be written to.
///
/// # Errors
/// As [`write`].
pub fn write_to(
    out: &mut dyn Write,
    runs: &[(RunInfo, RecordBatch)],
    layout: Layout,
) -> Result<()> {
    let tables = runs
        .iter()
        .map(|(run, batch)| Table::new(run, batch))
        .collect::<Result<Vec<_>>>()?;
    let mut keys: Vec<_> = runs
        .iter()
        .map(|(run, _)| (&run.model, &run.scenario))
        .collect();
    keys.sort();
    let sheet = Sheet {
        has_version: keys.windows(2).any(|pair| pair[0] == pair[1]),
        has_parts: tables.iter().any(|table| table.part.is_some()),
        tables,
    };
    let mut rows = ::csv::Writer::from_writer(out);
    match layout {
        Layout::Long => sheet.long(&mut rows),
        Layout::Wide => sheet.wide(&mut rows),
    }
    .and_then(|()| Ok(rows.flush()?))
    .map_err(|error| Error::File {
        path: "writing CSV".into(),
        problem: error.to_string(),
    })
}

type Rows<'a> = ::csv::Writer<&'a mut dyn Write>;

struct Sheet<'a> {
    tables: Vec<Table<'a>>,
    has_version: bool,
    has_parts: bool,
}

/// A run's points, by column.
struct Table<'a> {
    run: &'a RunInfo,
    region: StringArray,
    variable: StringArray,
    unit: StringArray,
    part: Option<StringArray>,
    year: Option<Int64Array>,
    moment: Option<TimestampMicrosecondArray>,
    value: Float64Array,
}

impl<'a> Table<'a> {
    fn new(run: &'a RunInfo, batch: &RecordBatch) -> Result<Self> {
        let optional = |name: &str, data_type: &DataType| -> Result<Option<ArrayRef>> {
            Ok(batch
                .column_by_name(name)
                .map(|array| cast(array, data_type))
                .transpose()?)
        };
        let needed = |name: &str, data_type: &DataType| {
            optional(name, data_type)?
                .ok_or_else(|| Error::frame(format!("missing columns: {name}")))
        };
        let text = |name| Ok::<_, Error>(needed(name, &DataType::Utf8)?.as_string().clone());
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        Ok(Self {
            run,
            region: text("region")?,
            variable: text("variable")?,
            unit: text("unit")?,
            part: optional("subannual", &DataType::Utf8)?.map(|array| array.as_string().clone()),
            year: optional("year", &DataType::Int64)?
                .map(|array| array.as_primitive::<Int64Type>().clone()),
            moment: optional("datetime", &micros)?
                .map(|array| array.as_primitive::<TimestampMicrosecondType>().clone()),
            value: needed("value", &DataType::Float64)?
                .as_primitive::<Float64Type>()
                .clone(),
        })
    }

    fn len(&self) -> usize {
        self.value.len()
    }

    fn part(&self, row: usize) -> &str {
        self.part
            .as_ref()
            .filter(|part| part.is_valid(row))
            .map_or("", |part| part.value(row))
    }

    fn time(&self, row: usize) -> Option<Time> {
        let year = self.year.as_ref().filter(|year| year.is_valid(row));
        let moment = self.moment.as_ref().filter(|moment| moment.is_valid(row));
        year.map(|year| Time::Year(year.value(row)))
            .or_else(|| moment.map(|moment| Time::Moment(moment.value(row))))
    }
}

impl Sheet<'_> {
    fn names(&self) -> Vec<&'static str> {
        let mut names = vec!["Model", "Scenario"];
        if self.has_version {
            names.push("Version");
        }
        names.extend(["Region", "Variable", "Unit"]);
        if self.has_parts {
            names.push("Subannual");
        }
        names
    }

    /// What the points of one time series have in common.
    fn series<'t>(&self, table: &'t Table<'_>, row: usize, version: &'t str) -> Vec<&'t str> {
        let mut fields = vec![table.run.model.as_str(), &table.run.scenario];
        if self.has_version {
            fields.push(version);
        }
        fields.extend([
            table.region.value(row),
            table.variable.value(row),
            table.unit.value(row),
        ]);
        if self.has_parts {
            fields.push(table.part(row));
        }
        fields
    }

    fn long(&self, rows: &mut Rows<'_>) -> Result<(), ::csv::Error> {
        let has_moments = self.tables.iter().any(|table| table.moment.is_some());
        let has_years = !has_moments || self.tables.iter().any(|table| table.year.is_some());
        let mut names = self.names();
        names.extend(has_years.then_some("Year"));
        names.extend(has_moments.then_some("Datetime"));
        names.push("Value");
        rows.write_record(names)?;
        for table in &self.tables {
            let version = table.run.version.to_string();
            for row in 0..table.len() {
                for field in self.series(table, row, &version) {
                    rows.write_field(field)?;
                }
                let time = table.time(row);
                let text = time.map(time_text).unwrap_or_default();
                let is_moment = matches!(time, Some(Time::Moment(_)));
                if has_years {
                    rows.write_field(if is_moment { "" } else { &text })?;
                }
                if has_moments {
                    rows.write_field(if is_moment { &text } else { "" })?;
                }
                rows.write_field(number_text(table.value.value(row)))?;
                rows.write_record(None::<&[u8]>)?;
            }
        }
        Ok(())
    }

    fn wide(&self, rows: &mut Rows<'_>) -> Result<(), ::csv::Error> {
        let times: BTreeSet<Time> = self
            .tables
            .iter()
            .flat_map(|table| (0..table.len()).filter_map(|row| table.time(row)))
            .collect();
        let mut names: Vec<_> = self.names().into_iter().map(str::to_owned).collect();
        let odd = times
            .iter()
            .find(|time| matches!(time, Time::Year(year) if !WIDE_YEARS.contains(year)));
        if let Some(time) = odd {
            let problem = format!(
                "the year {} cannot be a column: write it long",
                time_text(*time)
            );
            return Err(io::Error::other(problem).into());
        }
        names.extend(times.iter().map(|time| time_text(*time)));
        rows.write_record(names)?;
        let column: HashMap<Time, usize> = times
            .into_iter()
            .enumerate()
            .map(|(column, time)| (time, column))
            .collect();
        for table in &self.tables {
            let version = table.run.version.to_string();
            for (fields, points) in self.grouped(table, &version) {
                let mut values = vec![String::new(); column.len()];
                for row in points {
                    let column = table.time(row).and_then(|time| column.get(&time));
                    if let Some(column) = column {
                        values[*column] = number_text(table.value.value(row));
                    }
                }
                for field in fields {
                    rows.write_field(field)?;
                }
                for value in values {
                    rows.write_field(value)?;
                }
                rows.write_record(None::<&[u8]>)?;
            }
        }
        Ok(())
    }

    /// The rows of each time series, in the order in which the series first appear.
    fn grouped<'t>(
        &self,
        table: &'t Table<'_>,
        version: &'t str,
    ) -> Vec<(Vec<&'t str>, Vec<usize>)> {
        let mut groups: Vec<(Vec<&str>, Vec<usize>)> = Vec::new();
        let mut group_of: HashMap<Vec<&str>, usize> = HashMap::new();
        for row in 0..table.len() {
            let series = self.series(table, row, version);
            let group = *group_of.entry(series).or_insert_with_key(|series| {
                groups.push((series.clone(), Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(row);
        }
        groups
    }
}

fn time_text(time: Time) -> String {
    match time {
        Time::Year(year) => year.to_string(),
        Time::Moment(micros) => DateTime::from_timestamp_micros(micros)
            .map_or_else(String::new, |moment| {
                moment.format("%Y-%m-%d %H:%M:%S%.f").to_string()
            }),
    }
}

/// The shortest text that reads back as the same float. "-0.0" keeps its point: many programs would
/// take "-0" for an integer, which has no sign there.
pub(crate) fn number_text(value: f64) -> String {
    let mut text = format!("{value:?}");
    if value != 0.0 && text.ends_with(".0") {
        text.truncate(text.len() - 2);
    } else if value.to_bits() == 0 {
        text.truncate(1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact() {
        for (value, text) in [
            (580.0, "580"),
            (0.1, "0.1"),
            (0.0, "0"),
            (-0.0, "-0.0"),
            (-1.5, "-1.5"),
            (1e300, "1e300"),
            (5e-324, "5e-324"),
            (1e16, "1e16"),
            (41.76300000000001, "41.76300000000001"),
        ] {
            assert_eq!(number_text(value), text);
            assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()));
        }
    }

    #[test]
    fn times_are_iso_8601() {
        assert_eq!(time_text(Time::Year(2030)), "2030");
        assert_eq!(
            time_text(Time::Moment(1_907_928_000_000_000)),
            "2030-06-17 12:00:00"
        );
        assert_eq!(
            time_text(Time::Moment(1_907_928_000_000_001)),
            "2030-06-17 12:00:00.000001"
        );
    }
}
