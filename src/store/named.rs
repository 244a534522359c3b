//! Views with names instead of ids, for people with a SQL shell and for BI tools: `datapoints_named` with what is
//! there now, `datapoints_history_named` with every version row. Other tables of runs get theirs as well.

use crate::schema::{Column, RUN_ID, TableDescription};
use crate::store::{Engine, quote};

/// The names of the views of a table; empty for tables of the platform, which have names themselves.
pub(crate) fn views_of(table: &TableDescription) -> Vec<String> {
    if table.is_run_scoped() {
        vec![
            format!("{}_named", table.name),
            format!("{}_history_named", table.name),
        ]
    } else {
        Vec::new()
    }
}

/// Their DDL.
pub(super) fn create_views(
    engine: Engine,
    table: &TableDescription,
    tables: &[TableDescription],
) -> String {
    let names = views_of(table);
    let [live, history] = names.as_slice() else {
        return String::new();
    };
    let shown = |rows: Rows| shown(engine, table, tables, rows).join(",\n  ");
    format!(
        "CREATE VIEW {live} AS SELECT
  {columns}
FROM {name} d
JOIN \"runs\" run ON run.\"id\" = d.\"{RUN_ID}\";
CREATE VIEW {history} AS SELECT
  {version_columns},
  CASE d.\"operation_type\" WHEN 0 THEN 'insert' WHEN 1 THEN 'update' ELSE 'delete' END AS \"operation\",
  d.\"transaction_id\",
  d.\"end_transaction_id\",
  t.\"issued_at\",
  t.\"actor\",
  t.\"operation\" AS \"what\"
FROM {version} d
JOIN \"transactions\" t ON t.\"id\" = d.\"transaction_id\"
LEFT JOIN \"runs\" run ON run.\"id\" = d.\"{RUN_ID}\";
",
        live = quote(live),
        history = quote(history),
        columns = shown(Rows::Live),
        version_columns = shown(Rows::Versions),
        name = quote(&table.name),
        version = quote(&table.version_name()),
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Rows {
    Live,
    Versions,
}

/// The columns of a view, as SQL.
fn shown(
    engine: Engine,
    table: &TableDescription,
    tables: &[TableDescription],
    rows: Rows,
) -> Vec<String> {
    let named = |id: String, parent: &str, name: &str| {
        let live = format!(
            "(SELECT p.\"name\" FROM {} p WHERE p.\"id\" = {id})",
            quote(parent)
        );
        // What was deleted since is known to the log.
        let shown = match rows {
            Rows::Live => live,
            Rows::Versions => format!(
                "coalesce({live}, (SELECT p.\"name\" FROM {} p WHERE p.\"id\" = {id} ORDER BY p.\"transaction_id\" DESC LIMIT 1))",
                quote(&format!("{parent}_version"))
            ),
        };
        format!("{shown} AS {}", quote(name))
    };
    let mut columns = Vec::new();
    for column in &table.columns {
        let raw = format!("d.{}", quote(&column.name));
        let parent = column
            .references
            .as_deref()
            .filter(|parent| is_named(parent, tables));
        if column.name == RUN_ID {
            columns.push(named("run.\"model_id\"".into(), "models", "model"));
            columns.push(named("run.\"scenario_id\"".into(), "scenarios", "scenario"));
            columns.push("run.\"version\"".into());
            columns.push("run.\"is_default\"".into());
            columns.push(raw);
        } else if let Some(parent) = parent {
            let name = column.name.trim_end_matches("_id");
            columns.push(named(raw, parent, name));
        } else if let Some(own) = of_points(engine, table, column) {
            columns.extend(own);
        } else if rows == Rows::Versions && !table.key.contains(&column.name) {
            // A deleted row's last value is not its value then.
            columns.push(format!(
                "CASE WHEN d.\"operation_type\" < 2 THEN {raw} END AS {}",
                quote(&column.name)
            ));
        } else {
            columns.push(raw);
        }
    }
    columns
}

fn is_named(parent: &str, tables: &[TableDescription]) -> bool {
    tables
        .iter()
        .any(|table| table.name == parent && table.column("name").is_some())
}

/// The times of points as people write them, in place of how they are kept.
fn of_points(engine: Engine, table: &TableDescription, column: &Column) -> Option<Vec<String>> {
    if table.name != "datapoints" {
        return None;
    }
    match column.name.as_str() {
        "point_type" => Some(vec![
            "CASE d.\"point_type\" WHEN 0 THEN 'yearly' WHEN 1 THEN 'categorical' ELSE 'datetime' END AS \"type\""
                .into(),
        ]),
        "step" => Some(vec![
            "CASE WHEN d.\"point_type\" < 2 THEN d.\"step\" END AS \"year\"".into(),
            format!(
                "CASE WHEN d.\"point_type\" = 2 THEN {} END AS \"datetime\"",
                engine.time_of_microseconds("d.\"step\"")
            ),
        ]),
        "category" => Some(vec![
            "CASE WHEN d.\"point_type\" = 1 THEN d.\"category\" END AS \"subannual\"".into(),
        ]),
        _ => None,
    }
}
