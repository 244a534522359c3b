//! Filters: which runs, names, points, indicators or items one means.
//!
//! **Invariant:** a filter means the same on both engines. Conditions on names are decided here, on what the
//! database has, and reach SQL as lists of ids; only numbers are compared by the engine.
//!
//! A [`Filter`] is a list of criteria, each a name and a value. What names there are depends on what is filtered:
//! see [`Subject`]. A criterion's name may end in a [`Lookup`] (`year__gte`), its value may be a filter in turn
//! (`run: {default_only: false}`).

mod checked;
mod lookup;
mod resolve;
mod rows;
mod selection;
mod subject;
mod value;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};

pub(crate) use checked::{Checked, What};
pub(crate) use lookup::{Scalar, Test};
pub(crate) use resolve::{Resolver, Which};
pub(crate) use rows::rows_that_pass;
pub(crate) use selection::Selection;
pub(crate) use subject::Subject;
pub use value::FilterValue;

use crate::error::{Error, Result};

/// Selects runs, names, points, meta indicators or optimization items. Everything that is said must hold.
///
/// A text may hold `*` for any text; a list means any of its members. A name may end in `__in` (any of these,
/// letter by letter), `__eq`, `__ne`, `__like`, `__notlike`, `__ilike`, `__notilike` (the latter two whatever the
/// case), and for numbers and times `__gt`, `__gte`, `__lt`, `__lte`.
///
/// ```
/// use stratalog::Filter;
///
/// let filter = Filter::all()
///     .region(["World"])
///     .with("variable", "Primary Energy*")
///     .with("year__gte", 2030)
///     .with("run", Filter::all().with("default_only", false));
/// assert_eq!(filter.to_string(), "region World, variable Primary Energy*, year__gte 2030, run (default_only false)");
/// let same: Filter = serde_json::from_str(
///     r#"{"region": "World", "variable": "Primary Energy*", "year__gte": 2030, "run": {"default_only": false}}"#,
/// )?;
/// assert_eq!(filter.to_string(), same.to_string());
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// What there is to filter by:
///
/// | of | criteria |
/// |---|---|
/// | points of a run | `region`, `variable`, `unit`, `year`, `subannual`, `datetime`, `type` (yearly, categorical, datetime), `value` |
/// | points of a platform | these, and `model`, `scenario`, `run` |
/// | regions, units, variables, models, scenarios | `id`, `name`, `hierarchy` (regions), `docs`, `iamc` (in use: `true`, `false`, or by which points) |
/// | runs | `id`, `model`, `scenario`, `version`, `is_default`, `default_only`, `iamc` |
/// | meta indicators | `key`, `value`, `type` (bool, int, float, str), `model`, `scenario`, `run` |
/// | rows of a table of one's own | its columns |
/// | optimization items | `id`, `name`, `docs`, `indexset`; of scalars `value` and `unit` |
///
/// `region`, `model` and the like take a name, a list of names, or a filter of such things. Points and indicators of a
/// platform are those of default runs unless `run` says `default_only: false`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    criteria: Vec<(String, FilterValue)>,
}

impl Filter {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only what meets this criterion too. A [`FilterValue::Null`] says nothing.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<FilterValue>) -> Self {
        let value = value.into();
        if value != FilterValue::Null {
            self.criteria.push((name.into(), value));
        }
        self
    }

    /// Only these regions.
    pub fn region(self, names: impl IntoIterator<Item = impl Into<FilterValue>>) -> Self {
        self.with("region", FilterValue::list(names))
    }

    /// Only these variables.
    pub fn variable(self, names: impl IntoIterator<Item = impl Into<FilterValue>>) -> Self {
        self.with("variable", FilterValue::list(names))
    }

    /// Only these units.
    pub fn unit(self, names: impl IntoIterator<Item = impl Into<FilterValue>>) -> Self {
        self.with("unit", FilterValue::list(names))
    }

    /// Only these years, of yearly and categorical points.
    pub fn year(self, years: impl IntoIterator<Item = i64>) -> Self {
        self.with("year", FilterValue::list(years))
    }

    /// Whether it selects everything.
    pub fn is_all(&self) -> bool {
        self.criteria.is_empty()
    }

    pub(crate) fn criteria(&self) -> &[(String, FilterValue)] {
        &self.criteria
    }

    /// Whether a criterion of that name is there, with whatever lookup.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        self.criteria.iter().any(|(criterion, _)| {
            criterion == name
                || criterion
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with("__"))
        })
    }

    /// Points, indicators and runs of a platform are those of default runs, unless the filter says something about it.
    pub(crate) fn of_default_runs(&self) -> Self {
        let mut filter = self.clone();
        let only = |run: &Self| {
            if run.mentions("default_only") || run.mentions("is_default") {
                run.clone()
            } else {
                run.clone().with("default_only", true)
            }
        };
        for (name, value) in &mut filter.criteria {
            if let ("run", FilterValue::Filter(run)) = (name.as_str(), &mut *value) {
                *value = FilterValue::Filter(only(run));
                return filter;
            }
        }
        filter.with("run", only(&Self::all()))
    }
}

impl fmt::Display for Filter {
    /// `region World, year 2030 or 2050`, for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.criteria.iter().enumerate() {
            let comma = if position > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Filter {
    /// From an object of criteria.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)?.into() {
            FilterValue::Filter(filter) => Ok(filter),
            _ => Err(D::Error::custom("a filter is an object of criteria")),
        }
    }
}

pub(crate) fn invalid(problem: String) -> Error {
    Error::InvalidFilter(problem)
}

pub(crate) fn refuse<T>(problem: String) -> Result<T> {
    Err(invalid(problem))
}
