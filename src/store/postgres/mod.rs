//! PostgreSQL: the server engine.
//!
//! # Connections that die
//!
//! A computer that goes to sleep, a firewall that forgets, a server that loses its power: none of them says
//! goodbye. Left to the operating systems, the client would wait for an answer for a quarter of an hour, and
//! the server would keep a vanished client's transaction, with the lock row of its run, for two hours. So,
//! unless the URL says otherwise:
//!
//! - the client gives up on a peer that has not answered for 25 s ([`CLIENT`]), and on connecting after 10 s;
//! - the server gives up on a client likewise ([`SERVER`]), and ends a session that does nothing within a
//!   transaction for 60 s ([`IDLE_IN_TRANSACTION`]). None of this library's transactions does nothing for long.
//!
//! The last is set for each transaction, not for the session: behind a pooler, sessions are shared with others.
//! Sockets of the same machine need none of it, and ignore it.

pub(crate) mod copy;
pub(crate) mod copy_out;
pub(crate) mod ddl;
pub(crate) mod doctor;
pub(super) mod fate;
pub(crate) mod given;
mod objects;
mod parents;
mod privileges;
mod record;
mod rights;
pub(crate) mod roles;
pub(crate) mod sql;

use diesel::connection::AnsiTransactionManager;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::error::{Error, Result};
use crate::store::kept::kept;
use crate::store::rows::{Bind, Plan};
use crate::store::transaction::Xid;
use crate::store::{Location, Patience};

/// Parameters of libpq: <https://www.postgresql.org/docs/current/libpq-connect.html>. 10 s of silence, then
/// three questions 5 s apart; 25 s for what was sent and not acknowledged.
const CLIENT: [(&str, &str); 5] = [
    ("connect_timeout", "10"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "25000"),
];

/// The same in the server's settings, where nobody (the URL's `options`, the role, the server's file) has set
/// them: <https://www.postgresql.org/docs/current/runtime-config-connection.html>.
const SERVER: &str = "
    SELECT set_config(ours.name, ours.value, false)
    FROM (VALUES ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'),
                 ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '25000')) AS ours (name, value)
    JOIN pg_settings AS setting ON setting.name = ours.name
    WHERE setting.source = 'default'";

/// Where nobody has set one: the server's default is none. Who wants none asks for a very long one.
const IDLE_IN_TRANSACTION: &str = "
    CASE current_setting('idle_in_transaction_session_timeout') WHEN '0'
    THEN set_config('idle_in_transaction_session_timeout', '60s', true) END";

/// Compiling a query takes longer than any of ours does on few rows, and the server takes a fresh table's rows for
/// many: a page of a log took 50 ms instead of 4.
const NO_JIT: &str = "set_config('jit', 'off', true)";

/// Rows of a bulk write are joined with those that are there. With the server's default for that, 4 MB, a million rows are
/// joined in dozens of parts, and each part is written all over the tables: half as long again (measured). Where somebody
/// has set another value, it stays.
const ROOM_FOR_JOINS: &str = "
    CASE current_setting('work_mem') WHEN '4MB' THEN set_config('work_mem', '64MB', true) END";

/// What decides how statements are planned: the setting, its value for few rows, and that for many.
///
/// Of few, each is found by an index. So few are that it is the best plan whatever the tables' size, and may be kept from
/// the first time on: left to itself, the server plans the first five anew.
const PLANNING: [(&str, &str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan", "force_custom_plan"),
    ("enable_seqscan", "off", "on"),
    ("enable_hashjoin", "off", "on"),
    ("enable_mergejoin", "off", "on"),
];

/// Of so many rows that a hash table of them has no room in memory: they are joined by sorting them. By hash they would be
/// joined in parts, each of which is written all over the tables, and that into the WAL page by page: 69 GB instead of 9
/// for ten million changed points (measured).
pub(super) const JOIN_IN_ORDER: &str = "set_config('enable_hashjoin', 'off', true)";

fn each_setting(text: impl Fn(&(&str, &str, &str)) -> String, between: &str) -> String {
    PLANNING.iter().map(text).collect::<Vec<_>>().join(between)
}

/// Plans for few rows from here on, as terms of a `SELECT`.
pub(super) fn plan_for_few() -> String {
    each_setting(
        |(name, few, _)| format!("set_config('{name}', '{few}', true)"),
        ", ",
    )
}

/// Back to what the session has.
pub(super) fn plan_for_any() -> String {
    each_setting(|(name, ..)| format!("SET LOCAL {name} TO DEFAULT"), "; ")
}

/// How a transaction begins that only reads.
pub(super) const BEGIN_SNAPSHOT: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off";

/// Opens a connection.
pub(super) fn connect(location: &Location) -> Result<PgConnection> {
    let Location::Server(url) = location else {
        return Err(Error::InvalidUrl {
            url: location.to_string(),
            problem: "not a PostgreSQL URL".into(),
        });
    };
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Connection {
        url: location.to_string(),
        source,
    };
    let mut connection =
        PgConnection::establish(&with_timeouts(url)).map_err(|source| failed(Box::new(source)))?;
    diesel::sql_query(SERVER)
        .execute(&mut connection)
        .map_err(|source| failed(Box::new(source)))?;
    Ok(connection)
}

/// The URL with those of [`CLIENT`] that it does not have.
fn with_timeouts(url: &str) -> String {
    // A password may have a question mark in it; libpq looks for an @ before the first slash.
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgresql", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let host = scheme.len() + "://".len() + authority.find('@').map_or(0, |at| at + 1);
    let parameters = url[host..]
        .split_once('?')
        .map(|(_, parameters)| parameters);
    let has = |name: &str| {
        parameters
            .unwrap_or_default()
            .split('&')
            .any(|parameter| parameter.split('=').next() == Some(name))
    };
    let ours = CLIENT
        .iter()
        .filter(|(name, _)| !has(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    match parameters {
        _ if ours.is_empty() => url.to_owned(),
        None => format!("{url}?{ours}"),
        Some("") => format!("{url}{ours}"),
        Some(_) => format!("{url}&{ours}"),
    }
}

#[derive(QueryableByName)]
struct Begun {
    #[diesel(sql_type = BigInt)]
    xid: Xid,
}

/// Begins a transaction that writes, and says what its id is.
pub(super) fn begin(
    connection: &mut PgConnection,
    patience: Patience,
    plan: Plan,
) -> QueryResult<Xid> {
    AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN")?;
    let (lock_timeout, binds) = match patience {
        Patience::Long => ("", vec![]),
        Patience::Short(most) => (
            ", set_config('lock_timeout', $1, true)",
            vec![Bind::Text(format!("{}ms", most.as_millis().max(1)))],
        ),
    };
    let plan = match plan {
        Plan::Kept => format!(", {}", plan_for_few()),
        Plan::Anew => String::new(),
        Plan::InOrder => format!(", {JOIN_IN_ORDER}"),
    };
    // Staging tables are made IF NOT EXISTS; libpq would print a notice each time.
    let text = format!(
        "SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint) AS xid,
            set_config('client_min_messages', 'warning', true), {NO_JIT}, {ROOM_FOR_JOINS}, {IDLE_IN_TRANSACTION}{lock_timeout}{plan}"
    );
    let begun: Begun = kept(&text, &binds).get_result(connection)?;
    Ok(begun.xid)
}

/// Whether who is connected may give transactions and checkpoints times.
pub(super) fn may_say_when(connection: &mut PgConnection) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct May {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        may: bool,
    }
    let may: May = diesel::sql_query(
        "SELECT has_table_privilege('transactions', 'INSERT') AND has_column_privilege('checkpoints', 'created_at', 'INSERT') AS may",
    )
    .get_result(connection)?;
    Ok(may.may)
}

/// The key of the platform's chain is "stratach" in ASCII; that of a run is its lock row, as for its writers.
pub(super) fn enter_chain(connection: &mut PgConnection, chain: i64) -> QueryResult<()> {
    let text = match chain {
        0 => "SELECT pg_advisory_xact_lock(8319119884156887912 + $1)",
        _ => "SELECT 1 FROM run_locks WHERE run_id = $1 FOR NO KEY UPDATE",
    };
    diesel::sql_query(text)
        .bind::<BigInt, _>(chain)
        .execute(connection)
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_added_to_any_url_and_replace_none() {
        let all = "connect_timeout=10&keepalives_idle=10&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=25000";
        for (url, expected) in [
            ("postgresql://host/db", format!("postgresql://host/db?{all}")),
            ("postgresql://host", format!("postgresql://host?{all}")),
            ("postgres:///db", format!("postgres:///db?{all}")),
            ("postgresql://host/db?", format!("postgresql://host/db?{all}")),
            (
                "postgresql:///db?host=/run/postgresql",
                format!("postgresql:///db?host=/run/postgresql&{all}"),
            ),
            (
                "postgresql://me:a?b@host/db",
                format!("postgresql://me:a?b@host/db?{all}"),
            ),
            (
                "postgresql://host/db?connect_timeout=2&tcp_user_timeout=900",
                "postgresql://host/db?connect_timeout=2&tcp_user_timeout=900&keepalives_idle=10&keepalives_interval=5&keepalives_count=3"
                    .to_owned(),
            ),
        ] {
            assert_eq!(with_timeouts(url), expected);
        }
        let nothing_to_add = format!("postgresql://host/db?{all}");
        assert_eq!(with_timeouts(&nothing_to_add), nothing_to_add);
    }
}
