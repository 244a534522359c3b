//! The row in `transactions` with which a stratalog transaction begins.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::schema::tables::transactions;
use crate::store::AnyConnection;
use crate::store::kept::kept;
use crate::store::rows::Bind;

/// A transaction that is to begin; its trigger adds the id and, on PostgreSQL, the stamp.
#[derive(Insertable)]
#[diesel(table_name = transactions)]
pub(crate) struct NewTransaction<'a> {
    pub(crate) run_id: Option<i64>,
    pub(crate) lock_token: Option<i64>,
    pub(crate) actor: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) client_uuid: &'a str,
    /// `None`: now, by the database's clock. On PostgreSQL only the owner of the tables may say when.
    pub(crate) issued_at: Option<NaiveDateTime>,
}

#[derive(QueryableByName)]
struct Begun {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl NewTransaction<'_> {
    /// Writes the row and returns its id. On PostgreSQL by a function, because the role of those who use
    /// the product may not write to the table.
    pub(crate) fn begin(&self, connection: &mut AnyConnection) -> QueryResult<i64> {
        match connection {
            AnyConnection::Sqlite(connection) => diesel::insert_into(transactions::table)
                .values(self)
                .returning(transactions::id)
                .get_result(connection),
            AnyConnection::Postgres(connection) if self.issued_at.is_some() => {
                diesel::insert_into(transactions::table)
                    .values(self)
                    .returning(transactions::id)
                    .get_result(connection)
            }
            AnyConnection::Postgres(connection) => {
                let mut binds: Vec<_> = [self.actor, self.operation, self.client_uuid]
                    .map(|text| Bind::Text(text.to_owned()))
                    .into();
                let mut number = |value: Option<i64>| match value {
                    Some(value) => {
                        binds.push(Bind::BigInt(value));
                        format!("${}", binds.len())
                    }
                    None => "NULL".to_owned(),
                };
                let (run, token) = (number(self.run_id), number(self.lock_token));
                let text =
                    format!("SELECT stratalog_begin_transaction({run}, {token}, $1, $2, $3) AS id");
                let begun: Begun = kept(&text, &binds).get_result(connection)?;
                Ok(begun.id)
            }
        }
    }
}
