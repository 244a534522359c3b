//! What can be filtered, and by what.

use crate::names;
use crate::optimization::ItemKind;
use crate::schema::{ColumnType, RUN_ID, TableDescription};

/// What is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject<'a> {
    /// Points of a run.
    Points,
    /// What identifies points of a run: to choose what to revert, compare or redact.
    Keys,
    /// Points of a platform.
    PlatformPoints,
    /// Which points use a name.
    Uses,
    Names(names::Kind),
    Runs,
    Meta,
    Items(ItemKind),
    /// Rows of a run in a table, by its columns.
    Rows(&'a TableDescription),
}

/// What a criterion is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Int,
    Float,
    Text,
    Time,
    Bool,
    /// Any single value.
    Any,
    /// A name, or a filter of names.
    Named(names::Kind),
    /// A filter of runs.
    Run,
    /// Whether points have it; or a filter of points that have it.
    InUse,
}

type Members = &'static [(&'static str, Member)];

const POINTS: Members = &[
    ("region", Member::Named(names::Kind::Region)),
    ("variable", Member::Named(names::Kind::Variable)),
    ("unit", Member::Named(names::Kind::Unit)),
    ("year", Member::Int),
    ("subannual", Member::Text),
    ("datetime", Member::Time),
    ("type", Member::Text),
];
const VALUE: Members = &[("value", Member::Float)];
const OF_RUNS: Members = &[
    ("model", Member::Named(names::Kind::Model)),
    ("scenario", Member::Named(names::Kind::Scenario)),
    ("run", Member::Run),
];
const NAMES: Members = &[
    ("id", Member::Int),
    ("name", Member::Text),
    ("docs", Member::Text),
    ("iamc", Member::InUse),
];
const HIERARCHY: Members = &[("hierarchy", Member::Text)];
const RUNS: Members = &[
    ("id", Member::Int),
    ("model", Member::Named(names::Kind::Model)),
    ("scenario", Member::Named(names::Kind::Scenario)),
    ("version", Member::Int),
    ("is_default", Member::Bool),
    ("default_only", Member::Bool),
    ("iamc", Member::InUse),
];
const META: Members = &[
    ("key", Member::Text),
    ("value", Member::Any),
    ("type", Member::Text),
];
const ITEMS: Members = &[
    ("id", Member::Int),
    ("name", Member::Text),
    ("docs", Member::Text),
];
const INDEXSETS: Members = &[("indexset", Member::Text)];
const SCALARS: Members = &[
    ("value", Member::Float),
    ("unit", Member::Named(names::Kind::Unit)),
];

impl<'a> Subject<'a> {
    /// The criteria that there are.
    pub(super) fn members(self) -> Vec<(&'a str, Member)> {
        let lists: &[Members] = match self {
            Self::Rows(table) => {
                return table
                    .columns
                    .iter()
                    .filter(|column| column.name != RUN_ID)
                    .map(|column| (column.name.as_str(), of_type(column.column_type)))
                    .collect();
            }
            Self::Points => &[POINTS, VALUE],
            Self::Keys => &[POINTS],
            Self::PlatformPoints | Self::Uses => &[POINTS, VALUE, OF_RUNS],
            Self::Names(names::Kind::Region) => &[NAMES, HIERARCHY],
            Self::Names(_) => &[NAMES],
            Self::Runs => &[RUNS],
            Self::Meta => &[META, OF_RUNS],
            Self::Items(ItemKind::IndexSet) => &[ITEMS],
            Self::Items(ItemKind::Scalar) => &[ITEMS, SCALARS],
            Self::Items(_) => &[ITEMS, INDEXSETS],
        };
        lists.iter().flat_map(|list| list.iter().copied()).collect()
    }

    /// "points", "regions" …
    pub(super) fn word(self) -> &'a str {
        match self {
            Self::Points | Self::PlatformPoints | Self::Uses => "points",
            Self::Keys => "a selection of points",
            Self::Names(kind) => kind.table(),
            Self::Runs => "runs",
            Self::Meta => "meta indicators",
            Self::Items(kind) => kind.words(),
            Self::Rows(table) => &table.name,
        }
    }
}

fn of_type(column_type: ColumnType) -> Member {
    match column_type {
        ColumnType::BigInt | ColumnType::Integer | ColumnType::SmallInt => Member::Int,
        ColumnType::Double => Member::Float,
        ColumnType::Text => Member::Text,
        ColumnType::Bool => Member::Bool,
        ColumnType::Timestamp => Member::Time,
    }
}
