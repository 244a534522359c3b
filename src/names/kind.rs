//! Which kinds of names there are, and what a name may be.

use crate::error::{Error, Result};

/// Which kind of named thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Region,
    Unit,
    Variable,
    Model,
    Scenario,
}

impl Kind {
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Region => "regions",
            Self::Unit => "units",
            Self::Variable => "variables",
            Self::Model => "models",
            Self::Scenario => "scenarios",
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Unit => "unit",
            Self::Variable => "variable",
            Self::Model => "model",
            Self::Scenario => "scenario",
        }
    }

    pub(crate) fn has_hierarchy(self) -> bool {
        self == Self::Region
    }
}

/// Checks the name of a kind of thing.
pub(crate) fn check_name(kind: Kind, name: &str) -> Result<()> {
    // What has no unit (a share, a count) has the unit "".
    if name.is_empty() && kind == Kind::Unit {
        return Ok(());
    }
    check_text(kind.word(), name)
}

pub(crate) fn check_text(kind: &'static str, name: &str) -> Result<()> {
    let refuse = |problem| {
        Err(Error::InvalidName {
            kind,
            name: name.to_owned(),
            problem,
        })
    };
    if name.contains('\0') {
        return refuse("there is a NUL in it");
    }
    if name.trim() != name {
        return refuse("it begins or ends with a blank");
    }
    if name.is_empty() {
        return refuse("it is empty");
    }
    Ok(())
}

/// Docs are any text that the databases take.
pub(crate) fn check_docs(kind: &'static str, docs: Option<&str>) -> Result<()> {
    match docs {
        Some(docs) if docs.contains('\0') => Err(Error::InvalidName {
            kind,
            name: docs.to_owned(),
            problem: "there is a NUL in what is said of it",
        }),
        _ => Ok(()),
    }
}
