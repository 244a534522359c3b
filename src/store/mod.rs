//! The engines. **Invariant:** no other module asks which engine it is on.
//!
//! A [`Store`] hands out pooled connections and runs short database transactions on them. What the
//! engines do differently (connecting, DDL, bulk loading, exact comparison, error texts) is behind
//! [`Engine`]; SQL elsewhere is common to both.

pub(crate) mod bulk;
mod connection;
mod error;
mod location;
pub(crate) mod migrate;
pub(crate) mod postgres;
pub(crate) mod rows;
pub(crate) mod sqlite;

use std::time::Duration;

use diesel::connection::SimpleConnection;

use crate::error::{Error, Result};
use crate::schema::{Column, ColumnType, TableDescription};

pub(crate) use connection::{AnyConnection, PooledConnection};
pub(crate) use error::{doing, is_lock_refusal, is_unique_violation};
pub(crate) use location::Location;

/// How often a write that collided with another is repeated before the error is shown.
const ATTEMPTS: u32 = 50;

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

    pub(crate) fn bulk_recording(self) -> BulkRecording {
        match self {
            Self::Sqlite => BulkRecording::SetBased,
            Self::Postgres => BulkRecording::Triggers,
        }
    }

    /// The DDL of a table: the table, its version table, indexes, triggers.
    pub fn create_table(self, table: &TableDescription) -> String {
        match self {
            Self::Sqlite => sqlite::ddl::create_table(table),
            Self::Postgres => postgres::ddl::create_table(table),
        }
    }

    /// The DDL of a whole new platform.
    pub(crate) fn initial_schema(self) -> String {
        match self {
            Self::Sqlite => sqlite::ddl::initial_schema(),
            Self::Postgres => postgres::ddl::initial_schema(),
        }
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

/// One opened database.
pub(crate) struct Store {
    location: Location,
    pool: r2d2::Pool<connection::Manager>,
}

impl Store {
    pub(crate) fn open(location: Location, pool_size: u32) -> Result<Self> {
        let pool = connection::pool(&location, pool_size)?;
        Ok(Self { location, pool })
    }

    pub(crate) fn engine(&self) -> Engine {
        self.location.engine()
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    pub(crate) fn connection(&self) -> Result<PooledConnection> {
        self.pool.get().map_err(|source| Error::Connection {
            url: self.location.to_string(),
            source: Box::new(source),
        })
    }

    /// Runs `work` in a short database transaction that is committed when it returns `Ok`.
    ///
    /// A collision with another writer (serialisation failure, deadlock) repeats the whole of it, so
    /// `work` must not keep anything from an earlier attempt.
    pub(crate) fn transaction<T>(
        &self,
        mut work: impl FnMut(&mut AnyConnection) -> Result<Outcome<T>>,
    ) -> Result<T> {
        let mut connection = self.connection()?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(&mut connection, &mut work) {
                Err(error) if attempt < ATTEMPTS && error::is_transient(&error) => {
                    // Jitter from the process id and the attempt: the others that collided wait differently.
                    let spread = (std::process::id() + attempt * 7) % 13;
                    std::thread::sleep(Duration::from_millis(u64::from(attempt.min(10) + spread)));
                }
                result => return result,
            }
        }
    }

    fn attempt<T>(
        &self,
        connection: &mut PooledConnection,
        work: &mut impl FnMut(&mut AnyConnection) -> Result<Outcome<T>>,
    ) -> Result<T> {
        connection::begin(connection).map_err(doing("beginning a transaction"))?;
        let outcome = work(connection);
        match outcome {
            Ok(Outcome::Commit(value)) => match connection::commit(connection) {
                Ok(()) => {
                    connection::check_kept(&self.location, connection)?;
                    Ok(value)
                }
                Err(source) => {
                    connection::roll_back(connection);
                    Err(doing("committing")(source))
                }
            },
            Ok(Outcome::Nothing(value)) => {
                connection::roll_back(connection);
                Ok(value)
            }
            Err(error) => {
                connection::roll_back(connection);
                Err(error)
            }
        }
    }

    /// Runs `work` on a consistent snapshot of the database that sees no later commits.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&mut AnyConnection) -> Result<T>) -> Result<T> {
        let mut connection = self.connection()?;
        connection::begin_snapshot(&mut connection).map_err(doing("beginning to read"))?;
        let result = work(&mut connection);
        connection::roll_back(&mut connection);
        result
    }
}

/// What becomes of a database transaction.
pub(crate) enum Outcome<T> {
    /// Keep it.
    Commit(T),
    /// Nothing changed: leave no trace.
    Nothing(T),
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

/// Runs SQL text without parameters.
pub(crate) fn batch(connection: &mut AnyConnection, sql: &str) -> Result<()> {
    connection.batch_execute(sql).map_err(doing("running SQL"))
}
