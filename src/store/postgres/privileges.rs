//! What the app role may do: the one place that says so. What is not listed here it may not.
//!
//! Granting (`roles`) and looking for what is too much (`doctor`) both go by this list.

use crate::schema::{TableDescription, tables};
use crate::store::{column_list, named};

/// The function by which a transaction begins; the only one that the app role may call.
pub(super) const BEGIN: &str = "stratalog_begin_transaction";

/// diesel's list of applied migrations.
const REVISIONS: &str = "__diesel_schema_migrations";

/// What somebody could do to a table beside reading it.
pub(super) const CHANGING: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER"];

/// A bookkeeping table: its name, the privileges, and the columns that an INSERT leaves to the database.
type Bookkeeping = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// A test compares this list with the tables there are.
const BOOKKEEPING: [Bookkeeping; 13] = [
    ("transactions", &["SELECT"], &[]),
    // Nobody gives a checkpoint another place in the order than the one it has.
    ("checkpoints", &["SELECT", "INSERT"], &["id", "created_at"]),
    ("run_locks", &["SELECT", "INSERT", "UPDATE"], &[]),
    ("run_leases", &["SELECT", "INSERT", "UPDATE"], &[]),
    ("lock_events", &["SELECT", "INSERT"], &["id", "occurred_at"]),
    ("reverts", &["SELECT", "INSERT"], &[]),
    // To take something out of history is for its owner.
    ("compactions", &["SELECT"], &[]),
    ("retained_states", &["SELECT"], &[]),
    ("redactions", &["SELECT"], &[]),
    ("redacted_rows", &["SELECT"], &[]),
    ("chain_links", &["SELECT", "INSERT"], &[]),
    ("described_tables", &["SELECT"], &[]),
    // Importing gives transactions their times.
    ("imported_runs", &["SELECT"], &[]),
];

/// A table with what the app role may do with it.
pub(super) struct TablePrivileges {
    pub(super) table: String,
    allowed: &'static [&'static str],
    /// The columns of an INSERT, quoted; `None` for all.
    insert_columns: Option<String>,
}

impl TablePrivileges {
    fn whole(table: impl Into<String>, allowed: &'static [&'static str]) -> Self {
        Self {
            table: table.into(),
            allowed,
            insert_columns: None,
        }
    }

    pub(super) fn allows(&self, privilege: &str) -> bool {
        self.allowed.contains(&privilege)
    }

    /// What stands between GRANT and ON.
    pub(super) fn granted(&self) -> String {
        let privileges: Vec<_> = self
            .allowed
            .iter()
            .map(|privilege| match &self.insert_columns {
                Some(columns) if *privilege == "INSERT" => format!("INSERT ({columns})"),
                _ => (*privilege).to_owned(),
            })
            .collect();
        privileges.join(", ")
    }
}

/// The tables and views of a versioned table: data is written, history is written by triggers only.
fn of_versioned(table: &TableDescription) -> Vec<TablePrivileges> {
    let mut all = vec![
        TablePrivileges::whole(&table.name, &["SELECT", "INSERT", "UPDATE", "DELETE"]),
        TablePrivileges::whole(table.version_name(), &["SELECT"]),
    ];
    let views = named::views_of(table).into_iter();
    all.extend(views.map(|view| TablePrivileges::whole(view, &["SELECT"])));
    all
}

fn of_bookkeeping() -> Vec<TablePrivileges> {
    let descriptions = tables::bookkeeping();
    BOOKKEEPING
        .iter()
        .map(|(table, allowed, filled_in)| TablePrivileges {
            table: (*table).to_owned(),
            allowed,
            insert_columns: descriptions
                .iter()
                .find(|description| description.name == *table && !filled_in.is_empty())
                .map(|description| {
                    let given = description
                        .columns
                        .iter()
                        .filter(|column| !filled_in.contains(&column.name.as_str()));
                    column_list("", given)
                }),
        })
        .collect()
}

/// All tables of a platform that has these versioned tables.
pub(super) fn of_platform(versioned: &[TableDescription]) -> Vec<TablePrivileges> {
    let mut all = of_bookkeeping();
    all.push(TablePrivileges::whole(REVISIONS, &["SELECT"]));
    all.extend(versioned.iter().flat_map(of_versioned));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bookkeeping_table_has_its_privileges() {
        let described: Vec<_> = tables::bookkeeping().into_iter().map(|t| t.name).collect();
        let listed: Vec<_> = BOOKKEEPING.iter().map(|(table, ..)| *table).collect();
        assert_eq!(
            listed, described,
            "say in BOOKKEEPING what the app role may do with a new table"
        );
    }

    #[test]
    fn the_columns_left_to_the_database_are_there() {
        for (table, _, filled_in) in BOOKKEEPING {
            let description = tables::bookkeeping().into_iter().find(|t| t.name == table);
            for column in filled_in {
                assert!(
                    description
                        .as_ref()
                        .is_some_and(|d| d.column(column).is_some()),
                    "{table}.{column}"
                );
            }
        }
    }

    #[test]
    fn history_is_only_read() {
        for entry in of_platform(&tables::versioned()) {
            if entry.table.ends_with("_version") || entry.table == "transactions" {
                assert_eq!(entry.granted(), "SELECT", "{}", entry.table);
            }
            assert!(!entry.allows("TRUNCATE") && !entry.allows("TRIGGER"));
        }
    }
}
