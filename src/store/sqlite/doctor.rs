//! What protects the data on SQLite, which is little: the guards are there, but whoever can write the file
//! can take them away.

use std::collections::BTreeMap;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::doctor::Finding;
use crate::schema::TableDescription;
use crate::store::{Engine, Location};

/// Older ones can corrupt a write-ahead log (<https://www.sqlite.org/wal.html>, "the WAL-reset bug").
const OLDEST: [u32; 3] = [3, 51, 3];

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    answer: String,
}

#[derive(QueryableByName)]
struct Trigger {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    tbl_name: String,
    #[diesel(sql_type = Text)]
    sql: String,
}

pub(crate) fn examine(
    connection: &mut SqliteConnection,
    location: &Location,
    versioned: &[TableDescription],
) -> QueryResult<Vec<Finding>> {
    Ok(vec![
        Finding::note(
            "history",
            "tamper-evident at best: whoever can write the file can switch the triggers off and change anything, \
             history included",
            "let only those write the file who may, and look with `stratalog verify`; where history must be out of \
             the reach of those who write data, use PostgreSQL with an owner and an app role",
        ),
        version(connection)?,
        journal(connection, location)?,
        triggers(connection, versioned)?,
    ])
}

fn ask(connection: &mut SqliteConnection, question: &str) -> QueryResult<String> {
    let answer: Answer = diesel::sql_query(question).get_result(connection)?;
    Ok(answer.answer)
}

fn version(connection: &mut SqliteConnection) -> QueryResult<Finding> {
    let version = ask(connection, "SELECT sqlite_version() AS answer")?;
    let what = format!("SQLite {version}");
    Ok(if is_new_enough(&version) {
        Finding::ok("sqlite", what)
    } else {
        Finding::problem(
            "sqlite",
            what,
            "build stratalog with the SQLite that it brings, or with 3.51.3 or newer: older ones can corrupt a \
             write-ahead log",
        )
    })
}

fn is_new_enough(version: &str) -> bool {
    let parts: Vec<u32> = version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect();
    parts.as_slice() >= OLDEST.as_slice()
}

fn journal(connection: &mut SqliteConnection, location: &Location) -> QueryResult<Finding> {
    let mode = ask(
        connection,
        "SELECT journal_mode AS answer FROM pragma_journal_mode",
    )?;
    Ok(if mode == "wal" {
        Finding::ok("journal", "a write-ahead log")
    } else if location.is_memory() {
        Finding::ok("journal", "none: the database is in memory")
    } else {
        Finding::problem(
            "journal",
            format!("journal mode {mode}"),
            "close every program that has the file open, then open it once with stratalog, which switches the \
             write-ahead log on",
        )
    })
}

fn triggers(
    connection: &mut SqliteConnection,
    versioned: &[TableDescription],
) -> QueryResult<Finding> {
    let expected = expected_triggers(versioned)?;
    let found = read_triggers(connection)?;
    let ours = |table: &str| expected.values().any(|(of, _)| of == table);
    let mut wrong = Vec::new();
    for (name, (table, text)) in &expected {
        match found.get(name) {
            None => wrong.push(format!("{name} of {table} is missing")),
            Some((_, there)) if there != text => {
                wrong.push(format!("{name} of {table} is another one"));
            }
            Some(_) => {}
        }
    }
    for (name, (table, _)) in &found {
        if !expected.contains_key(name) && ours(table) {
            wrong.push(format!("{name} of {table} is not stratalog's"));
        }
    }
    Ok(Finding::of_wrong(
        "triggers",
        &wrong,
        format!("all {} as this program makes them", expected.len()),
        "somebody has changed the guards: look with `stratalog verify` whether the data still agrees with the \
             log, and go back to a backup, or export the runs and import them into a new database",
    ))
}

type Triggers = BTreeMap<String, (String, String)>;

fn read_triggers(connection: &mut SqliteConnection) -> QueryResult<Triggers> {
    let rows: Vec<Trigger> =
        diesel::sql_query("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'")
            .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, (row.tbl_name, row.sql)))
        .collect())
}

/// Those of a new database, made and read in the same way as the one at hand.
fn expected_triggers(versioned: &[TableDescription]) -> QueryResult<Triggers> {
    let mut fresh = SqliteConnection::establish(":memory:").map_err(|error| {
        diesel::result::Error::QueryBuilderError(
            format!("making a database to compare with: {error}").into(),
        )
    })?;
    fresh.batch_execute(&Engine::Sqlite.schema_with(versioned))?;
    read_triggers(&mut fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, expected) in [
            ("3.51.3", true),
            ("3.53.2", true),
            ("3.100.0", true),
            ("4.0", true),
            ("3.51.2", false),
            ("3.9.9", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }
}
