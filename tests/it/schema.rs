//! Descriptions, generated SQL and the migrated database are the same thing.

use stratalog::schema::{ColumnType, tables};
use stratalog::{Engine, Platform, TableDescription, VersionedTable};

use crate::both_engines;
use crate::flows::{self, flows as flows_table, nodes};
use crate::support::Database;

/// `make migrations` has been run since the descriptions or the generator last changed.
#[test]
fn the_committed_migrations_are_what_the_descriptions_say() {
    for (engine, folder) in [(Engine::Sqlite, "sqlite"), (Engine::Postgres, "postgres")] {
        let path = format!(
            "{}/migrations/{folder}/2026-11-21-000000_initial/up.sql",
            env!("CARGO_MANIFEST_DIR")
        );
        let committed = std::fs::read_to_string(&path).expect("the migration");
        let (_, committed) = committed
            .split_once('\n')
            .expect("a first line that names the generator");
        assert!(
            committed == Platform::initial_schema(engine),
            "{path} is stale: run `make migrations`"
        );
    }
}

/// The SQL of a program's own tables: look at the difference as at code.
#[test]
fn the_sql_of_an_own_table_on_sqlite() {
    insta::assert_snapshot!(sql_of_own_tables(Engine::Sqlite));
}

#[test]
fn the_sql_of_an_own_table_on_postgres() {
    insta::assert_snapshot!(sql_of_own_tables(Engine::Postgres));
}

fn sql_of_own_tables(engine: Engine) -> String {
    let tables = [
        nodes::table::description(),
        flows_table::table::description(),
    ];
    tables
        .iter()
        .map(|table| engine.create_table(table, &tables))
        .collect()
}

/// One column as the database has it: name, type, not null, position in the key.
type Found = (String, String, bool, i64);

fn introspect(database: &Database, table: &str) -> Vec<Found> {
    let sql = match database.engine {
        Engine::Sqlite => format!(
            "SELECT name || '|' || type || '|' || (\"notnull\" OR pk > 0) || '|' || pk AS text
             FROM pragma_table_xinfo('{table}') ORDER BY cid"
        ),
        Engine::Postgres => format!(
            "SELECT c.column_name || '|' || c.data_type || CASE WHEN c.collation_name IS NULL THEN '' ELSE ' ' || c.collation_name END
               || '|' || CASE c.is_nullable WHEN 'NO' THEN 1 ELSE 0 END || '|' || coalesce(k.ordinal_position, 0) AS text
             FROM information_schema.columns c
             LEFT JOIN information_schema.table_constraints t
               ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.constraint_type = 'PRIMARY KEY'
             LEFT JOIN information_schema.key_column_usage k
               ON k.constraint_schema = t.constraint_schema AND k.constraint_name = t.constraint_name
              AND k.table_name = c.table_name AND k.column_name = c.column_name
             WHERE c.table_schema = current_schema() AND c.table_name = '{table}' ORDER BY c.ordinal_position"
        ),
    };
    database
        .plain()
        .texts(&sql)
        .into_iter()
        .map(|line| {
            let parts: Vec<_> = line.split('|').collect();
            (
                parts[0].to_owned(),
                parts[1].to_owned(),
                parts[2] == "1",
                parts[3].parse().expect("a position"),
            )
        })
        .collect()
}

fn type_in(engine: Engine, column_type: ColumnType) -> &'static str {
    match (engine, column_type) {
        (Engine::Sqlite, ColumnType::Double) => "ANY",
        (Engine::Sqlite, ColumnType::Text | ColumnType::Timestamp) => "TEXT",
        (Engine::Sqlite, _) => "INTEGER",
        (Engine::Postgres, ColumnType::BigInt) => "bigint",
        (Engine::Postgres, ColumnType::Integer) => "integer",
        (Engine::Postgres, ColumnType::SmallInt) => "smallint",
        (Engine::Postgres, ColumnType::Double) => "double precision",
        (Engine::Postgres, ColumnType::Text) => "text C",
        (Engine::Postgres, ColumnType::Bool) => "boolean",
        (Engine::Postgres, ColumnType::Timestamp) => "timestamp without time zone",
    }
}

fn expected(engine: Engine, table: &TableDescription) -> Vec<Found> {
    table
        .columns
        .iter()
        .map(|column| {
            let position = table
                .key
                .iter()
                .position(|key| *key == column.name)
                .map_or(0, |n| n as i64 + 1);
            (
                column.name.clone(),
                type_in(engine, column.column_type).to_owned(),
                !column.nullable,
                position,
            )
        })
        .collect()
}

fn expected_version(engine: Engine, table: &TableDescription) -> Vec<Found> {
    let (big, small) = (
        type_in(engine, ColumnType::BigInt),
        type_in(engine, ColumnType::SmallInt),
    );
    let mut columns = expected(engine, table);
    // A redaction takes values out of the history of runs.
    for (column, expected) in table.columns.iter().zip(&mut columns) {
        expected.2 &= !table.is_run_scoped() || table.key.contains(&column.name);
    }
    columns.push((
        "transaction_id".into(),
        big.into(),
        true,
        table.key.len() as i64 + 1,
    ));
    columns.push(("end_transaction_id".into(), big.into(), false, 0));
    columns.push(("operation_type".into(), small.into(), true, 0));
    columns
}

both_engines! {
    fn the_database_has_the_columns_of_the_descriptions(database: &Database) {
        let platform = flows::open(database);
        for table in &platform.descriptions() {
            assert_eq!(introspect(database, &table.name), expected(database.engine, table), "{}", table.name);
            let version = table.version_name();
            assert_eq!(introspect(database, &version), expected_version(database.engine, table), "{version}");
        }
        for table in tables::bookkeeping() {
            let mut columns = expected(database.engine, &table);
            if database.engine == Engine::Postgres && table.name == "transactions" {
                columns.push(("xact_id".into(), "xid8".into(), true, 0));
            }
            assert_eq!(introspect(database, &table.name), columns, "{}", table.name);
        }
    }

    fn the_database_has_no_other_tables(database: &Database) {
        let platform = flows::open(database);
        let mut known: Vec<String> = platform
            .descriptions()
            .iter()
            .flat_map(|table| [table.name.clone(), table.version_name()])
            .chain(tables::bookkeeping().into_iter().map(|table| table.name))
            .chain(["__diesel_schema_migrations".to_owned()])
            .collect();
        let found = match database.engine {
            Engine::Sqlite => {
                known.extend(["never", "transaction_context"].map(str::to_owned));
                "SELECT name AS text FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
            }
            Engine::Postgres => {
                "SELECT CAST(tablename AS text) AS text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename COLLATE \"C\""
            }
        };
        known.sort();
        assert_eq!(database.plain().texts(found), known);
    }

    fn every_versioned_table_has_its_guards(database: &Database) {
        // What the triggers do is tested by doing it; this finds one that was forgotten for a table.
        let platform = flows::open(database);
        // Recording inserts, updates and deletes; keys; and TRUNCATE, which SQLite does not have.
        let guards = match database.engine {
            Engine::Sqlite => 4,
            Engine::Postgres => 5,
        };
        for table in &platform.descriptions() {
            for (name, at_least) in [(table.name.clone(), guards), (table.version_name(), 2)] {
                let count = database.plain().number(&match database.engine {
                    Engine::Sqlite => format!("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = '{name}'"),
                    Engine::Postgres => format!(
                        "SELECT count(*) FROM pg_trigger WHERE tgrelid = '{name}'::regclass AND NOT tgisinternal AND tgenabled = 'A'"
                    ),
                });
                assert!(count >= at_least, "{name} has {count} triggers");
            }
        }
    }

    fn parents_come_before_their_children(database: &Database) {
        let platform = flows::open(database);
        let position = |name: &str| platform.descriptions().iter().position(|table| table.name == name);
        for table in &platform.descriptions() {
            for column in &table.columns {
                if let Some(parent) = &column.references {
                    assert!(position(parent) < position(&table.name), "{parent} before {}", table.name);
                }
            }
        }
    }
}

#[test]
fn functions_on_postgres_run_with_a_pinned_search_path() {
    let database = Database::postgres();
    database.open();
    let loose = database.plain().texts(
        "SELECT CAST(proname AS text) AS text FROM pg_proc
         WHERE pronamespace = current_schema()::regnamespace AND prosecdef
           AND NOT EXISTS (SELECT 1 FROM unnest(proconfig) AS setting
                           WHERE setting = 'search_path=' || current_schema() || ', pg_temp')",
    );
    assert!(loose.is_empty(), "{loose:?}");
    let pinned = database.plain().number(
        "SELECT count(*) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prosecdef",
    );
    assert!(pinned > 20, "{pinned}");
}

/// A new file of tests is not forgotten in `main.rs`.
#[test]
fn every_test_file_is_part_of_the_tests() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let main = std::fs::read_to_string(format!("{folder}/main.rs")).expect("main.rs");
    for file in std::fs::read_dir(folder).expect("the folder") {
        let path = file.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            assert!(
                stem == "main" || main.contains(&format!("mod {stem};")),
                "{stem}.rs is not in main.rs"
            );
        }
    }
}
