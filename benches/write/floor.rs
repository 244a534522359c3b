//! By the engine's own bulk path: prepared `INSERT`s on SQLite, `COPY` on PostgreSQL, and set-based SQL that
//! knows beforehand which rows are there. The tables are the library's, without their triggers.

use std::io::Write as _;

use diesel::pg::{CopyFormat, CopyTarget};
use diesel::prelude::*;
use diesel::query_builder::AstPass;
use stratalog::schema::tables::datapoints;
use stratalog::{Engine, TableDescription, VersionedTable};

use crate::library::Library;
use crate::operation::{FEW, Operation, Side};
use crate::support::{Database, Plain};

/// `run_id` is the current run's.
#[derive(Queryable, Clone)]
struct Row {
    _run_id: i64,
    region_id: i64,
    variable_id: i64,
    unit_id: i64,
    point_type: i16,
    step: i64,
    category: String,
    value: f64,
}

pub struct Floor {
    connection: RawConnection,
    sql: Sql,
    first: Vec<Row>,
    second: Vec<Row>,
    run: i64,
    /// The last transaction.
    transaction: i64,
    /// Dropped last.
    _database: Database,
}

enum RawConnection {
    Sqlite(rusqlite::Connection),
    Postgres(PgConnection),
}

impl Floor {
    pub fn new(engine: Engine, rows: usize) -> Self {
        // The library makes the tables and the names; then its triggers go.
        let library = Library::new(engine, rows);
        let database = library.into_database();
        drop_triggers(&database);
        let mut plain = database.plain();
        let order = (
            datapoints::region_id,
            datapoints::variable_id,
            datapoints::unit_id,
            datapoints::step,
        );
        let query = datapoints::table.order(order);
        let first: Vec<Row> = match &mut plain {
            Plain::Sqlite(connection) => query.load(connection),
            Plain::Postgres(connection) => query.load(connection),
        }
        .expect("the rows");
        let changed = |row: &Row| Row {
            value: row.value * 1.5,
            ..row.clone()
        };
        let second = first.iter().map(changed).collect();
        let connection = match engine {
            Engine::Sqlite => RawConnection::sqlite(&database.url),
            Engine::Postgres => RawConnection::Postgres(
                PgConnection::establish(&database.url).expect("a connection"),
            ),
        };
        let mut floor = Self {
            connection,
            sql: Sql::new(),
            first,
            second,
            run: 1,
            transaction: 1_000_000,
            _database: database,
        };
        let staging = floor.sql.create_staging(&floor.connection);
        floor.connection.run(&staging);
        floor
    }

    fn begin(&mut self) {
        self.connection.run(self.connection.begin());
        self.transaction += 1;
    }

    fn commit(&mut self) {
        self.connection.run("COMMIT");
    }

    fn new_run(&mut self) {
        self.connection.run(
            "INSERT INTO runs (model_id, scenario_id, version, is_default)
             SELECT model_id, scenario_id, max(version) + 1, is_default FROM runs
             GROUP BY model_id, scenario_id, is_default",
        );
        self.run += 1;
    }

    fn statement(&mut self, sql: impl FnOnce(&Sql, i64, i64) -> String) {
        let text = sql(&self.sql, self.run, self.transaction);
        self.connection.run(&text);
    }

    fn add(&mut self) {
        self.begin();
        self.connection.load(Into::Live, self.run, &self.first);
        self.statement(|sql, run, tx| sql.record(run, tx, 0));
        self.commit();
    }

    fn upsert(&mut self, second: bool) {
        let rows = if second { &self.second } else { &self.first };
        match self.connection {
            RawConnection::Sqlite(_) => self.connection.load(Into::Upsert, self.run, rows),
            RawConnection::Postgres(_) => {
                self.connection.load(Into::Staging, self.run, rows);
                self.statement(|sql, _, _| sql.upsert_staging());
            }
        }
    }

    fn update(&mut self) {
        self.begin();
        self.upsert(true);
        self.statement(Sql::end);
        self.statement(|sql, run, tx| sql.record(run, tx, 1));
        self.commit();
    }

    fn update_few(&mut self) {
        self.begin();
        self.statement(|sql, run, tx| sql.update_few(run, tx));
        self.commit();
    }
}

impl Side for Floor {
    fn prepare(&mut self, operation: Operation) {
        self.new_run();
        if operation != Operation::Add {
            self.add();
        }
        match operation {
            Operation::RevertAll => self.update(),
            Operation::RevertFew => self.update_few(),
            _ => {}
        }
        self.connection
            .run("ANALYZE datapoints; ANALYZE datapoints_version");
    }

    fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Add => self.add(),
            Operation::AddAgain => {
                self.begin();
                self.upsert(false);
                self.commit();
            }
            Operation::Update => self.update(),
            Operation::Remove => {
                self.begin();
                self.connection.load(Into::Staging, self.run, &self.first);
                self.statement(|sql, _, _| sql.delete_staged());
                self.statement(Sql::end);
                self.statement(Sql::record_deleted);
                self.commit();
            }
            Operation::RevertAll | Operation::RevertFew => {
                self.begin();
                self.statement(Sql::revert_last);
                self.commit();
            }
            Operation::Tabulate => {
                let rows = self.connection.read(&self.sql.read(self.run));
                assert_eq!(rows, self.first.len());
            }
        }
    }
}

/// Where rows go.
#[derive(Clone, Copy)]
enum Into {
    Live,
    /// The live table, over what is there.
    Upsert,
    Staging,
}

/// Text made from the description: column names are typed there.
struct Sql {
    columns: Vec<String>,
    keys: Vec<String>,
}

impl Sql {
    fn new() -> Self {
        let table: TableDescription = datapoints::table::description();
        Self {
            columns: table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
            keys: table.key,
        }
    }

    fn columns(&self, alias: &str) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|name| format!("{alias}{name}"))
            .collect();
        columns.join(", ")
    }

    fn keys(&self) -> String {
        self.keys.join(", ")
    }

    fn same_key(&self, a: &str, b: &str) -> String {
        let equal: Vec<_> = self
            .keys
            .iter()
            .map(|key| format!("{a}.{key} = {b}.{key}"))
            .collect();
        equal.join(" AND ")
    }

    fn create_staging(&self, connection: &RawConnection) -> String {
        match connection {
            RawConnection::Sqlite(_) => {
                "CREATE TEMP TABLE staging AS SELECT * FROM datapoints LIMIT 0".into()
            }
            RawConnection::Postgres(_) => {
                "CREATE TEMP TABLE staging (LIKE datapoints) ON COMMIT DELETE ROWS".into()
            }
        }
    }

    fn insert(&self, into: Into) -> String {
        let values: Vec<_> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
        let values = values.join(", ");
        match into {
            Into::Live => format!("INSERT INTO datapoints VALUES ({values})"),
            Into::Staging => format!("INSERT INTO staging VALUES ({values})"),
            Into::Upsert => format!(
                "INSERT INTO datapoints VALUES ({values}) ON CONFLICT ({}) \
                 DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value",
                self.keys()
            ),
        }
    }

    fn upsert_staging(&self) -> String {
        format!(
            "INSERT INTO datapoints SELECT * FROM staging ON CONFLICT ({}) DO UPDATE
             SET value = excluded.value WHERE datapoints.value IS DISTINCT FROM excluded.value",
            self.keys()
        )
    }

    /// Version rows of all live rows of the run.
    fn record(&self, run: i64, tx: i64, operation: u8) -> String {
        format!(
            "INSERT INTO datapoints_version ({columns}, transaction_id, operation_type)
             SELECT {columns}, {tx}, {operation} FROM datapoints WHERE run_id = {run}",
            columns = self.columns("")
        )
    }

    /// Ends all open version rows of the run.
    fn end(&self, run: i64, tx: i64) -> String {
        format!(
            "UPDATE datapoints_version SET end_transaction_id = {tx}
             WHERE run_id = {run} AND end_transaction_id IS NULL"
        )
    }

    fn record_deleted(&self, run: i64, tx: i64) -> String {
        format!(
            "INSERT INTO datapoints_version ({columns}, transaction_id, operation_type)
             SELECT {columns}, {tx}, 2 FROM datapoints_version
             WHERE run_id = {run} AND end_transaction_id = {tx}",
            columns = self.columns("")
        )
    }

    fn delete_staged(&self) -> String {
        format!(
            "DELETE FROM datapoints WHERE ({keys}) IN (SELECT {keys} FROM staging)",
            keys = self.keys()
        )
    }

    /// The first rows of the run get other values.
    fn update_few(&self, run: i64, tx: i64) -> String {
        let keys = self.keys();
        let few = format!(
            "({keys}) IN (SELECT {keys} FROM datapoints WHERE run_id = {run} ORDER BY {keys} LIMIT {FEW})"
        );
        format!(
            "UPDATE datapoints SET value = value * 2 WHERE {few};
             UPDATE datapoints_version SET end_transaction_id = {tx} WHERE {few};
             INSERT INTO datapoints_version ({columns}, transaction_id, operation_type)
             SELECT {columns}, {tx}, 1 FROM datapoints WHERE {few}",
            columns = self.columns("")
        )
    }

    /// What the transaction before `tx` updated gets the values back that it ended.
    fn revert_last(&self, run: i64, tx: i64) -> String {
        let last = tx - 1;
        let changed =
            format!("datapoints_version k WHERE k.run_id = {run} AND k.transaction_id = {last}");
        format!(
            "UPDATE datapoints SET value = b.value FROM
               (SELECT v.* FROM datapoints_version k JOIN datapoints_version v
                 ON {v_is_k} AND v.end_transaction_id = {last}
                WHERE k.run_id = {run} AND k.transaction_id = {last}) b
             WHERE {live_is_b};
             INSERT INTO datapoints_version ({columns}, transaction_id, operation_type)
             SELECT {d_columns}, {tx}, 1 FROM datapoints_version k JOIN datapoints d ON {d_is_k}
             WHERE k.run_id = {run} AND k.transaction_id = {last};
             UPDATE datapoints_version AS k SET end_transaction_id = {tx}
             WHERE {changed_here}",
            v_is_k = self.same_key("v", "k"),
            live_is_b = self.same_key("datapoints", "b"),
            columns = self.columns(""),
            d_columns = self.columns("d."),
            d_is_k = self.same_key("d", "k"),
            changed_here = changed.split_once("WHERE ").expect("a condition").1,
        )
    }

    fn read(&self, run: i64) -> String {
        format!(
            "SELECT region_id, variable_id, unit_id, step, value FROM datapoints
             WHERE run_id = {run} ORDER BY {}",
            self.keys()
        )
    }
}

fn drop_triggers(database: &Database) {
    let mut plain = database.plain();
    match database.engine {
        Engine::Sqlite => {
            let triggers = "SELECT name AS text FROM sqlite_schema WHERE type = 'trigger'";
            for trigger in plain.texts(triggers) {
                plain
                    .run(&format!("DROP TRIGGER \"{trigger}\""))
                    .expect("dropping a trigger");
            }
        }
        Engine::Postgres => {
            for table in ["datapoints", "datapoints_version", "runs"] {
                plain
                    .run(&format!("ALTER TABLE {table} DISABLE TRIGGER USER"))
                    .expect("switching triggers off");
            }
        }
    }
}

impl RawConnection {
    fn sqlite(path: &str) -> Self {
        let connection = rusqlite::Connection::open(path).expect("a connection");
        // As the library has it.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA cache_size = -65536;",
            )
            .expect("settings");
        Self::Sqlite(connection)
    }

    fn begin(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE; DELETE FROM staging",
            Self::Postgres(_) => "BEGIN",
        }
    }

    fn run(&mut self, sql: &str) {
        use diesel::connection::SimpleConnection;
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).expect(sql),
            Self::Postgres(connection) => connection.batch_execute(sql).expect(sql),
        }
    }

    fn load(&mut self, into: Into, run: i64, rows: &[Row]) {
        match self {
            Self::Sqlite(connection) => {
                let mut insert = connection
                    .prepare_cached(&Sql::new().insert(into))
                    .expect("preparing");
                for row in rows {
                    insert
                        .execute(rusqlite::params![
                            run,
                            row.region_id,
                            row.variable_id,
                            row.unit_id,
                            row.point_type,
                            row.step,
                            row.category,
                            row.value
                        ])
                        .expect("a row");
                }
            }
            Self::Postgres(connection) => {
                let write = |out: &mut dyn std::io::Write| copy(out, run, rows);
                match into {
                    Into::Staging => diesel::copy_from(datapoints::table)
                        .from_raw_data(CopyIntoStaging, write)
                        .with_format(CopyFormat::Binary)
                        .execute(connection),
                    _ => diesel::copy_from(datapoints::table)
                        .from_raw_data(CopyIntoLive, write)
                        .with_format(CopyFormat::Binary)
                        .execute(connection),
                }
                .expect("COPY");
            }
        }
    }

    /// Reads all rows into columns; returns how many.
    fn read(&mut self, sql: &str) -> usize {
        let mut rows: Vec<(i64, i64, i64, i64, f64)> = Vec::new();
        match self {
            Self::Sqlite(connection) => {
                let mut query = connection.prepare_cached(sql).expect("preparing");
                let found = query
                    .query_map([], |row| {
                        Ok((
                            row.get(0)?,
                            row.get(1)?,
                            row.get(2)?,
                            row.get(3)?,
                            row.get(4)?,
                        ))
                    })
                    .expect("reading");
                rows.extend(found.map(|row| row.expect("a row")));
            }
            Self::Postgres(connection) => {
                let found: Vec<Read> = diesel::sql_query(sql).load(connection).expect("reading");
                let tuple = |row: Read| {
                    (
                        row.region_id,
                        row.variable_id,
                        row.unit_id,
                        row.step,
                        row.value,
                    )
                };
                rows.extend(found.into_iter().map(tuple));
            }
        }
        std::hint::black_box(&rows).len()
    }
}

#[derive(QueryableByName)]
#[diesel(table_name = datapoints)]
struct Read {
    region_id: i64,
    variable_id: i64,
    unit_id: i64,
    step: i64,
    value: f64,
}

struct CopyIntoLive;
struct CopyIntoStaging;

impl CopyTarget for CopyIntoLive {
    type Table = datapoints::table;
    type SqlType = diesel::sql_types::BigInt;

    fn walk_target(mut pass: AstPass<'_, '_, diesel::pg::Pg>) -> QueryResult<()> {
        pass.push_sql("datapoints");
        Ok(())
    }
}

impl CopyTarget for CopyIntoStaging {
    type Table = datapoints::table;
    type SqlType = diesel::sql_types::BigInt;

    fn walk_target(mut pass: AstPass<'_, '_, diesel::pg::Pg>) -> QueryResult<()> {
        pass.push_sql("staging");
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// COPY's binary format.
fn copy(out: &mut dyn std::io::Write, run: i64, rows: &[Row]) -> Result<(), CopyError> {
    fn field(buffer: &mut Vec<u8>, bytes: &[u8]) {
        buffer.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        buffer.extend_from_slice(bytes);
    }
    let mut out = std::io::BufWriter::with_capacity(1 << 16, out);
    out.write_all(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0")?;
    let mut buffer = Vec::new();
    for row in rows {
        buffer.clear();
        buffer.extend_from_slice(&8_i16.to_be_bytes());
        for id in [run, row.region_id, row.variable_id, row.unit_id] {
            field(&mut buffer, &id.to_be_bytes());
        }
        field(&mut buffer, &row.point_type.to_be_bytes());
        field(&mut buffer, &row.step.to_be_bytes());
        field(&mut buffer, row.category.as_bytes());
        field(&mut buffer, &row.value.to_be_bytes());
        out.write_all(&buffer)?;
    }
    out.write_all(&(-1_i16).to_be_bytes())?;
    out.flush()?;
    Ok(())
}
