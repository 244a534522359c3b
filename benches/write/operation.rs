//! What is measured, and who does it.

use std::fmt;

/// How many rows the small change changes.
pub const FEW: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// All rows into an empty run.
    Add,
    /// The same rows again: nothing changes.
    AddAgain,
    /// All rows with other values.
    Update,
    /// All rows away, by their keys.
    Remove,
    /// Back to before all rows changed.
    RevertAll,
    /// Back to before [`FEW`] of the rows changed.
    RevertFew,
    /// All rows out.
    Tabulate,
}

impl Operation {
    pub const ALL: [Self; 7] = [
        Self::Add,
        Self::AddAgain,
        Self::Update,
        Self::Remove,
        Self::RevertAll,
        Self::RevertFew,
        Self::Tabulate,
    ];

    /// How many of the rows it is about.
    pub fn rows(self, all: usize) -> usize {
        match self {
            Self::RevertFew => FEW,
            _ => all,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::AddAgain => "add again",
            Self::Update => "update all",
            Self::Remove => "remove all",
            Self::RevertAll => "revert all",
            Self::RevertFew => "revert 100 rows",
            Self::Tabulate => "tabulate",
        })
    }
}

/// The library or the floor.
pub trait Side {
    /// Makes what the operation begins with: a new run, filled as it needs it. Not measured.
    fn prepare(&mut self, operation: Operation);

    /// The operation.
    fn run(&mut self, operation: Operation);
}
