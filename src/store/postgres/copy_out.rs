//! `COPY (…) TO STDOUT` in the binary format: each row is taken as it comes, while the server makes those after it.
//!
//! Format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format"; one message for each row:
//! <https://www.postgresql.org/docs/current/protocol-flow.html>, "COPY Operations".

use std::io::BufRead;

use diesel::connection::SimpleConnection;
use diesel::deserialize;
use diesel::pg::CopyFormat;
use diesel::prelude::*;

use crate::store::postgres::copy::{RunTimeTarget, SIGNATURE};

/// How many bytes come before the first row: the signature, flags, and the length of an extension, of which there is none.
const HEADER: usize = SIGNATURE.len() + 8;

/// Comes after the last row.
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// What became of a query.
#[derive(PartialEq, Eq)]
pub(crate) enum Ended {
    /// All its rows came.
    AtItsEnd,
    /// Something went wrong in between. The server said what, but diesel does not ask; the transaction is as it was
    /// before.
    Before,
}

/// Hands each row of a query without parameters on, in the transaction that is open.
pub(crate) fn rows(
    connection: &mut PgConnection,
    settings: &str,
    query: &str,
    mut each: impl FnMut(Fields<'_>) -> deserialize::Result<()>,
) -> QueryResult<Ended> {
    connection.batch_execute(&format!("{settings}; SAVEPOINT stratalog_copy"))?;
    let target = RunTimeTarget::new(&format!("({query})"));
    let copy = diesel::copy_to(target).with_format(CopyFormat::Binary);
    let ended = receive(copy.load_raw(connection)?, &mut each)?;
    // By this diesel's connection is ready for other statements again; it fails if the server has failed.
    let released = connection.batch_execute("RELEASE SAVEPOINT stratalog_copy");
    if ended == Ended::AtItsEnd && released.is_ok() {
        return Ok(Ended::AtItsEnd);
    }
    // Without a connection this fails, as whatever comes next.
    let _ = connection.batch_execute("ROLLBACK TO SAVEPOINT stratalog_copy");
    Ok(Ended::Before)
}

fn receive(
    mut messages: impl BufRead,
    each: &mut impl FnMut(Fields<'_>) -> deserialize::Result<()>,
) -> QueryResult<Ended> {
    let mut before = HEADER;
    loop {
        let Ok(message) = messages.fill_buf() else {
            return Ok(Ended::Before);
        };
        let length = message.len();
        if length == 0 {
            return Ok(Ended::Before);
        }
        let row = message.get(before..).ok_or_else(|| malformed("header"))?;
        before = 0;
        if row == TRAILER {
            return Ok(Ended::AtItsEnd);
        }
        let fields = row.get(2..).ok_or_else(|| malformed("row"))?;
        each(Fields(fields)).map_err(diesel::result::Error::DeserializationError)?;
        messages.consume(length);
    }
}

fn malformed(what: &str) -> diesel::result::Error {
    diesel::result::Error::DeserializationError(format!("a malformed {what} from COPY").into())
}

/// The fields of a row; `None`: NULL.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self) -> deserialize::Result<Option<&'a [u8]>> {
        let (length, rest) = self.0.split_first_chunk().ok_or("a row ends early")?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.0 = rest;
            return Ok(None);
        };
        let (field, rest) = rest.split_at_checked(length).ok_or("a field ends early")?;
        self.0 = rest;
        Ok(Some(field))
    }
}
