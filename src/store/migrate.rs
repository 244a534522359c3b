//! Migrations: immutable SQL text under `migrations/`, the same version names for both engines.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::{Error, Result};
use crate::schema::TableDescription;
use crate::store::postgres::roles::{self, Roles, RolesError};
use crate::store::{AnyConnection, Engine, Store, batch, doing};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The revisions of this program, oldest first.
pub(crate) fn known_revisions() -> std::result::Result<Vec<String>, BoxError> {
    revisions::<diesel::sqlite::Sqlite>(&SQLITE)
}

fn revisions<DB: diesel::backend::Backend>(
    source: &impl MigrationSource<DB>,
) -> std::result::Result<Vec<String>, BoxError> {
    let mut names: Vec<_> = source
        .migrations()?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    names.sort();
    Ok(names)
}

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    found: bool,
}

#[derive(QueryableByName)]
struct Revision {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

/// The revisions that a database has had, oldest first; none when it is not stratalog's yet.
fn applied(connection: &mut AnyConnection) -> QueryResult<Vec<String>> {
    let exists = match connection {
        AnyConnection::Sqlite(_) => {
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '__diesel_schema_migrations') AS found"
        }
        AnyConnection::Postgres(_) => {
            "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS found"
        }
    };
    let exists: Exists = diesel::sql_query(exists).get_result(connection)?;
    if !exists.found {
        return Ok(Vec::new());
    }
    let revisions: Vec<Revision> = diesel::sql_query(
        "SELECT CAST(version AS TEXT) AS version FROM __diesel_schema_migrations ORDER BY version",
    )
    .load(connection)?;
    Ok(revisions
        .into_iter()
        .map(|revision| revision.version)
        .collect())
}

/// Whether it is a SQLite database without any table: a new file, which opening migrates. Asked of the
/// database, because a file that another process is just making is not empty any more.
pub(crate) fn is_new(store: &Store) -> Result<bool> {
    let mut connection = store.connection()?;
    let AnyConnection::Sqlite(connection) = &mut **connection else {
        return Ok(false);
    };
    let exists: Exists = diesel::sql_query("SELECT EXISTS (SELECT 1 FROM sqlite_schema) AS found")
        .get_result(connection)
        .map_err(crate::store::doing("looking whether the database is new"))?;
    Ok(!exists.found)
}

/// Checks that the database is at this program's revision.
pub(crate) fn check(store: &Store) -> Result<()> {
    let failed = |source: BoxError| Error::Migration {
        url: store.location().to_string(),
        source,
    };
    let expected = known_revisions().map_err(failed)?;
    let found = store.read(|connection| {
        applied(connection).map_err(crate::store::doing("reading the schema's revision"))
    })?;
    if found == expected {
        return Ok(());
    }
    let shown = |revisions: &[String]| revisions.last().map_or("none", String::as_str).to_owned();
    let (url, found_text, expected_text) = (
        store.location().to_string(),
        shown(&found),
        shown(&expected),
    );
    if found.iter().any(|revision| !expected.contains(revision)) {
        Err(Error::SchemaTooNew {
            url,
            found: found_text,
            expected: expected_text,
        })
    } else {
        Err(Error::SchemaOutdated {
            url,
            found: found_text,
            expected: expected_text,
        })
    }
}

/// Brings the database to this program's revision; returns the revisions that were applied.
///
/// All of it is one database transaction, and a second process that migrates at the same time waits
/// for the first and then finds nothing to do.
pub(crate) fn migrate(store: &Store, roles: Option<&Roles>) -> Result<Vec<String>> {
    let url = || store.location().to_string();
    let mut connection = store.connection()?;
    let applied = match &mut **connection {
        AnyConnection::Sqlite(_) if roles.is_some() => {
            return Err(Error::Roles {
                url: url(),
                problem:
                    "SQLite has no roles: whoever can write the file can change all that is in it. \
                          Use PostgreSQL, or keep the file where only those write who may"
                        .into(),
            });
        }
        AnyConnection::Sqlite(connection) => {
            connection.immediate_transaction(|connection| run_pending(connection, SQLITE))
        }
        AnyConnection::Postgres(connection) => connection.transaction(|connection| {
            connection.batch_execute(POSTGRES_ENTER_DDL)?;
            if let Some(roles) = roles {
                roles::make(connection, roles)?;
            }
            let applied = run_pending(connection, POSTGRES)?;
            let roles = match roles {
                Some(roles) => vec![roles.clone()],
                None if applied.is_empty() => Vec::new(),
                None => roles::present(connection)?,
            };
            for roles in &roles {
                roles::apply(connection, roles)?;
            }
            Ok(applied)
        }),
    };
    applied.map_err(|error| match error {
        MigrateError::Roles(problem) => Error::Roles {
            url: url(),
            problem,
        },
        MigrateError::Other(source) => Error::Migration { url: url(), source },
    })
}

/// Makes a table that a program described (and that may refer to `tables`), in the running database transaction. On PostgreSQL it belongs
/// to whom the points belong to, and may be used by the same roles.
pub(crate) fn make_table(
    engine: Engine,
    connection: &mut AnyConnection,
    table: &TableDescription,
    tables: &[TableDescription],
) -> Result<()> {
    if let AnyConnection::Postgres(connection) = connection
        && let Some(problem) =
            roles::why_no_new_table(connection).map_err(doing("asking who may add a table"))?
    {
        return Err(Error::InvalidDescription {
            table: table.name.clone(),
            problem,
        });
    }
    batch(connection, &engine.create_table(table, tables))?;
    match connection {
        AnyConnection::Sqlite(_) => Ok(()),
        AnyConnection::Postgres(connection) => {
            roles::adopt(connection, table).map_err(doing("giving a new table to its owner"))
        }
    }
}

/// One process at a time: the key is "stratalo" in ASCII, and one lock for the server is enough for so
/// rare a thing. Functions keep the search path they are made with: our schema, then `pg_temp`.
const POSTGRES_ENTER_DDL: &str = "SELECT pg_advisory_xact_lock(8319119884157021295);
    SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)";

/// At the begin of a database transaction that makes tables. On SQLite the write lock is enough.
pub(crate) fn enter_ddl(connection: &mut AnyConnection) -> Result<()> {
    match connection {
        AnyConnection::Sqlite(_) => Ok(()),
        AnyConnection::Postgres(connection) => connection
            .batch_execute(POSTGRES_ENTER_DDL)
            .map_err(crate::store::doing("locking the schema")),
    }
}

enum MigrateError {
    Roles(String),
    Other(BoxError),
}

impl From<diesel::result::Error> for MigrateError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Other(Box::new(error))
    }
}

impl From<RolesError> for MigrateError {
    fn from(error: RolesError) -> Self {
        Self::Roles(error.to_string())
    }
}

fn run_pending<C, DB>(
    connection: &mut C,
    source: EmbeddedMigrations,
) -> std::result::Result<Vec<String>, MigrateError>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let versions = connection
        .run_pending_migrations(source)
        .map_err(MigrateError::Other)?;
    Ok(versions.iter().map(MigrationVersion::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_have_the_same_revisions() {
        let sqlite = revisions::<diesel::sqlite::Sqlite>(&SQLITE);
        let postgres = revisions::<diesel::pg::Pg>(&POSTGRES);
        assert_eq!(sqlite.ok(), postgres.ok());
        assert!(known_revisions().is_ok_and(|revisions| !revisions.is_empty()));
    }
}
