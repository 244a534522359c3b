//! A database of another program, opened to be read.
//!
//! **Invariant:** nothing is ever written to it: an SQLite file is opened read-only, on PostgreSQL the session is.
//! All is read on one snapshot, whatever its own program writes meanwhile.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use arrow::array::{AsArray, RecordBatch};

use crate::error::{Error, Result};
use crate::schema::{Column, ColumnType};
use crate::store::rows::{select, stream};
use crate::store::{AnyConnection, Engine, Location, postgres};

/// How many rows are handed on at once.
const ROWS_AT_ONCE: usize = 1 << 16;

/// One opened database.
pub(crate) struct Foreign {
    connection: AnyConnection,
    location: Location,
    /// The time zone of its sessions by default; none on SQLite.
    time_zone: Option<String>,
}

impl Foreign {
    /// Opens what a URL of SQLAlchemy names (`postgresql+psycopg://…` among them), or a path.
    pub(crate) fn open(url: &str) -> Result<Self> {
        let location = Location::parse(&without_driver(url))?;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Connection {
            url: location.to_string(),
            source,
        };
        let mut connection = match &location {
            Location::Memory => {
                return Err(Error::InvalidUrl {
                    url: location.to_string(),
                    problem: "a database in memory has nothing in it: name a file or a server"
                        .into(),
                });
            }
            Location::File(path) => {
                if !path.is_file() {
                    return Err(Error::InvalidUrl {
                        url: location.to_string(),
                        problem: "there is no such file: check the path".into(),
                    });
                }
                let url = read_only_url(path)?;
                let connection =
                    SqliteConnection::establish(&url).map_err(|source| failed(Box::new(source)))?;
                AnyConnection::Sqlite(connection)
            }
            Location::Server(_) => AnyConnection::Postgres(postgres::connect(&location)?),
        };
        let begin = match location.engine() {
            Engine::Sqlite => {
                "PRAGMA query_only = ON; PRAGMA busy_timeout = 60000; BEGIN; SELECT 1 FROM sqlite_master"
            }
            // Its snapshot lasts as long as what is made of it, on which nobody waits.
            Engine::Postgres => {
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; \
                 SET idle_in_transaction_session_timeout = 0; \
                 BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off"
            }
        };
        connection
            .batch_execute(begin)
            .map_err(|source| failed(Box::new(source)))?;
        let mut foreign = Self {
            connection,
            location,
            time_zone: None,
        };
        if foreign.engine() == Engine::Postgres {
            // What it would be without diesel, which sets it to UTC for the session.
            let zone = foreign.select(
                "SELECT reset_val AS zone FROM pg_settings WHERE name = 'TimeZone'",
                &[Column::of_result("zone", ColumnType::Text)],
            )?;
            let zone = zone.column(0).as_string::<i32>().iter().next().flatten();
            foreign.time_zone = zone.map(str::to_owned);
        }
        Ok(foreign)
    }

    pub(crate) fn engine(&self) -> Engine {
        self.location.engine()
    }

    /// Its URL or path, without a password.
    pub(crate) fn url(&self) -> String {
        self.location.to_string()
    }

    /// Whether it has a table.
    pub(crate) fn has_table(&mut self, name: &str) -> Result<bool> {
        let text = match self.engine() {
            Engine::Sqlite => {
                format!(
                    "SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = '{name}'"
                )
            }
            Engine::Postgres => {
                format!("SELECT 1 AS one WHERE to_regclass('\"{name}\"') IS NOT NULL")
            }
        };
        let found = self.select(&text, &[Column::of_result("one", ColumnType::Integer)])?;
        Ok(found.num_rows() > 0)
    }

    /// The columns of a query by name, all rows of it.
    pub(crate) fn select(&mut self, text: &str, columns: &[Column]) -> Result<RecordBatch> {
        select(&mut self.connection, text, &[], columns)
    }

    /// Hands the rows of a query on, a part at once.
    pub(crate) fn stream(
        &mut self,
        text: &str,
        columns: &[Column],
        each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        stream(&mut self.connection, text, columns, ROWS_AT_ONCE, each)
    }

    /// SQL for the time in UTC of a column that was filled by the database's own clock: PostgreSQL's `now()` in a
    /// column without time zone is the session's time, taken to be the one that a session has here by default.
    pub(crate) fn utc(&self, expression: &str) -> String {
        match &self.time_zone {
            None => expression.to_owned(),
            Some(zone) => format!(
                "(({expression}) AT TIME ZONE '{}' AT TIME ZONE 'UTC')",
                zone.replace('\'', "''")
            ),
        }
    }
}

/// SQLAlchemy names the driver too: `postgresql+psycopg://`, `sqlite+pysqlite://`.
fn without_driver(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let scheme = scheme.split_once('+').map_or(scheme, |(engine, _)| engine);
            format!("{scheme}://{rest}")
        }
        None => url.to_owned(),
    }
}

/// <https://www.sqlite.org/uri.html>
fn read_only_url(path: &std::path::Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::InvalidUrl {
        url: path.display().to_string(),
        problem: "the path is not UTF-8".into(),
    })?;
    let escaped = text
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    Ok(format!("file:{escaped}?mode=ro"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_left_out_of_urls() {
        for (url, plain) in [
            ("postgresql+psycopg://me@host/db", "postgresql://me@host/db"),
            ("postgresql://host/a+b", "postgresql://host/a+b"),
            ("sqlite+pysqlite:///a.db", "sqlite:///a.db"),
            ("a+b.db", "a+b.db"),
        ] {
            assert_eq!(without_driver(url), plain);
        }
    }
}
