//! The hash chain: evidence that history is what it was.
//!
//! ```text
//!   link 0            link 1                                link 2
//!   head ───────────► head = SHA-256(head before,  ───────► …
//!                            the row of the transaction,
//!                            SHA-256(leaves))
//!                     leaves = 16 bytes of SHA-256 of each of its version rows
//! ```
//!
//! Each run has a chain over its transactions, and the platform has one (run 0) over those that wrote to platform
//! tables only. `end_transaction_id` is left out: it is set later, and follows from the other rows. Leaves are kept
//! one by one, so that a row that is not what it was can be named, and one that was compacted or redacted be excused.
//!
//! **Invariant:** where chains are on, a run has one from its first transaction on, and a write of this library ends
//! with the link of its transaction, and of those before it that have none (SQL written by hand makes no links). A
//! chain grows in the order of ids wherever transactions end in that order: one that came into the past later gets no
//! link, or it would look as if it had always been there. Whoever owns the database can write all of it anew: only a
//! head that is kept elsewhere proves that nobody did.

mod hash;
mod verify;

use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::Result;
use crate::ids::{RunId, TransactionId};
use crate::schema::tables::{chain_links, run_locks};
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, Outcome, doing, enter_chain, sql};

pub use verify::ChainReport;
pub(super) use verify::verify;

/// The chain of the transactions that wrote to platform tables only.
const PLATFORM: i64 = 0;

/// Where a chain ends, to be kept where nobody who can write to the database can write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// The run; 0 is the platform's own chain.
    pub run_id: RunId,
    /// How many links the chain has.
    pub position: i64,
    /// The transaction of the last link; 0 when there is none.
    pub transaction_id: TransactionId,
    /// Its hash: 64 hexadecimal digits.
    pub head: String,
}

/// The hash chains of a platform, from [`Platform::chain`](crate::Platform::chain). Off until they are
/// [enabled](Self::enable).
///
/// ```
/// # fn main() -> stratalog::Result<()> {
/// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
/// platform.chain().enable()?;
/// platform.regions().create("World")?;
/// let heads = platform.chain().heads()?; // keep them elsewhere
/// assert!(platform.verify_chain(&heads, |_| ())?.is_ok());
/// # Ok(())
/// # }
/// ```
pub struct Chain {
    core: Arc<Core>,
}

impl Chain {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Whether transactions are linked.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn is_enabled(&self) -> Result<bool> {
        self.core.store.read(is_enabled)
    }

    /// Switches the chains on, for good, and links what was written so far, one run after the other. Returns how
    /// many transactions were linked. When they are on already it links what has no link yet.
    ///
    /// # Errors
    /// Errors of the database. What was linked until then is kept.
    pub fn enable(&self) -> Result<u64> {
        let mut linked = self.extend_chain(PLATFORM)?;
        let runs: Vec<i64> = self.core.store.read(|connection| {
            run_locks::table
                .select(run_locks::run_id)
                .order(run_locks::run_id)
                .load(connection)
                .map_err(doing("listing the chains"))
        })?;
        for run in runs {
            linked += self.extend_chain(run)?;
        }
        Ok(linked)
    }

    fn extend_chain(&self, chain: i64) -> Result<u64> {
        self.core.store.transaction("chain", |connection| {
            // Who writes to the run has its lock row locked, and makes the links meanwhile.
            enter_chain(connection, chain)?;
            extend(connection, &self.core, chain, None).map(Outcome::Commit)
        })
    }

    /// The ends of all chains, by run.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn heads(&self) -> Result<Vec<ChainHead>> {
        self.core.store.read(|connection| {
            let rows: Vec<(i64, i64, i64, String)> = chain_links::table
                .filter(diesel::dsl::sql::<Bool>(
                    "NOT EXISTS (SELECT 1 FROM chain_links later WHERE later.run_id = chain_links.run_id AND later.position > chain_links.position)",
                ))
                .order(chain_links::run_id)
                .select((
                    chain_links::run_id,
                    chain_links::position,
                    chain_links::transaction_id,
                    chain_links::head,
                ))
                .load(connection)
                .map_err(doing("reading the heads of chains"))?;
            Ok(rows
                .into_iter()
                .map(|(run, position, transaction, head)| ChainHead {
                    run_id: RunId(run),
                    position,
                    transaction_id: TransactionId(transaction),
                    head,
                })
                .collect())
        })
    }
}

/// Whether transactions are linked, as SQL: the platform's chain begins with the first link of all.
pub(super) const IS_ENABLED: &str =
    "EXISTS (SELECT 1 FROM chain_links WHERE run_id = 0 AND position = 0)";

#[derive(QueryableByName)]
struct Enabled {
    #[diesel(sql_type = Bool)]
    enabled: bool,
}

fn is_enabled(connection: &mut AnyConnection) -> Result<bool> {
    let enabled: Enabled = sql(format!("SELECT {IS_ENABLED} AS enabled"))
        .get_result(connection)
        .map_err(doing("asking whether there are chains"))?;
    Ok(enabled.enabled)
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Links the running transaction, and those of its run (or of the platform: `None`) before it that have no link yet.
pub(super) fn extend_own(
    connection: &mut AnyConnection,
    core: &Core,
    run: Option<i64>,
    own: i64,
) -> Result<()> {
    let chain = run.unwrap_or(PLATFORM);
    if chain == PLATFORM {
        enter_chain(connection, chain)?;
    }
    extend(connection, core, chain, Some(own)).map(|_| ())
}

/// The caller keeps others from linking in this chain.
fn extend(
    connection: &mut AnyConnection,
    core: &Core,
    chain: i64,
    own: Option<i64>,
) -> Result<u64> {
    let last: Option<(i64, String)> = chain_links::table
        .filter(chain_links::run_id.eq(chain))
        .order(chain_links::position.desc())
        .select((chain_links::position, chain_links::head))
        .first(connection)
        .optional()
        .map_err(doing("looking for the end of a chain"))?;
    let (mut position, mut head) = match last {
        Some(last) => last,
        None => (0, begin(connection, chain)?),
    };
    let which = if own.is_some() || is_in_order(core, chain) {
        Unlinked::Newer
    } else {
        Unlinked::All
    };
    let mut ids = unlinked(connection, chain, which)?;
    // Writers of platform tables are in no line: one may draw its id first and commit last. It links itself then.
    ids.extend(own.filter(|own| !ids.contains(own)));
    if ids.iter().any(|id| Some(*id) != own) {
        // Others may have written to a table that is not known here: their links would leave its rows out.
        core.refresh_tables(connection)?;
    }
    for id in &ids {
        let leaves = hash::leaves(connection, core, chain, (*id, *id), hash::Label::No)?;
        let leaves = leaves
            .get(id)
            .map(|leaves| hash::text_of(leaves))
            .unwrap_or_default();
        let row = hash::transaction(connection, *id)?.unwrap_or_default();
        position += 1;
        head = hash::head(&head, &row, &leaves);
        link(connection, (chain, position, *id), &leaves, &head)?;
    }
    Ok(ids.len() as u64)
}

/// Whether the transactions of a chain end in the order of their ids. Writers of a run wait for each other before they
/// draw theirs; those of platform tables do so only where all writers do.
fn is_in_order(core: &Core, chain: i64) -> bool {
    chain != PLATFORM || core.store.engine().has_one_writer()
}

/// Begins the chain of a run that is made, where there are chains: that it is gone can be seen then.
pub(crate) fn begin_own(connection: &mut AnyConnection, run: RunId) -> Result<()> {
    if is_enabled(connection)? {
        begin(connection, run.0)?;
    }
    Ok(())
}

fn begin(connection: &mut AnyConnection, chain: i64) -> Result<String> {
    let head = hash::genesis(chain);
    link(connection, (chain, 0, 0), "", &head)?;
    Ok(head)
}

/// Which transactions without a link.
#[derive(Clone, Copy, PartialEq)]
enum Unlinked {
    All,
    /// Only those after the newest that has a link.
    Newer,
}

/// The transactions of a chain that have no link.
fn unlinked(connection: &mut AnyConnection, chain: i64, which: Unlinked) -> Result<Vec<i64>> {
    let newest: Option<i64> = match which {
        Unlinked::Newer => chain_links::table
            .filter(chain_links::run_id.eq(chain))
            .select(diesel::dsl::max(chain_links::transaction_id))
            .get_result(connection)
            .map_err(doing("looking for the end of a chain"))?,
        Unlinked::All => None,
    };
    let mine = if chain == PLATFORM {
        "t.run_id IS NULL"
    } else {
        "t.run_id = $1"
    };
    let ids: Vec<Id> = query(
        &format!(
            "SELECT t.id FROM transactions t
             WHERE NOT EXISTS (SELECT 1 FROM chain_links l WHERE l.run_id = $1 AND l.transaction_id = t.id)
               AND {mine} AND t.id > $2 ORDER BY t.id"
        ),
        &[chain, newest.unwrap_or(i64::MIN)].map(Bind::BigInt),
    )
    .load(connection)
    .map_err(doing("looking for transactions without a link"))?;
    Ok(ids.into_iter().map(|row| row.id).collect())
}

fn link(
    connection: &mut AnyConnection,
    (chain, position, transaction): (i64, i64, i64),
    leaves: &str,
    head: &str,
) -> Result<()> {
    diesel::insert_into(chain_links::table)
        .values((
            chain_links::run_id.eq(chain),
            chain_links::position.eq(position),
            chain_links::transaction_id.eq(transaction),
            chain_links::leaves.eq(leaves),
            chain_links::head.eq(head),
        ))
        .execute(connection)
        .map_err(doing("linking a transaction"))?;
    Ok(())
}
