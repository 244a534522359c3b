//! What protects the data, asked of each engine in its own way.

use crate::doctor::Finding;
use crate::error::Result;
use crate::schema::TableDescription;
use crate::store::{AnyConnection, Store, doing, postgres, sqlite};

impl Store {
    /// Looks at the database that has these versioned tables.
    pub(crate) fn examine(&self, versioned: &[TableDescription]) -> Result<Vec<Finding>> {
        self.read(|connection| {
            match connection {
                AnyConnection::Sqlite(connection) => {
                    sqlite::doctor::examine(connection, self.location(), versioned)
                }
                AnyConnection::Postgres(connection) => {
                    postgres::doctor::examine(connection, versioned)
                }
            }
            .map_err(doing("examining the database"))
        })
    }
}
