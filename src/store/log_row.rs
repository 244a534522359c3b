//! The row in `transactions` with which a stratalog transaction begins.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::schema::tables::transactions;
use crate::store::AnyConnection;

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
                let begun: Begun = diesel::sql_query(
                    "SELECT stratalog_begin_transaction($1, $2, $3, $4, $5) AS id",
                )
                .bind::<Nullable<BigInt>, _>(self.run_id)
                .bind::<Nullable<BigInt>, _>(self.lock_token)
                .bind::<Text, _>(self.actor)
                .bind::<Text, _>(self.operation)
                .bind::<Text, _>(self.client_uuid)
                .get_result(connection)?;
                Ok(begun.id)
            }
        }
    }
}
