//! What uses a name.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::error::Result;
use crate::history::write::Write;
use crate::schema::TableDescription;
use crate::store::{doing, quote, sql};

#[derive(QueryableByName)]
struct User {
    #[diesel(sql_type = Text)]
    label: String,
}

/// What refers to a row, as text: the runs whose rows do, or the rows themselves.
pub(crate) fn users(write: &mut Write<'_>, table: &str, id: i64) -> Result<String> {
    const SHOWN: usize = 5;
    let core = write.core;
    let mut users = Vec::new();
    for child in core.tables().iter() {
        for column in child
            .columns
            .iter()
            .filter(|c| child.parent_of(c) == Some(table))
        {
            let rows: Vec<User> = sql(users_query(child, &column.name))
                .bind::<BigInt, _>(id)
                .load(write.connection)
                .map_err(doing("looking for what uses it"))?;
            if rows.is_empty() {
                continue;
            }
            let mut shown: Vec<_> = rows
                .iter()
                .take(SHOWN)
                .map(|row| row.label.clone())
                .collect();
            if rows.len() > SHOWN {
                shown.push(format!("{} more", rows.len() - SHOWN));
            }
            users.push(format!("{} of {}", child.name, shown.join("; ")));
        }
    }
    Ok(users.join(", and "))
}

fn users_query(child: &TableDescription, column: &str) -> String {
    let run = if child.is_run_scoped() {
        "run_id"
    } else {
        "id"
    };
    if child.is_run_scoped() || child.name == "runs" {
        format!(
            "SELECT m.name || ' / ' || s.name || ', version ' || CAST(r.version AS TEXT) AS label
             FROM runs r JOIN models m ON m.id = r.model_id JOIN scenarios s ON s.id = r.scenario_id
             WHERE r.id IN (SELECT {run} FROM {} WHERE {} = $1) ORDER BY r.id",
            quote(&child.name),
            quote(column)
        )
    } else {
        format!(
            "SELECT 'row ' || CAST({} AS TEXT) AS label FROM {} WHERE {} = $1 ORDER BY 1",
            quote(&child.key[0]),
            quote(&child.name),
            quote(column)
        )
    }
}
