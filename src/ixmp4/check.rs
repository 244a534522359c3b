//! What of a source cannot be kept here as it is: looked for before anything is written, and told all at once.

use std::collections::{BTreeMap, HashSet};

use super::items::{self, SourceItem};
use super::meta;
use super::names::{Names, Needed};
use super::runs::SourceRun;
use super::source::{Source, Span};
use super::stage_items::State;
use super::steps::Step;
use crate::error::Result;
use crate::meta::{MetaValue, RESERVED_KEYS};
use crate::names::{Kind, check_text};
use crate::optimization::ItemKind;
use crate::schema::ColumnType;
use crate::store::Engine;

/// How many of a run's problems of one kind are told.
const TOLD: usize = 5;

/// What was found in runs that are to be copied.
#[derive(Default)]
pub(super) struct Found {
    pub(super) problems: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) needed: Needed,
    /// How many there are of each, by what they are called.
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Found {
    fn problem(&mut self, problem: String) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(super) fn count(&mut self, what: &'static str, more: u64) {
        *self.counts.entry(what).or_default() += more;
    }
}

/// Points that cannot be, as SQL conditions on a row `p`, and what to say of them.
fn bad_points(engine: Engine) -> Vec<(String, &'static str)> {
    const MOST: &str = "CAST('1.7976931348623157e308' AS double precision)";
    let mut all = vec![
        (
            format!("p.value IS NULL OR NOT (p.value >= -{MOST} AND p.value <= {MOST})"),
            "have no value, NaN or infinity: give them values, or remove them",
        ),
        (
            "NOT coalesce((p.type = 'ANNUAL' AND p.step_year IS NOT NULL)
               OR (p.type = 'CATEGORICAL' AND p.step_year IS NOT NULL AND p.step_category IS NOT NULL)
               OR (p.type = 'DATETIME' AND p.step_datetime IS NOT NULL), false)"
                .to_owned(),
            "have not the time that their type needs: remove them",
        ),
        (
            "p.type = 'CATEGORICAL' AND p.step_category IN ('', 'Year')".to_owned(),
            "are of the part of the year \"\" or \"Year\", which here is a yearly point: add them as such, and remove them",
        ),
    ];
    if engine == Engine::Sqlite {
        all.push((
            "instr(p.step_category, char(0)) > 0".to_owned(),
            "have a NUL in the part of the year: remove them",
        ));
    }
    all
}

/// Looks at the points of all runs at once.
pub(super) fn points(source: &mut Source, runs: &[&SourceRun], found: &mut Found) -> Result<()> {
    let series = source.ever("iamc_timeseries", "id, run__id");
    let mut places = vec![("iamc_datapoint_universal", "", "")];
    if source.has_history {
        places.push((
            "iamc_datapoint_universal_version",
            "p.operation_type <> 2 AND ",
            " in its history",
        ));
    }
    let labels: BTreeMap<_, _> = runs.iter().map(|run| (run.id, run.label())).collect();
    let mut tell = |rows: Vec<(i64, u64, i64)>, table: &str, where_: &str, what: &str| {
        for (run, count, first) in rows {
            let Some(label) = labels.get(&run) else {
                continue;
            };
            let otherwise = if where_.is_empty() {
                ""
            } else {
                "; or leave the history out (--no-history)"
            };
            found.problem(format!(
                "run {label}: {count} points{where_} {what} (the first has the id {first} in {table}){otherwise}"
            ));
        }
    };
    let columns = [
        ("run", ColumnType::BigInt),
        ("count", ColumnType::BigInt),
        ("first", ColumnType::BigInt),
    ];
    for (table, condition, where_) in places {
        for (bad, what) in bad_points(source.db.engine()) {
            let rows = source.rows(
                &format!(
                    "SELECT CAST(s.run__id AS bigint) AS run, count(*) AS count, CAST(min(p.id) AS bigint) AS first FROM \"{table}\" p
                     JOIN {series} s ON s.id = p.time_series__id WHERE {condition}({bad}) GROUP BY s.run__id ORDER BY 1"
                ),
                &columns,
                |row| Ok((row.id(0), row.id(1).unsigned_abs(), row.id(2))),
            )?;
            tell(rows, table, where_, what);
        }
    }
    let twice = source.rows(
        &format!(
            "SELECT CAST(s.run__id AS bigint) AS run, count(*) AS count, CAST(min(p.first) AS bigint) AS first FROM (
               SELECT time_series__id, min(id) AS first FROM iamc_datapoint_universal
               GROUP BY time_series__id, type, step_year, step_category, step_datetime HAVING count(*) > 1) p
             JOIN {series} s ON s.id = p.time_series__id GROUP BY s.run__id ORDER BY 1"
        ),
        &columns,
        |row| Ok((row.id(0), row.id(1).unsigned_abs(), row.id(2))),
    )?;
    tell(
        twice,
        "iamc_datapoint_universal",
        "",
        "are there twice: remove them and add them again",
    );
    Ok(())
}

/// Looks at the meta indicators of a run.
pub(super) fn meta_indicators(
    source: &mut Source,
    run: &SourceRun,
    found: &mut Found,
) -> Result<()> {
    let mut told = HashSet::new();
    for (key, value) in meta::ever(source, run.id)? {
        let problem = match &value {
            _ if RESERVED_KEYS.contains(&key.as_str()) => Some("its key is reserved".to_owned()),
            None => Some("it has no value of its type".into()),
            Some(MetaValue::Float(number)) if !number.is_finite() => {
                Some(format!("its value {number} cannot be stored"))
            }
            Some(MetaValue::Text(text)) if text.contains('\0') => {
                Some("there is a NUL in its text".into())
            }
            Some(_) => check_text("meta indicator", &key)
                .err()
                .map(|error| error.to_string()),
        };
        if let Some(problem) = problem
            && told.insert(key.clone())
            && told.len() <= TOLD
        {
            found.problem(format!(
                "run {}: meta indicator {key:?}: {problem}: remove it there (what only its history has is left out with --no-history)",
                run.label()
            ));
        }
    }
    let now = meta::came(source, run.id, Span::Present)?;
    found.count("meta indicators", now.len() as u64);
    Ok(())
}

/// Looks at the items of a run: as they are now, and as they were at the end of each step.
pub(super) fn items(
    source: &mut Source,
    run: &SourceRun,
    steps: &[Step],
    names: &Names,
    found: &mut Found,
) -> Result<()> {
    let now = State::read(source, run.id, Span::Present)?;
    for indexset in &now.guessed {
        found.notes.push(format!(
            "run {}: indexset \"{indexset}\": the type of its elements is lost there (by an upgrade of ixmp4 0.14); it is \
             taken from the data of items, or else from the elements",
            run.label()
        ));
    }
    let mut look = Look {
        label: run.label(),
        names,
        found,
    };
    for item in &now.items {
        look.count(item);
        look.data(source, &now, item, Span::Present)?;
    }
    for step in steps {
        let Span::Between { until, .. } = step.span else {
            continue;
        };
        let touched = items::touched(source, run.id, step.span)?;
        if touched.values().all(HashSet::is_empty) {
            continue;
        }
        let state = State::read(source, run.id, step.span)?;
        look.label = format!("{}, after its transaction {until}", run.label());
        for item in &state.items {
            let is_touched = touched
                .get(&item.kind)
                .is_some_and(|ids| ids.contains(&item.id));
            if is_touched {
                look.data(source, &state, item, step.span)?;
            }
        }
    }
    Ok(())
}

struct Look<'a> {
    label: String,
    names: &'a Names,
    found: &'a mut Found,
}

impl Look<'_> {
    fn count(&mut self, item: &SourceItem) {
        let what = match item.kind {
            ItemKind::IndexSet => "indexsets",
            ItemKind::Scalar => "scalars",
            ItemKind::Table => "tables",
            ItemKind::Parameter => "parameters",
            ItemKind::Variable => "optimization variables",
            ItemKind::Equation => "equations",
        };
        self.found.count(what, 1);
    }

    fn problem(&mut self, item: &SourceItem, problem: &str) {
        self.found.problem(format!(
            "run {}: {} \"{}\": {problem}: change or delete it there, or leave the history out (--no-history) if only \
             that has it",
            self.label,
            item.kind.word(),
            item.name
        ));
    }

    fn data(
        &mut self,
        source: &mut Source,
        state: &State,
        item: &SourceItem,
        span: Span,
    ) -> Result<()> {
        for problem in of_item(item) {
            self.problem(item, &problem);
        }
        match item.kind {
            ItemKind::IndexSet => match state.elements(source, item, span)? {
                Ok(elements) if span == Span::Present => {
                    self.found.count("elements", elements.len() as u64);
                }
                Ok(_) => {}
                Err(problem) => self.problem(item, &problem),
            },
            ItemKind::Scalar => {
                let gone = item.unit.and_then(|unit| {
                    let mut units = self.names.of(Kind::Unit);
                    units.find(|name| name.id == unit && name.is_gone)
                });
                if let Some(unit) = gone {
                    self.found.needed.add(Kind::Unit, &unit.name);
                }
            }
            ItemKind::Table | ItemKind::Parameter | ItemKind::Variable | ItemKind::Equation => {
                match state.data(source, item, span)? {
                    Ok(data) => {
                        if span == Span::Present {
                            self.found.count("rows of items", data.keys.len() as u64);
                        }
                        for unit in &data.unit_names {
                            self.unit(item, unit);
                        }
                    }
                    Err(problem) => self.problem(item, &problem),
                }
            }
        }
        Ok(())
    }

    /// The unit of a parameter's row, which nothing there keeps from being deleted.
    fn unit(&mut self, item: &SourceItem, unit: &str) {
        let mut known = false;
        for name in self.names.of(Kind::Unit).filter(|name| name.name == unit) {
            known = true;
            if name.is_gone {
                self.found.needed.add(Kind::Unit, unit);
            }
        }
        if !known {
            self.problem(
                item,
                &format!("it has the unit \"{unit}\", which does not exist there (any more): create it there"),
            );
        }
    }
}

/// What is wrong with an item itself.
fn of_item(item: &SourceItem) -> Vec<String> {
    let mut problems = Vec::new();
    if let Err(error) = check_text(item.kind.word(), &item.name) {
        problems.push(error.to_string());
    }
    if item.value.is_some_and(|value| !value.is_finite()) {
        problems.push("its value is NaN or infinite".into());
    }
    let mut seen = HashSet::new();
    for column in &item.columns {
        if let Err(error) = check_text("column", &column.name) {
            problems.push(error.to_string());
        }
        if column.indexset.is_empty() {
            problems.push(format!("its column \"{}\" has no indexset", column.name));
        }
        if item.kind.value_columns().contains(&column.name.as_str()) {
            problems.push(format!(
                "its column is called \"{}\", as one of its values is here",
                column.name
            ));
        }
        if !seen.insert(&column.name) {
            problems.push(format!("two of its columns are called \"{}\"", column.name));
        }
    }
    problems
}
