//! Statements that are kept prepared: to compile one with all the triggers that it may fire takes longer than a small
//! write does.

use diesel::deserialize::QueryableByName;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Double, Text, Timestamp, Untyped};
use diesel::sqlite::Sqlite;

use crate::store::rows::Bind;

/// SQL with parameters `$1`, `$2` … What diesel's `sql_query` is, but that its connection keeps it by its text.
struct Kept<'a> {
    text: &'a str,
    binds: &'a [Bind],
}

impl QueryId for Kept<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Kept<'_> {
    type SqlType = Untyped;
}

impl<Conn> diesel::query_dsl::RunQueryDsl<Conn> for Kept<'_> {}

impl QueryFragment<Sqlite> for Kept<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut parts = self.text.split('$');
        out.push_sql(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = part.split_at(digits);
            let number: usize = number.parse().unwrap_or_default();
            match number.checked_sub(1).and_then(|nth| self.binds.get(nth)) {
                Some(Bind::BigInt(value)) => out.push_bind_param::<BigInt, _>(value)?,
                Some(Bind::Double(value)) => out.push_bind_param::<Double, _>(value)?,
                Some(Bind::Text(value)) => out.push_bind_param::<Text, _>(value)?,
                Some(Bind::Timestamp(value)) => out.push_bind_param::<Timestamp, _>(value)?,
                None => {
                    let problem = format!("no value for ${number} in {}", self.text);
                    return Err(diesel::result::Error::QueryBuilderError(problem.into()));
                }
            }
            out.push_sql(rest);
        }
        Ok(())
    }
}

/// Runs a statement; returns how many rows it wrote.
pub(crate) fn execute(
    connection: &mut SqliteConnection,
    text: &str,
    binds: &[Bind],
) -> QueryResult<usize> {
    Kept { text, binds }.execute(connection)
}

/// Runs a query that yields one row.
pub(crate) fn get<T: QueryableByName<Sqlite> + 'static>(
    connection: &mut SqliteConnection,
    text: &str,
    binds: &[Bind],
) -> QueryResult<T> {
    Kept { text, binds }.get_result(connection)
}
