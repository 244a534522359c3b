//! What a platform's database looks like from outside the data: who may do what, and whether the guards
//! stand. `verify` looks at the rows, `doctor` at what protects them.

use serde::Serialize;

use crate::core::Core;
use crate::error::Result;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Good to know; nothing has to be done.
    Note,
    /// Something has to be done.
    Problem,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at: "server", "role", "triggers" …
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do about it; `None` where there is nothing to do.
    pub advice: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self {
            check,
            severity: Severity::Ok,
            what: what.into(),
            advice: None,
        }
    }

    pub(crate) fn note(
        check: &'static str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Note,
            advice: Some(advice.into()),
            ..Self::ok(check, what)
        }
    }

    pub(crate) fn problem(
        check: &'static str,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Problem,
            ..Self::note(check, what, advice)
        }
    }

    /// `fine` when nothing is `wrong`, else a problem that names the first of what is.
    pub(crate) fn of_wrong(
        check: &'static str,
        wrong: &[String],
        fine: impl Into<String>,
        advice: &str,
    ) -> Self {
        if wrong.is_empty() {
            Self::ok(check, fine)
        } else {
            Self::problem(check, some_of(wrong), advice)
        }
    }
}

/// The first names of many, for a sentence.
pub(crate) fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Everything that was looked at.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DoctorReport {
    /// In the order in which it was looked at.
    pub findings: Vec<Finding>,
}

impl DoctorReport {
    /// Whether nothing has to be done.
    pub fn is_ok(&self) -> bool {
        self.problems().next().is_none()
    }

    /// The findings about which something has to be done.
    pub fn problems(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Problem)
    }
}

impl Core {
    pub(crate) fn doctor(&self) -> Result<DoctorReport> {
        // Parents have triggers of all their children, those that a program described a moment ago included.
        self.store
            .read(|connection| self.refresh_tables(connection))?;
        Ok(DoctorReport {
            findings: self.store.examine(&self.tables())?,
        })
    }
}
