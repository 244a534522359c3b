//! Both sides compared when all has been copied: rows are counted and summed as hashes, whatever their order; where
//! these differ, the rows that do are looked for and named.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::lines::{self, Part};
use super::names::{KINDS, Names};
use super::runs::{Record, SourceRun};
use super::source::Source;
use super::steps::Step;
use crate::core::Core;
use crate::error::Result;
use crate::names;
use crate::run::Run;

/// How many rows that differ are named, of each side.
const NAMED: usize = 5;

/// How many there are of something on either side.
pub(super) type Counts = BTreeMap<&'static str, (u64, u64)>;

/// What comparing came to.
#[derive(Default)]
pub(super) struct Comparison {
    pub(super) counts: Counts,
    pub(super) differences: Vec<String>,
}

impl Comparison {
    pub(super) fn add(&mut self, other: Self) {
        for (what, (there, here)) in other.counts {
            self.count(what, there, here);
        }
        self.differences.extend(other.differences);
    }

    pub(super) fn count(&mut self, what: &'static str, there: u64, here: u64) {
        let counts = self.counts.entry(what).or_default();
        counts.0 += there;
        counts.1 += here;
    }
}

/// The number of lines and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest {
    lines: u64,
    sum: u128,
}

fn hash(line: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        line.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

impl Digest {
    fn add(&mut self, line: &str) {
        self.lines += 1;
        self.sum = self.sum.wrapping_add(hash(line));
    }
}

/// Compares a run's present state there with what its import left here.
pub(super) fn run(
    source: &mut Source,
    there: &SourceRun,
    here: &Run,
    record: &Record,
    comparison: &mut Comparison,
) -> Result<()> {
    for part in Part::ALL {
        let (mut left, mut right) = (Digest::default(), Digest::default());
        lines::there(source, there.id, part, &mut |line| left.add(line))?;
        lines::here(here, record.state(), part, &mut |line| right.add(line))?;
        comparison.count(part.word(), left.lines, right.lines);
        if left != right {
            let difference = differing(source, there, here, record, part)?;
            comparison.differences.push(format!(
                "run {}: {}: {difference}",
                there.label(),
                part.word()
            ));
        }
    }
    Ok(())
}

/// The lines that only one side has.
fn differing(
    source: &mut Source,
    there: &SourceRun,
    here: &Run,
    record: &Record,
    part: Part,
) -> Result<String> {
    let mut balance: HashMap<u128, i64> = HashMap::new();
    lines::there(source, there.id, part, &mut |line| {
        *balance.entry(hash(line)).or_default() += 1;
    })?;
    lines::here(here, record.state(), part, &mut |line| {
        *balance.entry(hash(line)).or_default() -= 1;
    })?;
    balance.retain(|_, count| *count != 0);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let note = |line: &str, found: &mut Vec<String>, sign: i64| {
        if balance
            .get(&hash(line))
            .is_some_and(|count| count * sign > 0)
        {
            found.push(line.to_owned());
        }
    };
    lines::there(source, there.id, part, &mut |line| note(line, &mut left, 1))?;
    lines::here(here, record.state(), part, &mut |line| {
        note(line, &mut right, -1);
    })?;
    let mut said = Vec::new();
    for (side, mut found) in [("only there", left), ("only here", right)] {
        if found.is_empty() {
            continue;
        }
        found.sort();
        let more = match found.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        found.truncate(NAMED);
        said.push(format!("{side}: {}{more}", found.join("; ")));
    }
    Ok(said.join("; "))
}

/// Compares a run's checkpoints, and whether it is the default version.
pub(super) fn checkpoints(
    there: &SourceRun,
    steps: &[Step],
    here: &Run,
    record: &Record,
    comparison: &mut Comparison,
) -> Result<()> {
    let left: Vec<_> = steps
        .iter()
        .flat_map(|step| &step.checkpoints)
        .map(|checkpoint| checkpoint.message_here())
        .collect();
    let right: Vec<_> = here
        .checkpoints()?
        .into_iter()
        .take(usize::try_from(record.checkpoints).unwrap_or_default())
        .map(|checkpoint| checkpoint.message)
        .collect();
    comparison.count("checkpoints", left.len() as u64, right.len() as u64);
    if left != right {
        comparison.differences.push(format!(
            "run {}: checkpoints: there {left:?}, here {right:?}",
            there.label()
        ));
    }
    if there.is_default && !here.info().is_default {
        comparison.differences.push(format!(
            "run {}: the default version of its scenario there, but not here, where another one is or none: \
             `stratalog default {}` makes it so",
            there.label(),
            here.id()
        ));
    }
    Ok(())
}

/// Compares the names that are there with those that are here.
pub(super) fn names(core: &Core, all: &Names, comparison: &mut Comparison) -> Result<()> {
    for (kind, _) in KINDS {
        let here: HashMap<_, _> = core
            .store
            .read(|connection| names::all(connection, kind))?
            .into_iter()
            .map(|named| (named.name.clone(), named))
            .collect();
        let mut found = 0;
        let mut there = 0;
        for name in all.present(kind) {
            there += 1;
            let Some(named) = here.get(&name.name) else {
                comparison.differences.push(format!(
                    "{} \"{}\": only there",
                    kind.word(),
                    name.name
                ));
                continue;
            };
            found += 1;
            for (what, left, right) in [
                ("hierarchy", &name.hierarchy, &named.hierarchy),
                ("docs", &name.docs, &named.docs),
            ] {
                if left != right {
                    comparison.differences.push(format!(
                        "{} \"{}\": {what}: there {left:?}, here {right:?}",
                        kind.word(),
                        name.name,
                    ));
                }
            }
        }
        comparison.count(kind.table(), there, found);
    }
    Ok(())
}
