//! How runs, states of runs and spans of time are written on the command line.

use std::str::FromStr;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime};

use super::failure::Failure;
use crate::ids::{CheckpointId, RunId, TransactionId};
use crate::platform::Platform;
use crate::run::{Run, Target};

/// A run as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RunArgument {
    Id(RunId),
    Named {
        model: String,
        scenario: String,
        version: Option<i32>,
    },
}

impl FromStr for RunArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(RunId(id)));
        }
        // As errors and tables name it: "model / scenario, version 2".
        let (names, version) = match text.rsplit_once(", version ") {
            Some((names, version)) => (names, Some(version)),
            None => (text, None),
        };
        let separator = if names.contains(" / ") { " / " } else { "/" };
        let mut parts: Vec<_> = names
            .split(separator)
            .chain(version)
            .map(str::trim)
            .collect();
        let version = match parts.len() {
            3 => parts.pop().map(str::parse).transpose().map_err(|_| {
                "what follows the second slash is no version; where names have slashes in them, write \
                 \"model / scenario / version\" with blanks around those that separate, or the run's id"
            })?,
            _ => None,
        };
        match parts[..] {
            [model, scenario] if !model.is_empty() && !scenario.is_empty() => Ok(Self::Named {
                model: model.to_owned(),
                scenario: scenario.to_owned(),
                version,
            }),
            _ => Err("a run is an id, model/scenario or model/scenario/version".into()),
        }
    }
}

impl RunArgument {
    pub(super) fn find(&self, platform: &Platform) -> Result<Run, Failure> {
        Ok(match self {
            Self::Id(id) => platform.runs().get_by_id(*id)?,
            Self::Named {
                model,
                scenario,
                version,
            } => platform.runs().get(model, scenario, *version)?,
        })
    }
}

/// A transaction's id, with or without the `@`.
pub(super) fn transaction(text: &str) -> Result<TransactionId, String> {
    text.strip_prefix('@')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|id| *id > 0)
        .map(TransactionId)
        .ok_or_else(|| "a transaction is a number as `stratalog log` shows it".to_owned())
}

/// A time on its own.
pub(super) fn time_utc(text: &str) -> Result<NaiveDateTime, String> {
    time(text).ok_or_else(|| {
        "a time in UTC is 2026-03-31, 2026-03-31T12:30 or 2026-03-31T12:30:45".to_owned()
    })
}

/// A time in UTC: a date, or a date and a time of day.
fn time(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim_end_matches('Z').replace('T', " ");
    let with = |format| NaiveDateTime::parse_from_str(&text, format).ok();
    with("%Y-%m-%d %H:%M:%S%.f")
        .or_else(|| with("%Y-%m-%d %H:%M"))
        .or_else(|| text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0))
}

/// A state of a run: `#12` is a checkpoint, `@345` a transaction, `@2026-03-31` a time, `checkpoint` the last
/// one, all else a checkpoint's message.
pub(super) fn target(text: &str) -> Result<Target, String> {
    let id = |digits: &str| digits.parse::<i64>().ok().filter(|id| *id >= 0);
    if let Some(id) = text.strip_prefix('#').and_then(id) {
        return Ok(CheckpointId(id).into());
    }
    if let Some(id) = text.strip_prefix('@').and_then(id) {
        return Ok(TransactionId(id).into());
    }
    if let Some(time) = text.strip_prefix('@').and_then(time) {
        return Ok(Target::Time(time));
    }
    if text.is_empty() {
        return Err(
            "a state is a checkpoint's message, '#ID' of one, or '@ID' of a transaction".into(),
        );
    }
    Ok(text.into())
}

/// Seconds, with or without a fraction.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds, 0 or more".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(model: &str, scenario: &str, version: Option<i32>) -> Result<RunArgument, String> {
        Ok(RunArgument::Named {
            model: model.into(),
            scenario: scenario.into(),
            version,
        })
    }

    #[test]
    fn runs_are_named_in_several_ways() {
        for (text, expected) in [
            ("12", Ok(RunArgument::Id(RunId(12)))),
            ("m/s", named("m", "s", None)),
            ("m/s/2", named("m", "s", Some(2))),
            ("m / s / 2", named("m", "s", Some(2))),
            ("a/b / c/d / 2", named("a/b", "c/d", Some(2))),
            ("a/b / c/d", named("a/b", "c/d", None)),
            ("m / s, version 2", named("m", "s", Some(2))),
            ("a/b / c, version 2", named("a/b", "c", Some(2))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["", "m", "m/", "/s", "m/s/last", "a/b/c/2", "m / s / x / 1"] {
            assert!(text.parse::<RunArgument>().is_err(), "{text}");
        }
    }

    fn at(time: &str) -> NaiveDateTime {
        format!("2026-03-31T{time}").parse().unwrap_or_default()
    }

    #[test]
    fn targets_are_ids_or_messages() {
        for (text, expected) in [
            ("#12", Target::Checkpoint(CheckpointId(12))),
            ("@0", Target::Transaction(TransactionId(0))),
            ("raw data", Target::Name("raw data".into())),
            ("checkpoint", Target::LastCheckpoint),
            ("@12 draft", Target::Name("@12 draft".into())),
            ("@2026-03-31", Target::Time(at("00:00:00"))),
            ("@2026-03-31T12:30", Target::Time(at("12:30:00"))),
            ("@2026-03-31 12:30:00.5Z", Target::Time(at("12:30:00.5"))),
            ("#1 draft", Target::Name("#1 draft".into())),
            ("12", Target::Name("12".into())),
        ] {
            assert_eq!(target(text), Ok(expected), "{text}");
        }
        assert!(target("").is_err());
    }

    #[test]
    fn seconds_are_not_negative() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["-1", "NaN", "inf", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
