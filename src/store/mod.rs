//! The engines. **Invariant:** no other module asks which engine it is on.
//!
//! A [`Store`] hands out pooled connections and runs short database transactions on them. What the
//! engines do differently (connecting, DDL, bulk loading, exact comparison, error texts) is behind
//! [`Engine`]; SQL elsewhere is common to both.

pub(crate) mod bell;
pub(crate) mod bulk;
pub(crate) mod clock;
mod connection;
mod doctor;
mod error;
pub(crate) mod failpoint;
pub(crate) mod foreign;
pub(crate) mod fork;
pub(crate) mod kept;
mod location;
mod log_row;
pub(crate) mod migrate;
pub(crate) mod named;
pub(crate) mod postgres;
pub(crate) mod presence;
pub(crate) mod removal;
pub(crate) mod rows;
mod space;
pub(crate) mod sqlite;
mod transaction;
mod workers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use diesel::connection::SimpleConnection;

use crate::error::{Error, Result};
use crate::schema::{
    Column, ColumnType, END_TRANSACTION_ID, TRANSACTION_ID, TableDescription, tables,
};

pub(crate) use connection::{AnyConnection, PooledConnection};
pub(crate) use error::{doing, is_lock_refusal, is_unique_violation};
pub(crate) use location::Location;
pub(crate) use log_row::NewTransaction;
pub(crate) use postgres::roles::Roles;
pub(crate) use transaction::{Outcome, Patience};

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded, one file.
    Sqlite,
    /// A server.
    Postgres,
}

/// How the library's own bulk writes get their version rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BulkRecording {
    /// By statements of the library, while the row triggers stand aside.
    SetBased,
    /// By statement triggers, which are set-based already.
    Triggers,
}

impl Engine {
    /// SQL that is true when two expressions of a type differ: null-safe, and exact for floats.
    pub(crate) fn differs(self, column_type: ColumnType, a: &str, b: &str) -> String {
        match self {
            Self::Sqlite => sqlite::sql::differs(column_type, a, b),
            Self::Postgres => postgres::sql::differs(column_type, a, b),
        }
    }

    /// SQL that is true when any of the columns differs between two row aliases; `false` without columns.
    pub(crate) fn any_differs<'a>(
        self,
        columns: impl Iterator<Item = &'a Column>,
        a: &str,
        b: &str,
    ) -> String {
        let terms: Vec<_> = columns
            .map(|column| {
                let name = quote(&column.name);
                self.differs(
                    column.column_type,
                    &format!("{a}.{name}"),
                    &format!("{b}.{name}"),
                )
            })
            .collect();
        if terms.is_empty() {
            "1 = 0".to_owned()
        } else {
            format!("({})", terms.join(" OR "))
        }
    }

    /// SQL that is true when an integer expression is one of a list bound as text with [`list_of`](Self::list_of).
    pub(crate) fn is_in_list(self, expression: &str, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("{expression} IN (SELECT value FROM json_each({parameter}))"),
            Self::Postgres => format!("{expression} = ANY (CAST({parameter} AS bigint[]))"),
        }
    }

    /// A list of integers as one parameter, however long it is.
    pub(crate) fn list_of(self, ids: &[i64]) -> String {
        let ids = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Sqlite => format!("[{ids}]"),
            Self::Postgres => format!("{{{ids}}}"),
        }
    }

    /// SQL that is true when a text expression is one of a list bound as a JSON array.
    pub(crate) fn is_in_texts(self, expression: &str, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("{expression} IN (SELECT value FROM json_each({parameter}))"),
            Self::Postgres => format!(
                "{expression} = ANY (ARRAY(SELECT json_array_elements_text(CAST({parameter} AS json))))"
            ),
        }
    }

    /// What makes a query find a table's version rows by their transaction, after the table's alias.
    ///
    /// Without statistics SQLite takes a run for ten rows, which it would rather read from the primary key than
    /// find by the index and look up. PostgreSQL knows better.
    pub(crate) fn by_transaction(self, table: &TableDescription) -> String {
        match self {
            Self::Sqlite => format!("INDEXED BY {}", quote(&table.changes_index())),
            Self::Postgres => String::new(),
        }
    }

    /// Joins the version row that was the last of the key `k` at a transaction, as `alias`, if the condition holds for it.
    /// No other version of it is read.
    pub(crate) fn join_last_version(
        self,
        table: &TableDescription,
        alias: &str,
        at: &str,
        condition: impl Fn(&str) -> String,
    ) -> String {
        let of_key = |alias| keys_equal(table, alias, "k");
        match self {
            Self::Sqlite => format!(
                "LEFT JOIN {version} {alias} ON {} AND {alias}.\"{TRANSACTION_ID}\" =
                   (SELECT max(w.\"{TRANSACTION_ID}\") FROM {version} w WHERE {} AND w.\"{TRANSACTION_ID}\" <= {at})
                   AND {}",
                of_key(alias),
                of_key("w"),
                condition(alias),
                version = quote(&table.version_name()),
            ),
            Self::Postgres => format!(
                "LEFT JOIN {} {alias} ON true",
                postgres::sql::last_version(table, "k", Some(at), "w.*", &condition("w")),
            ),
        }
    }

    /// After `INSERT` or `UPDATE`: when the statement fails, what it has written so far stays until the transaction is rolled
    /// back, which a [transaction](Store::transaction) is after any error.
    ///
    /// SQLite would otherwise copy each page aside before a statement changes it, in case only that statement is to be
    /// taken back. PostgreSQL has no such thing.
    pub(crate) fn or_fail(self) -> &'static str {
        match self {
            Self::Sqlite => " OR FAIL",
            Self::Postgres => "",
        }
    }

    /// Whether all writers wait for each other, so that transactions end in the order of their ids.
    pub(crate) fn has_one_writer(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::Postgres => false,
        }
    }

    /// What keeps a column of a condition from being looked for by an index, before its name.
    ///
    /// SQLite would find a whole state by the index on transactions, look up each row, and sort them: five times as
    /// long as to read the rows as they lie there.
    pub(crate) fn not_by_index(self) -> &'static str {
        match self {
            Self::Sqlite => "+",
            Self::Postgres => "",
        }
    }

    /// Narrows version rows that were found by their transaction to those without an end, beginning with AND, if that spares
    /// anything: SQLite has the keys in the index, and would look up each row for its end.
    pub(crate) fn is_open_if_at_hand(self, alias: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" AND {alias}.\"{END_TRANSACTION_ID}\" IS NULL"),
        }
    }

    /// A time as the engine shows it (UTC), of microseconds since 1970-01-01.
    pub(crate) fn time_of_microseconds(self, expression: &str) -> String {
        match self {
            Self::Sqlite => sqlite::sql::time_of_microseconds(expression),
            Self::Postgres => {
                format!("(timestamp '1970-01-01' + {expression} * interval '1 microsecond')")
            }
        }
    }

    pub(crate) fn bulk_recording(self) -> BulkRecording {
        match self {
            Self::Sqlite => BulkRecording::SetBased,
            Self::Postgres => BulkRecording::Triggers,
        }
    }

    /// The DDL of a table: the table, its version table, indexes, triggers, views. `tables`: those that it may
    /// refer to.
    pub fn create_table(self, table: &TableDescription, tables: &[TableDescription]) -> String {
        let ddl = match self {
            Self::Sqlite => sqlite::ddl::create_table(table),
            Self::Postgres => postgres::ddl::create_table(table),
        };
        ddl + &named::create_views(self, table, tables)
    }

    /// The DDL of a platform that has these versioned tables, its own among them.
    pub(crate) fn schema_with(self, versioned: &[TableDescription]) -> String {
        let own = tables::versioned();
        let described = versioned
            .iter()
            .filter(|table| !own.iter().any(|o| o.name == table.name));
        self.initial_schema()
            + &described
                .map(|table| self.create_table(table, versioned))
                .collect::<String>()
    }

    /// The DDL of a whole new platform.
    pub(crate) fn initial_schema(self) -> String {
        let bookkeeping = match self {
            Self::Sqlite => sqlite::ddl::bookkeeping(),
            Self::Postgres => postgres::ddl::bookkeeping(),
        };
        let versioned = tables::versioned();
        bookkeeping
            + &versioned
                .iter()
                .map(|table| self.create_table(table, &versioned))
                .collect::<String>()
    }
}

/// An identifier in SQL. Identifiers come from checked descriptions only.
pub(crate) fn quote(identifier: &str) -> String {
    format!("\"{identifier}\"")
}

/// `a."x", a."y"` for the columns of a description.
pub(crate) fn column_list<'a>(alias: &str, columns: impl Iterator<Item = &'a Column>) -> String {
    let prefix = if alias.is_empty() {
        String::new()
    } else {
        format!("{alias}.")
    };
    columns
        .map(|c| format!("{prefix}{}", quote(&c.name)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `a."k1" = b."k1" AND …` for the key of a table.
pub(crate) fn keys_equal(table: &TableDescription, a: &str, b: &str) -> String {
    table
        .key
        .iter()
        .map(|key| format!("{a}.{0} = {b}.{0}", quote(key)))
        .collect::<Vec<_>>()
        .join(" AND ")
}

/// `"v1" = from."v1", …` for the values of a table.
pub(crate) fn values_from(table: &TableDescription, from: &str) -> String {
    table
        .value_columns()
        .map(|column| format!("{0} = {from}.{0}", quote(&column.name)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What follows an `INSERT` that gives rows which are there other values.
pub(crate) fn or_update(table: &TableDescription) -> String {
    format!(
        " ON CONFLICT ({}) DO UPDATE SET {}",
        column_list("", table.key_columns()),
        values_from(table, "excluded")
    )
}

/// One opened database.
pub(crate) struct Store {
    location: Location,
    pool: r2d2::Pool<connection::Manager>,
    /// The server could not be reached when it was last tried: the next call does not wait long for it.
    away: AtomicBool,
}

impl Store {
    pub(crate) fn open(location: Location, pool_size: u32) -> Result<Self> {
        let pool = connection::pool(&location, pool_size)?;
        Ok(Self {
            location,
            pool,
            away: AtomicBool::new(false),
        })
    }

    pub(crate) fn engine(&self) -> Engine {
        self.location.engine()
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// A connection that answers, or did a moment ago: who uses it can repeat what he asks. Waits for a server that is restarting, but not in every call again.
    pub(crate) fn connection(&self) -> Result<PooledConnection> {
        let started = Instant::now();
        let was_away = self.away.load(Ordering::Relaxed);
        loop {
            match self.pool.get() {
                Ok(connection) => {
                    self.away.store(false, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(_) if !was_away && started.elapsed() < connection::KEEP_ASKING => {}
                Err(source) => {
                    // Connections that are all in use are another matter.
                    let away = self.pool.state().connections == 0;
                    self.away.store(away, Ordering::Relaxed);
                    return Err(Error::Connection {
                        url: self.location.to_string(),
                        source: Box::new(source),
                    });
                }
            }
        }
    }
}

/// Generated SQL with parameters `$1`, `$2` …, for either engine.
///
/// SQLite takes `$1` for a name and numbers parameters by where they first appear: they must appear in order.
pub(crate) fn sql(text: impl Into<String>) -> diesel::query_builder::SqlQuery {
    let text = text.into();
    debug_assert!(
        parameters_are_in_order(&text),
        "parameters out of order: {text}"
    );
    diesel::sql_query(text)
}

fn parameters_are_in_order(text: &str) -> bool {
    let mut seen = 0;
    text.split('$').skip(1).all(|rest| {
        let digits = rest
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        let number = digits.parse().unwrap_or(0);
        seen = seen.max(if number == seen + 1 { number } else { seen });
        number <= seen
    })
}

impl Store {
    /// Whether who is connected may say when a transaction or a checkpoint was made, which is for the owner of the
    /// tables.
    pub(crate) fn may_say_when(&self) -> Result<bool> {
        self.ask(|connection| {
            match connection {
                AnyConnection::Sqlite(_) => Ok(true),
                AnyConnection::Postgres(connection) => postgres::may_say_when(connection),
            }
            .map_err(doing("asking for rights"))
        })
    }
}

/// Keeps others from linking in a hash chain until the running transaction ends: run 0 is the platform's chain. On
/// SQLite there is one writer anyway.
pub(crate) fn enter_chain(connection: &mut AnyConnection, chain: i64) -> Result<()> {
    match connection {
        AnyConnection::Sqlite(_) => Ok(()),
        AnyConnection::Postgres(connection) => postgres::enter_chain(connection, chain),
    }
    .map_err(doing("waiting for a hash chain"))
}

/// Runs SQL text without parameters.
pub(crate) fn batch(connection: &mut AnyConnection, sql: &str) -> Result<()> {
    connection.batch_execute(sql).map_err(doing("running SQL"))
}
