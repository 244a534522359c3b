//! PostgreSQL: the server engine.

pub(crate) mod copy;
pub(crate) mod ddl;
pub(crate) mod sql;

use diesel::prelude::*;

use crate::error::{Error, Result};
use crate::store::Location;

/// Opens a connection.
pub(super) fn connect(location: &Location) -> Result<PgConnection> {
    let Location::Server(url) = location else {
        return Err(Error::InvalidUrl {
            url: location.to_string(),
            problem: "not a PostgreSQL URL".into(),
        });
    };
    PgConnection::establish(url).map_err(|source| Error::Connection {
        url: location.to_string(),
        source: Box::new(source),
    })
}
