//! Databases for tests.

use diesel::prelude::*;
use stratalog::{Engine, Platform, PlatformOptions};
use tempfile::TempDir;

/// An empty database of its own, gone when this is dropped.
pub struct Database {
    pub engine: Engine,
    pub url: String,
    _folder: Option<TempDir>,
    schema: Option<(String, String)>,
}

/// Runs a test body once per engine: `both_engines! { fn name(database: &Database) { … } }`.
#[macro_export]
macro_rules! both_engines {
    ($( $(#[$meta:meta])* fn $name:ident($database:ident: &Database) $body:block )+) => {
        $(
            mod $name {
                #[allow(unused_imports)]
                use super::*;
                $(#[$meta])*
                fn body($database: &$crate::support::Database) $body

                #[test]
                fn sqlite() {
                    body(&$crate::support::Database::sqlite());
                }

                #[test]
                fn postgres() {
                    body(&$crate::support::Database::postgres());
                }
            }
        )+
    };
}

impl Database {
    pub fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::sqlite(),
            Engine::Postgres => Self::postgres(),
        }
    }

    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = folder
            .path()
            .join("test.db")
            .to_str()
            .expect("UTF-8")
            .to_owned();
        Self {
            engine: Engine::Sqlite,
            url,
            _folder: Some(folder),
            schema: None,
        }
    }

    /// A schema of its own on the test server, migrated.
    pub fn postgres() -> Self {
        let database = Self::empty(Engine::Postgres);
        Platform::migrate(&database.url).expect("migrating");
        database
    }

    /// Nothing there yet: no file, or a schema without tables.
    pub fn empty(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::sqlite(),
            Engine::Postgres => Self::postgres_schema(),
        }
    }

    /// A missing server is a failure, never skipped.
    fn postgres_schema() -> Self {
        let server = std::env::var("STRATALOG_TEST_POSTGRES_URL").expect(
            "no PostgreSQL to test on: run the tests with `make test` or through tests/with-postgres, \
             or set STRATALOG_TEST_POSTGRES_URL",
        );
        let schema = format!("test_{}", uuid());
        let mut connection = PgConnection::establish(&server).expect("the test server");
        diesel::sql_query(format!("CREATE SCHEMA {schema}"))
            .execute(&mut connection)
            .expect("making a schema");
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!(
            "{server}{separator}options=-csearch_path%3D{schema}&application_name={schema}"
        );
        Self {
            engine: Engine::Postgres,
            url,
            _folder: None,
            schema: Some((server, schema)),
        }
    }

    /// The same database for somebody else; it is not dropped with this.
    pub fn at(&self, url: String) -> Self {
        Self {
            engine: self.engine,
            url,
            _folder: None,
            schema: None,
        }
    }

    pub fn open(&self) -> Platform {
        self.open_with(Platform::options())
    }

    pub fn open_with(&self, options: PlatformOptions) -> Platform {
        options
            .pool_size(4)
            .open(&self.url)
            .expect("opening the platform")
    }

    /// A plain connection, as anybody with an SQL shell has it.
    pub fn plain(&self) -> Plain {
        Plain::open(self.engine, &self.url)
    }
}

/// How many rows each of stratalog's tables has: what a refused call must leave as it is.
pub type RowCounts = Vec<(String, i64)>;

impl Database {
    pub fn row_counts(&self) -> RowCounts {
        use stratalog::schema::tables;
        let mut plain = self.plain();
        let versions = tables::versioned()
            .into_iter()
            .map(|table| table.version_name());
        tables::bookkeeping()
            .into_iter()
            .chain(tables::versioned())
            .map(|table| table.name)
            .chain(versions)
            .map(|table| {
                let rows = plain.number(&format!("SELECT count(*) FROM {table}"));
                (table, rows)
            })
            .collect()
    }

    /// Does what must be refused, checks that nothing was written, and returns the error.
    pub fn refused<T: std::fmt::Debug>(
        &self,
        action: impl FnOnce() -> stratalog::Result<T>,
    ) -> stratalog::Error {
        let before = self.row_counts();
        let error = action().expect_err("this must be refused");
        assert_eq!(
            self.row_counts(),
            before,
            "written, although refused with: {error}"
        );
        error
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, schema)) = &self.schema
            && let Ok(mut connection) = PgConnection::establish(server)
        {
            let _ = diesel::sql_query("SET client_min_messages = warning").execute(&mut connection);
            let _ =
                diesel::sql_query(format!("DROP SCHEMA {schema} CASCADE")).execute(&mut connection);
        }
    }
}

pub fn uuid() -> String {
    use std::hash::{BuildHasher, Hasher};
    // Randomly seeded by the standard library; unique enough for schemas of one server.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}

/// A connection that knows nothing of stratalog.
pub enum Plain {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

impl Plain {
    pub fn open(engine: Engine, url: &str) -> Self {
        match engine {
            Engine::Sqlite => {
                let mut plain = SqliteConnection::establish(url).expect("a plain connection");
                // A pool that was just dropped may still be closing its connections.
                diesel::sql_query("PRAGMA busy_timeout = 10000")
                    .execute(&mut plain)
                    .expect("setting a timeout");
                Self::Sqlite(plain)
            }
            Engine::Postgres => {
                Self::Postgres(PgConnection::establish(url).expect("a plain connection"))
            }
        }
    }

    pub fn run(&mut self, sql: &str) -> QueryResult<()> {
        use diesel::connection::SimpleConnection;
        match self {
            Self::Sqlite(connection) => connection.batch_execute(sql),
            Self::Postgres(connection) => connection.batch_execute(sql),
        }
    }

    /// The one number that a query yields.
    pub fn number(&mut self, sql: &str) -> i64 {
        let query = diesel::sql_query(format!("SELECT CAST(({sql}) AS BIGINT) AS number"));
        let number: Number = match self {
            Self::Sqlite(connection) => query.get_result(connection),
            Self::Postgres(connection) => query.get_result(connection),
        }
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
        number.number
    }

    /// The texts that a query of one column called `text` yields.
    pub fn texts(&mut self, sql: &str) -> Vec<String> {
        let query = diesel::sql_query(sql);
        let rows: Vec<Text> = match self {
            Self::Sqlite(connection) => query.load(connection),
            Self::Postgres(connection) => query.load(connection),
        }
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.into_iter().map(|row| row.text).collect()
    }

    /// Runs SQL that must be refused; returns the message.
    pub fn refused(&mut self, sql: &str) -> String {
        match self.run(sql) {
            Ok(()) => panic!("not refused: {sql}"),
            Err(error) => error.to_string(),
        }
    }
}

/// A platform with a run that has one point: region "World", variable "Energy", unit "EJ/yr", 2020, 1.0.
pub struct WithRun {
    pub platform: Platform,
    pub run: stratalog::Run,
}

/// Yearly points of the region, variable and unit of [`WithRun`].
pub fn points(points: &[(i64, f64)]) -> stratalog::Frame {
    stratalog::Frame::yearly(
        points
            .iter()
            .map(|(year, value)| ("World", "Energy", "EJ/yr", *year, *value)),
    )
}

impl WithRun {
    pub fn new(database: &Database) -> Self {
        Self::of(&database.open())
    }

    pub fn of(platform: &Platform) -> Self {
        let platform = platform.clone();
        platform.regions().create("World").expect("a region");
        platform.units().create("EJ/yr").expect("a unit");
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("first point").expect("the lock");
        lock.iamc().add(&points(&[(2020, 1.0)])).expect("a point");
        lock.commit().expect("a checkpoint");
        Self { platform, run }
    }

    /// (year, value) of all points.
    pub fn now(&self) -> Vec<(i64, f64)> {
        years_and_values(
            &self
                .run
                .iamc()
                .tabulate(&stratalog::Filter::all())
                .expect("points"),
        )
    }

    pub fn verify(&self) {
        verify(&self.platform);
    }
}

pub fn verify(platform: &Platform) {
    let report = platform.verify().expect("verifying");
    assert!(report.is_ok(), "{report:#?}");
}

/// (year, value) of tabulated yearly points.
pub fn years_and_values(batch: &stratalog::arrow::array::RecordBatch) -> Vec<(i64, f64)> {
    use stratalog::arrow::array::AsArray;
    use stratalog::arrow::datatypes::{Float64Type, Int64Type};
    let years = batch
        .column_by_name("year")
        .expect("years")
        .as_primitive::<Int64Type>();
    let values = batch
        .column_by_name("value")
        .expect("values")
        .as_primitive::<Float64Type>();
    years
        .values()
        .iter()
        .copied()
        .zip(values.values().iter().copied())
        .collect()
}

impl Plain {
    /// Begins a stratalog transaction of a run by hand, as the documented protocol has it.
    pub fn begin(&mut self, run: i64, token: i64) -> QueryResult<()> {
        if let Self::Sqlite(_) = self {
            self.run("PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; PRAGMA busy_timeout = 20000")?;
            self.run("BEGIN IMMEDIATE")?;
        } else {
            self.run("BEGIN")?;
        }
        self.run(&format!(
            "INSERT INTO transactions (run_id, lock_token, actor, operation, client_uuid)
             VALUES ({run}, {token}, 'shell', 'by hand', '{}')",
            uuid()
        ))
    }

    pub fn commit(&mut self) -> QueryResult<()> {
        if let Self::Sqlite(_) = self {
            self.run("DELETE FROM transaction_context")?;
        }
        self.run("COMMIT")
    }

    pub fn roll_back(&mut self) {
        let _ = self.run("ROLLBACK");
    }
}

/// Switches the guards off, as somebody does who owns the database.
pub fn without_guards(database: &Database, sql: &str) {
    let mut plain = database.plain();
    let triggers = match database.engine {
        Engine::Sqlite => plain.texts(
            "SELECT 'DROP TRIGGER \"' || name || '\"' AS text FROM sqlite_schema WHERE type = 'trigger'",
        ),
        Engine::Postgres => plain.texts(
            "SELECT DISTINCT format('ALTER TABLE %I DISABLE TRIGGER USER', c.relname) AS text
             FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
             WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace",
        ),
    };
    for trigger in triggers {
        plain.run(&trigger).expect("switching off a trigger");
    }
    plain
        .run(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}
