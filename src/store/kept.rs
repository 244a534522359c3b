//! Statements that a connection keeps prepared: to make one ready, with all that its triggers do, takes longer than a
//! small write does.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Double, HasSqlType, Text, Timestamp, Untyped};

use crate::store::rows::Bind;

/// SQL with parameters `$1`, `$2` … What diesel's `sql_query` is, but that its connection keeps it by its text.
///
/// For texts of which there are few: a connection keeps them until it is closed.
pub(crate) struct Kept<'a> {
    text: &'a str,
    binds: &'a [Bind],
}

pub(crate) fn kept<'a>(text: &'a str, binds: &'a [Bind]) -> Kept<'a> {
    Kept { text, binds }
}

/// What stands before the first parameter, and each parameter's number with what comes after it.
pub(super) fn around_parameters(text: &str) -> (&str, impl Iterator<Item = (usize, &str)>) {
    let mut parts = text.split('$');
    let begin = parts.next().unwrap_or_default();
    let parts = parts.map(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        (number.parse().unwrap_or_default(), rest)
    });
    (begin, parts)
}

impl QueryId for Kept<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Kept<'_> {
    type SqlType = Untyped;
}

impl<Conn> diesel::query_dsl::RunQueryDsl<Conn> for Kept<'_> {}

impl<DB> QueryFragment<DB> for Kept<'_>
where
    DB: Backend + HasSqlType<Timestamp>,
    i64: ToSql<BigInt, DB>,
    f64: ToSql<Double, DB>,
    String: ToSql<Text, DB>,
    chrono::NaiveDateTime: ToSql<Timestamp, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let (begin, parts) = around_parameters(self.text);
        out.push_sql(begin);
        for (number, rest) in parts {
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
