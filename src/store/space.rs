//! The room that history takes.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::error::Result;
use crate::schema::TableDescription;
use crate::store::{AnyConnection, Store, batch, doing};

#[derive(QueryableByName)]
struct Bytes {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

impl Store {
    /// Bytes of the database's pages in use (SQLite), or of the version tables with their indexes (PostgreSQL).
    pub(crate) fn history_bytes(&self, tables: &[TableDescription]) -> Result<u64> {
        self.read(|connection| {
            let text = match connection {
                AnyConnection::Sqlite(_) => "SELECT (SELECT page_count FROM pragma_page_count) * page_size
                    - (SELECT freelist_count FROM pragma_freelist_count) * page_size AS bytes FROM pragma_page_size"
                    .to_owned(),
                AnyConnection::Postgres(_) => {
                    let sizes: Vec<_> = tables
                        .iter()
                        .map(|table| format!("pg_total_relation_size('{}')", table.version_name()))
                        .collect();
                    format!("SELECT CAST({} AS bigint) AS bytes", sizes.join(" + "))
                }
            };
            let bytes: Bytes = diesel::sql_query(text)
                .get_result(connection)
                .map_err(doing("asking for the size of the history"))?;
            Ok(bytes.bytes.unsigned_abs())
        })
    }

    /// What is overwritten in the running transaction does not stay in free pages (SQLite; PostgreSQL: see
    /// [`give_back_space`](Self::give_back_space)). Deleting zeroes as well from then on; it costs little.
    pub(crate) fn erase_for_good(&self, connection: &mut AnyConnection) -> Result<()> {
        match connection {
            AnyConnection::Sqlite(_) => batch(connection, "PRAGMA secure_delete = ON"),
            AnyConnection::Postgres(_) => Ok(()),
        }
    }

    /// Makes the room of what was removed usable again, and what was overwritten unreadable: SQLite's write-ahead
    /// log is emptied if nobody reads from it, PostgreSQL's version tables are vacuumed.
    pub(crate) fn give_back_space(&self, tables: &[TableDescription]) -> Result<()> {
        self.ask(|connection| {
            let statements = match connection {
                AnyConnection::Sqlite(_) => vec!["PRAGMA wal_checkpoint(TRUNCATE)".to_owned()],
                AnyConnection::Postgres(_) => tables
                    .iter()
                    .filter(|table| table.is_run_scoped())
                    .map(|table| format!("VACUUM \"{}\"", table.version_name()))
                    .collect(),
            };
            statements
                .iter()
                .try_for_each(|statement| batch(connection, statement))
        })
    }
}
