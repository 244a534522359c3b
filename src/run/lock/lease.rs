//! Leases: until when a holder is believed to live.
//!
//! **Invariant:** a lease never decides who may write, the token does. It only says when others may take the
//! lock away; one that ran out and that nobody took is renewed like any other.

use std::time::Duration;

use diesel::prelude::*;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::ids::{LockToken, RunId};
use crate::schema::tables::run_leases;
use crate::store::clock::Clock;
use crate::store::kept::kept;
use crate::store::rows::Bind;
use crate::store::{AnyConnection, doing};

/// How long a holder that gives no sign keeps its lock, and how often it gives one.
///
/// ```
/// use std::time::Duration;
/// use stratalog::Lease;
///
/// assert_eq!(Lease::default().duration, Duration::from_secs(30));
/// assert_eq!(Lease::of(Duration::from_secs(6)).heartbeat, Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// After so long without a sign others may take the lock away. Default 30 s.
    pub duration: Duration,
    /// A thread renews it so often. Default 10 s.
    pub heartbeat: Duration,
}

impl Default for Lease {
    fn default() -> Self {
        Self::of(Duration::from_secs(30))
    }
}

impl Lease {
    /// A lease of that duration, renewed each third of it.
    pub fn of(duration: Duration) -> Self {
        Self {
            duration,
            heartbeat: duration / 3,
        }
    }

    /// Renews it so often instead.
    #[must_use]
    pub fn renewed_every(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    pub(crate) fn check(self) -> Result<Self> {
        let refuse = |problem: &str| Err(Error::InvalidLease(problem.into()));
        if self.duration < Duration::from_secs(1) || self.duration > Duration::from_secs(86_400) {
            return refuse("a lease lasts from a second to a day");
        }
        if self.heartbeat.is_zero() || self.heartbeat > self.duration / 2 {
            return refuse(
                "the heartbeat must come at least twice in a lease, or one late beat loses it",
            );
        }
        Ok(self)
    }
}

/// The lease row that every run has.
pub(super) fn create_row(connection: &mut AnyConnection, run: RunId) -> Result<()> {
    diesel::insert_into(run_leases::table)
        .values((
            run_leases::run_id.eq(run.0),
            run_leases::token.eq(0),
            run_leases::lease_seconds.eq(0.0),
        ))
        .execute(connection)
        .map_err(doing("making a run's lease row"))?;
    Ok(())
}

/// Whose lease is replaced by a new holder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replace {
    /// One that has run out, and only then.
    Lapsed,
    /// Any: it is known that its holder does not matter any more.
    Any,
}

/// Gives the lease of a run to the holding `token`. The caller has locked the lock row. `false`: it was renewed in
/// the meantime.
pub(super) fn pass_on(
    connection: &mut AnyConnection,
    core: &Core,
    run: RunId,
    token: LockToken,
    lease: Lease,
    replace: Replace,
) -> Result<bool> {
    let clock = &core.clock;
    let condition = match replace {
        Replace::Lapsed => format!(" AND expires_at < {}", clock.now()),
        Replace::Any => String::new(),
    };
    let text = format!(
        "UPDATE run_leases SET token = $1, lease_seconds = {seconds}, renewed_at = {now},
           expires_at = {later}, last_write_at = NULL
         WHERE run_id = $2{condition}",
        seconds = seconds(lease),
        now = clock.now(),
        later = clock.after(&seconds(lease)),
    );
    let changed = kept(&text, &[Bind::BigInt(token.0), Bind::BigInt(run.0)])
        .execute(connection)
        .map_err(doing("taking the lease"))?;
    Ok(changed == 1)
}

/// What renews a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    Heartbeat,
    Write,
}

/// Renews a lease. `false`: the lock is another's now.
pub(crate) fn renew(
    connection: &mut AnyConnection,
    clock: &Clock,
    (run, token): (RunId, LockToken),
    renewal: Renewal,
) -> Result<bool> {
    let now = clock.now();
    let write = match renewal {
        Renewal::Heartbeat => String::new(),
        Renewal::Write => format!(", last_write_at = {now}"),
    };
    let text = format!(
        "UPDATE run_leases SET renewed_at = {now}, expires_at = {later}{write}
         WHERE run_id = $1 AND token = $2",
        later = clock.after("lease_seconds"),
    );
    let renewed = kept(&text, &[Bind::BigInt(run.0), Bind::BigInt(token.0)])
        .execute(connection)
        .map_err(doing("renewing the lease"))?;
    Ok(renewed == 1)
}

fn seconds(lease: Lease) -> String {
    format!("{:.3}", lease.duration.as_secs_f64())
}
