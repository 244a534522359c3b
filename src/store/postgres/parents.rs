//! References of a run's rows to their parents (regions, units, the run itself), checked by set.
//!
//! A declared foreign key is checked row by row, by triggers of the server's own. Four of them were more than half of
//! what adding points took (measured, 200,000 points: 2.5 of 4.7 s of the server's time; 0.05 s as they are checked
//! here): all those rows have a handful of parents.
//!
//! **Invariant:** no committed row refers to a parent that is not there, as with a foreign key, and also under
//! `session_replication_role = replica`, which switches foreign keys off.
//!
//! - Who writes rows locks each of their parents once (`FOR KEY SHARE`) until he commits. That waits for whoever is
//!   deleting one, and finds it gone.
//! - Who deletes a parent waits for such writers, because a row that is locked so cannot be deleted, and then looks for
//!   rows that refer to it. He sees what was committed while he waited only under READ COMMITTED, where each
//!   statement has a snapshot of its own (a foreign key has means that nobody else has). Under others he is refused.
//!
//! Parents keep their ids, which are their keys: no key is ever changed (`guard_key`).

use crate::schema::{Column, TableDescription};
use crate::store::postgres::ddl::always;
use crate::store::postgres::sql;
use crate::store::quote;

/// The columns that are checked here, with the parents that they refer to. Platform tables, whose rows come one by one,
/// have declared foreign keys.
pub(super) fn checked(table: &TableDescription) -> Vec<(&Column, &str)> {
    if !table.is_run_scoped() {
        return Vec::new();
    }
    table
        .columns
        .iter()
        .filter_map(|column| Some((column, table.parent_of(column)?)))
        .collect()
}

/// What a trigger does about the parents of the rows of a transition table.
pub(super) struct Lookup {
    /// Its variables.
    pub(super) declarations: String,
    /// Its statements.
    pub(super) statements: String,
}

impl Lookup {
    /// Locks the parents that `columns` of `rows` refer to; refuses rows whose parent is not there.
    pub(super) fn of(table: &TableDescription, columns: &[(&Column, &str)], rows: &str) -> Self {
        let mut lookup = Self {
            declarations: String::new(),
            statements: String::new(),
        };
        if columns.is_empty() {
            return lookup;
        }
        let (mut distinct, mut arrays, mut variables) = (Vec::new(), Vec::new(), Vec::new());
        for (position, (column, _)) in columns.iter().enumerate() {
            let (name, variable) = (quote(&column.name), variable(position));
            distinct.push(format!("n.{name}"));
            arrays.push(format!(
                "ARRAY(SELECT DISTINCT d.{name} FROM d WHERE d.{name} IS NOT NULL)"
            ));
            lookup.declarations +=
                &format!("  {variable} {}[];\n", sql::type_name(column.column_type));
            variables.push(variable);
        }
        lookup.declarations += "  parents bigint;\n";
        // The rows are read once, whatever the number of their parents.
        lookup.statements += &format!(
            "  WITH d AS MATERIALIZED (SELECT DISTINCT {} FROM {rows} n)
    SELECT {}
      INTO {};\n",
            distinct.join(", "),
            arrays.join(",\n      "),
            variables.join(", ")
        );
        for ((column, parent), ids) in columns.iter().zip(&variables) {
            lookup.statements += &format!(
                "  PERFORM 1 FROM {parent} p WHERE p.\"id\" = ANY ({ids}) FOR KEY SHARE;
  GET DIAGNOSTICS parents = ROW_COUNT;
  IF parents < cardinality({ids}) THEN
    RAISE foreign_key_violation USING
      MESSAGE = 'insert or update on table {child} violates the foreign key {column}',
      DETAIL = format('There is no row of {parent} with \"id\" %s.',
        (SELECT i FROM unnest({ids}) i WHERE NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.\"id\" = i) ORDER BY i LIMIT 1));
  END IF;\n",
                child = quote(&table.name),
                parent = quote(parent),
                column = quote(&column.name),
            );
        }
        lookup
    }
}

fn variable(position: usize) -> String {
    format!("parents_{}", position + 1)
}

/// Triggers on the parents: one function for each child, which all its parents call.
pub(super) fn triggers(table: &TableDescription) -> String {
    let checked = checked(table);
    if checked.is_empty() {
        return String::new();
    }
    let name = format!("{}_refers", table.name);
    let child = quote(&table.name);
    let looks: String = checked
        .iter()
        .map(|(column, parent)| {
            let (column, quoted) = (quote(&column.name), quote(parent));
            format!(
                "  IF TG_TABLE_NAME = '{parent}' THEN
    SELECT o.\"id\" INTO gone FROM old_rows o
     WHERE EXISTS (SELECT 1 FROM {child} c WHERE c.{column} = o.\"id\")
       AND NOT EXISTS (SELECT 1 FROM {quoted} p WHERE p.\"id\" = o.\"id\") LIMIT 1;
    IF FOUND THEN
      RAISE foreign_key_violation USING
        MESSAGE = 'delete on table {quoted} violates the foreign key {column} of table {child}',
        DETAIL = format('Rows of {child} refer to \"id\" %s.', gone);
    END IF;
  END IF;\n"
            )
        })
        .collect();
    let mut ddl = format!(
        "CREATE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  gone text;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM old_rows) THEN
    RETURN NULL;
  END IF;
  IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
    RAISE EXCEPTION 'stratalog:isolation: %: what rows may refer to is deleted under READ COMMITTED only, which sees the rows of others', TG_TABLE_NAME;
  END IF;
{looks}  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION {function} FROM PUBLIC;
",
        function = quote(&name)
    );
    let mut parents: Vec<_> = checked.iter().map(|(_, parent)| *parent).collect();
    parents.sort_unstable();
    parents.dedup();
    for parent in parents {
        ddl += &always(
            parent,
            &name,
            &format!(
                "AFTER DELETE ON {} REFERENCING OLD TABLE AS old_rows\n  \
                 FOR EACH STATEMENT EXECUTE FUNCTION {}()",
                quote(parent),
                quote(&name)
            ),
        );
    }
    ddl
}
