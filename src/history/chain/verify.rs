//! Proving the chains: what was linked is there, as it was, and nothing else is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::Serialize;

use super::hash::{self, Hash, Label, Leaf, Row};
use super::{ChainHead, PLATFORM, Unlinked, is_in_order, unlinked};
use crate::core::Core;
use crate::error::Result;
use crate::history::{Problem, retained};
use crate::ids::RunId;
use crate::schema::tables::{chain_links, redacted_rows};
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, doing, sql};

/// What verifying the chains found, beside problems.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ChainReport {
    /// Chains that were followed: one per run, and the platform's.
    pub chains: u64,
    /// Links in them.
    pub links: u64,
    /// The newest transactions that no link covers yet: written by other programs. The next write links them.
    pub unlinked: u64,
    /// Heads kept elsewhere that were found.
    pub heads: u64,
}

/// How many version rows are read at once, and how many links, unless one transaction alone has more.
const ROWS: i64 = 50_000;
const LINKS: usize = 500;

const GONE: &str = "links that are gone";

/// How many rows of a problem are named.
const NAMED_ROWS: usize = 20;

/// Follows all chains. `heads`: kept elsewhere.
pub(in crate::history) fn verify(
    connection: &mut AnyConnection,
    core: &Core,
    heads: &[ChainHead],
    progress: &mut dyn FnMut(&str),
) -> Result<(ChainReport, Vec<Problem>)> {
    core.refresh_tables(connection)?;
    // Those of which every link is gone too.
    let chains: Vec<Listed> = sql(
        "SELECT run_id AS chain FROM chain_links UNION SELECT coalesce(run_id, 0) FROM transactions ORDER BY 1",
    )
    .load(connection)
    .map_err(doing("listing the chains"))?;
    let mut found = Found::default();
    for Listed { chain } in &chains {
        progress(&match *chain {
            PLATFORM => "the platform's chain".to_owned(),
            run => format!("the chain of run {run}"),
        });
        follow(connection, core, *chain, &mut found)?;
    }
    found.report.chains = chains.len() as u64;
    for head in heads {
        found.compare(connection, head)?;
    }
    let problems = found
        .problems
        .into_iter()
        .map(|((table, problem), (count, rows))| Problem {
            table,
            problem: problem.to_owned(),
            count,
            rows,
        })
        .collect();
    Ok((found.report, problems))
}

#[derive(Default)]
struct Found {
    report: ChainReport,
    problems: BTreeMap<(String, &'static str), (u64, Vec<String>)>,
}

impl Found {
    fn add(&mut self, table: &str, problem: &'static str, row: String) {
        let (count, rows) = self
            .problems
            .entry((table.to_owned(), problem))
            .or_default();
        *count += 1;
        if rows.len() < NAMED_ROWS {
            rows.push(row);
        }
    }

    fn compare(&mut self, connection: &mut AnyConnection, kept: &ChainHead) -> Result<()> {
        let there: Option<String> = chain_links::table
            .filter(chain_links::run_id.eq(kept.run_id.0))
            .filter(chain_links::position.eq(kept.position))
            .select(chain_links::head)
            .first(connection)
            .optional()
            .map_err(doing("looking for a head"))?;
        let named = format!(
            "run_id={}, position={}, transaction_id={}",
            kept.run_id, kept.position, kept.transaction_id
        );
        match there {
            Some(head) if head == kept.head => self.report.heads += 1,
            Some(_) => self.add(
                "chain_links",
                "chains that are not those of which the head was kept: history was written anew",
                named,
            ),
            None => self.add(
                "chain_links",
                "chains that end before the head that was kept: transactions are gone",
                named,
            ),
        }
        Ok(())
    }
}

#[derive(QueryableByName)]
struct Listed {
    #[diesel(sql_type = BigInt)]
    chain: i64,
}

#[derive(QueryableByName)]
struct Link {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = BigInt)]
    transaction_id: i64,
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = Text)]
    head: String,
}

fn follow(
    connection: &mut AnyConnection,
    core: &Core,
    chain: i64,
    found: &mut Found,
) -> Result<()> {
    let links: Vec<Link> = query(
        "SELECT position, transaction_id, CAST(length(leaves) / 32 AS bigint) AS rows, head
         FROM chain_links WHERE run_id = $1 ORDER BY position",
        &[Bind::BigInt(chain)],
    )
    .load(connection)
    .map_err(doing("reading a chain"))?;
    let compacted_until = match chain {
        PLATFORM => 0,
        run => retained::horizon(connection, RunId(run))?,
    };
    let mut head = hash::genesis(chain);
    let mut position = -1;
    let mut newest = 0;
    if links.is_empty() {
        let named = format!("run_id={chain}, position=0 and all after it");
        found.add("chain_links", GONE, named);
    }
    let mut rest = links.as_slice();
    while !rest.is_empty() {
        let mut rows = 0;
        let many = rest
            .iter()
            .take(LINKS)
            .take_while(|link| {
                rows += link.rows;
                rows <= ROWS
            })
            .count()
            .max(1);
        let (now, later) = rest.split_at(many);
        rest = later;
        let leaves = stored_leaves(connection, chain, now)?;
        let mut rows = rows_of(connection, core, chain, now)?;
        for link in now {
            for missing in position + 1..link.position {
                let named = format!("run_id={chain}, position={missing}");
                found.add("chain_links", GONE, named);
            }
            let follows = position + 1 == link.position;
            position = link.position;
            let leaves = leaves.get(&link.position).map_or("", String::as_str);
            if link.position == 0 {
                if link.head != head {
                    let named = format!("run_id={chain}, position=0");
                    found.add("chain_links", "links that do not fit", named);
                }
                head.clone_from(&link.head);
                continue;
            }
            let id = link.transaction_id;
            if id <= newest && is_in_order(core, chain) {
                let named = format!("run_id={chain}, position={position}, transaction_id={id}");
                found.add(
                    "chain_links",
                    "links that are not in the order of their transactions: these came into the past later",
                    named,
                );
            }
            newest = newest.max(id);
            match hash::transaction(connection, id)? {
                None => found.add(
                    "transactions",
                    "transactions that are gone",
                    format!("id={id}"),
                ),
                Some(row) if follows && hash::head(&head, &row, leaves) != link.head => found.add(
                    "transactions",
                    "transactions that are not what was linked (or their links are not)",
                    format!("id={id}"),
                ),
                Some(_) => {}
            }
            head.clone_from(&link.head);
            let there = rows.remove(&id).unwrap_or_default();
            compare_rows(
                connection,
                (chain, id),
                leaves,
                &there,
                id <= compacted_until,
                found,
            )?;
        }
    }
    found.report.links += links.iter().filter(|link| link.position > 0).count() as u64;
    for id in unlinked(connection, chain, Unlinked::All)? {
        if id > newest {
            found.report.unlinked += 1;
        } else if is_in_order(core, chain) {
            found.add(
                "transactions",
                "transactions without a link before some that have one: they came into the past later",
                format!("id={id}"),
            );
        } else {
            found.add(
                "transactions",
                "transactions without a link before some that have one: they came into the past later, or another program wrote to platform tables while this library did, and `stratalog chain enable` links them",
                format!("id={id}"),
            );
        }
    }
    Ok(())
}

fn stored_leaves(
    connection: &mut AnyConnection,
    chain: i64,
    links: &[Link],
) -> Result<HashMap<i64, String>> {
    let (Some(first), Some(last)) = (links.first(), links.last()) else {
        return Ok(HashMap::new());
    };
    let leaves: Vec<(i64, String)> = chain_links::table
        .filter(chain_links::run_id.eq(chain))
        .filter(chain_links::position.between(first.position, last.position))
        .select((chain_links::position, chain_links::leaves))
        .load(connection)
        .map_err(doing("reading a chain"))?;
    Ok(leaves.into_iter().collect())
}

fn rows_of(
    connection: &mut AnyConnection,
    core: &Core,
    chain: i64,
    links: &[Link],
) -> Result<BTreeMap<i64, Vec<Leaf>>> {
    let ids: BTreeSet<i64> = links.iter().map(|link| link.transaction_id).collect();
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
        return Ok(BTreeMap::new());
    };
    let mut rows = hash::leaves(connection, core, chain, (*first, *last), Label::Yes)?;
    rows.retain(|id, _| ids.contains(id));
    Ok(rows)
}

/// Compares the version rows of a transaction with those that were linked.
fn compare_rows(
    connection: &mut AnyConnection,
    (chain, transaction): (i64, i64),
    leaves: &str,
    there: &[Leaf],
    is_compacted: bool,
    found: &mut Found,
) -> Result<()> {
    let kept = hash::kept(leaves);
    let mut expected: HashMap<Hash, u32> = HashMap::new();
    for leaf in &kept {
        *expected.entry(*leaf).or_default() += 1;
    }
    let mut others = Vec::new();
    for leaf in there {
        match expected.get_mut(&leaf.hash).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => others.extend(leaf.row.as_ref()),
        }
    }
    let missing: usize = expected.values().map(|count| *count as usize).sum();
    if others.is_empty() && missing == 0 {
        return Ok(());
    }
    let redacted: BTreeSet<(String, String)> = redacted_rows::table
        .filter(redacted_rows::run_id.eq(chain))
        .filter(redacted_rows::transaction_id.eq(transaction))
        .select((redacted_rows::table_name, redacted_rows::row_key))
        .load::<(String, String)>(connection)
        .map_err(doing("reading redactions"))?
        .into_iter()
        .collect();
    for row in &others {
        if !is_excused(row, &redacted) {
            found.add(
                &row.table,
                "version rows that are not what was linked, or came in later",
                format!("{}, transaction_id={transaction}", row.key),
            );
        }
    }
    // A row that is another now accounts for one that is not found.
    let gone = missing.saturating_sub(others.len());
    if gone > 0 && !is_compacted {
        let before = kept
            .iter()
            .position(|leaf| expected.get(leaf).is_some_and(|count| *count > 0))
            .and_then(|first| first.checked_sub(1))
            .and_then(|before| there.iter().find(|leaf| leaf.hash == kept[before]))
            .and_then(|leaf| leaf.row.as_ref());
        let place = match before {
            Some(Row { table, key, .. }) => format!("the first after {table} {key}"),
            None => "the first of all".to_owned(),
        };
        found.add(
            "transactions",
            "transactions of which version rows are gone",
            format!("id={transaction}: {gone} of {} rows, {place}", kept.len()),
        );
    }
    Ok(())
}

/// Whether a version row may be another than the one that was linked: a redaction named it and left it without values,
/// and nobody put others in.
fn is_excused(row: &Row, redacted: &BTreeSet<(String, String)>) -> bool {
    row.has_no_values && redacted.contains(&(row.table.clone(), row.key.clone()))
}
