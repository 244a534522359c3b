//! Queries whose columns are known at run time, read into Arrow.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int16Builder, Int32Builder,
    Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, TimeUnit};
use chrono::NaiveDateTime;
use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::row::{Field, NamedRow, Row};
use diesel::sql_types::{
    BigInt, Bool, Double, Integer, Nullable, SmallInt, SqlType, Text, Timestamp,
    is_nullable::NotNull,
};
use diesel::sqlite::Sqlite;

use crate::error::Result;
use crate::schema::{Column, ColumnType};
use crate::store::kept::{around_parameters, kept};
use crate::store::postgres::copy_out::{self, Ended};
use crate::store::{AnyConnection, doing, postgres, sql};

pub(crate) type AnyBackend = <AnyConnection as Connection>::Backend;

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) enum Bind {
    BigInt(i64),
    Double(f64),
    Text(String),
    Timestamp(NaiveDateTime),
}

impl Bind {
    /// For [`Engine::is_in_texts`]. Those with a NUL are left out: no name has one, and PostgreSQL's JSON neither.
    pub(crate) fn of_texts<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let texts = texts.filter(|text| !text.contains('\0'));
        Self::Text(serde_json::Value::from_iter(texts).to_string())
    }
}

/// A query with its parameters written out; `None`: there are some that are better sent.
///
/// A text with backslashes is marked as one in which they count, whatever the server thinks of those that are not:
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>.
fn written_out(text: &str, binds: &[Bind]) -> Option<String> {
    let (begin, parts) = around_parameters(text);
    let mut all = begin.to_owned();
    for (number, rest) in parts {
        match binds.get(number.checked_sub(1)?)? {
            Bind::BigInt(value) => all += &format!("CAST({value} AS bigint)"),
            Bind::Text(value) if !value.contains('\0') => {
                let escape = if value.contains('\\') { "E" } else { "" };
                let value = value.replace('\\', r"\\").replace('\'', "''");
                all += &format!("CAST({escape}'{value}' AS text)");
            }
            Bind::Text(_) | Bind::Double(_) | Bind::Timestamp(_) => return None,
        }
        all += rest;
    }
    Some(all)
}

/// The Arrow type that a column is read into and loaded from.
pub(crate) fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::BigInt => DataType::Int64,
        ColumnType::Integer => DataType::Int32,
        ColumnType::SmallInt => DataType::Int16,
        ColumnType::Double => DataType::Float64,
        ColumnType::Text => DataType::Utf8,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

enum Builder {
    BigInt(Int64Builder),
    Integer(Int32Builder),
    SmallInt(Int16Builder),
    Double(Float64Builder),
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
}

fn read<'a, S, T>(field: &impl Field<'a, AnyBackend>) -> deserialize::Result<Option<T>>
where
    S: SqlType<IsNull = NotNull>,
    Option<T>: FromSql<Nullable<S>, AnyBackend>,
{
    FromSql::from_nullable_sql(field.value())
}

impl Builder {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::BigInt => Self::BigInt(Int64Builder::new()),
            ColumnType::Integer => Self::Integer(Int32Builder::new()),
            ColumnType::SmallInt => Self::SmallInt(Int16Builder::new()),
            ColumnType::Double => Self::Double(Float64Builder::new()),
            ColumnType::Text => Self::Text(StringBuilder::new()),
            ColumnType::Bool => Self::Bool(BooleanBuilder::new()),
            ColumnType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
        }
    }

    fn append<'a>(&mut self, field: &impl Field<'a, AnyBackend>) -> deserialize::Result<()> {
        match self {
            Self::BigInt(b) => b.append_option(read::<BigInt, i64>(field)?),
            Self::Integer(b) => b.append_option(read::<Integer, i32>(field)?),
            Self::SmallInt(b) => b.append_option(read::<SmallInt, i16>(field)?),
            Self::Double(b) => b.append_option(read::<Double, f64>(field)?),
            Self::Text(b) => b.append_option(read::<Text, String>(field)?),
            Self::Bool(b) => b.append_option(read::<Bool, bool>(field)?),
            Self::Timestamp(b) => b.append_option(
                read::<Timestamp, NaiveDateTime>(field)?
                    .map(|time| time.and_utc().timestamp_micros()),
            ),
        }
        Ok(())
    }

    /// Appends a field in PostgreSQL's binary format.
    fn append_copied(&mut self, field: Option<&[u8]>) -> deserialize::Result<()> {
        fn bytes<const N: usize>(field: Option<&[u8]>) -> deserialize::Result<Option<[u8; N]>> {
            Ok(field.map(<[u8; N]>::try_from).transpose()?)
        }
        match self {
            Self::BigInt(b) => b.append_option(bytes(field)?.map(i64::from_be_bytes)),
            Self::Integer(b) => b.append_option(bytes(field)?.map(i32::from_be_bytes)),
            Self::SmallInt(b) => b.append_option(bytes(field)?.map(i16::from_be_bytes)),
            Self::Double(b) => b.append_option(bytes(field)?.map(f64::from_be_bytes)),
            Self::Text(b) => b.append_option(field.map(str::from_utf8).transpose()?),
            Self::Bool(b) => b.append_option(bytes(field)?.map(|[is_true]| is_true != 0)),
            Self::Timestamp(b) => {
                let time = bytes(field)?.map(i64::from_be_bytes);
                // PostgreSQL's infinities are the ends of the range; the upper one overflows by itself.
                let since_1970 = |time: i64| {
                    let finite = (time != i64::MIN).then_some(time);
                    let time = finite.and_then(|time| time.checked_add(postgres::copy::YEAR_2000));
                    time.ok_or("a timestamp without beginning or end")
                };
                b.append_option(time.map(since_1970).transpose()?);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::BigInt(b) => ArrayBuilder::finish(b),
            Self::Integer(b) => ArrayBuilder::finish(b),
            Self::SmallInt(b) => ArrayBuilder::finish(b),
            Self::Double(b) => ArrayBuilder::finish(b),
            Self::Text(b) => ArrayBuilder::finish(b),
            Self::Bool(b) => ArrayBuilder::finish(b),
            Self::Timestamp(b) => ArrayBuilder::finish(b),
        }
    }
}

/// A column that is being read.
struct Reading {
    name: String,
    /// Where rows have it: known from the first one on.
    position: Option<usize>,
    builder: Builder,
}

thread_local! {
    /// Where the rows of the query on this thread go: diesel builds a row from a type alone, which
    /// knows nothing of columns that were named at run time.
    static READING: RefCell<Vec<Reading>> = const { RefCell::new(Vec::new()) };
}

/// A row that went into the builders.
struct Appended;

impl QueryableByName<AnyBackend> for Appended {
    fn build<'a>(row: &impl NamedRow<'a, AnyBackend>) -> deserialize::Result<Self> {
        READING.with_borrow_mut(|columns| {
            columns.iter_mut().try_for_each(|column| {
                let position = match column.position {
                    Some(position) => position,
                    None => {
                        let found = row.idx(column.name.as_str());
                        *column
                            .position
                            .insert(found.ok_or_else(|| format!("no column {}", column.name))?)
                    }
                };
                let field =
                    Row::get(row, position).ok_or_else(|| format!("no column {}", column.name))?;
                column.builder.append(&field)
            })
        })?;
        Ok(Self)
    }
}

/// Generated SQL with its parameters.
pub(crate) fn query<'q>(text: &str, binds: &[Bind]) -> BoxedSqlQuery<'q, AnyBackend, SqlQuery> {
    let mut query = sql(text).into_boxed();
    for bind in binds {
        query = match bind {
            Bind::BigInt(value) => query.bind::<BigInt, _>(*value),
            Bind::Double(value) => query.bind::<Double, _>(*value),
            Bind::Text(value) => query.bind::<Text, _>(value.clone()),
            Bind::Timestamp(value) => query.bind::<Timestamp, _>(*value),
        };
    }
    query
}

/// How PostgreSQL plans the statements of a write. SQLite plans for no number of rows, and keeps them all prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// For few rows, each found by an index, however large the tables are or were: so a plan can be kept.
    Kept,
    /// For the rows at hand, anew each time: a plan that was made for few would be used for many.
    Anew,
    /// [`Anew`](Self::Anew), for more rows than a hash table of them has room for.
    InOrder,
}

impl Plan {
    /// Up to here it takes longer to find the best plan than a worse one takes.
    pub(crate) const FEW: usize = 1000;

    /// Up to here a hash table fits into the memory that PostgreSQL is given for it.
    pub(crate) const HASHED: usize = 500_000;

    pub(crate) fn of(rows: usize) -> Self {
        if rows <= Self::FEW {
            Self::Kept
        } else if rows <= Self::HASHED {
            Self::Anew
        } else {
            Self::InOrder
        }
    }

    /// Has the statements of the open transaction planned so, from here on.
    pub(crate) fn begin(self, connection: &mut AnyConnection) -> Result<()> {
        match connection {
            AnyConnection::Sqlite(_) => Ok(()),
            AnyConnection::Postgres(connection) => connection
                .batch_execute(&match self {
                    Self::Kept => format!("SELECT {}", postgres::plan_for_few()),
                    Self::Anew => postgres::plan_for_any(),
                    Self::InOrder => format!(
                        "{}; SELECT {}",
                        postgres::plan_for_any(),
                        postgres::JOIN_IN_ORDER
                    ),
                })
                .map_err(doing("choosing how to plan")),
        }
    }
}

/// Runs a statement of a write; returns how many rows it wrote.
pub(crate) fn execute(
    connection: &mut AnyConnection,
    plan: Plan,
    text: &str,
    binds: &[Bind],
) -> QueryResult<usize> {
    match (connection, plan) {
        (AnyConnection::Sqlite(connection), _) => kept(text, binds).execute(connection),
        (AnyConnection::Postgres(connection), Plan::Kept) => kept(text, binds).execute(connection),
        (connection, _) => query(text, binds).execute(connection),
    }
}

/// Runs a query of a write that yields some rows.
pub(crate) fn load<T>(
    connection: &mut AnyConnection,
    plan: Plan,
    text: &str,
    binds: &[Bind],
) -> QueryResult<Vec<T>>
where
    T: QueryableByName<Sqlite> + QueryableByName<Pg> + QueryableByName<AnyBackend> + 'static,
{
    match (connection, plan) {
        (AnyConnection::Sqlite(connection), _) => kept(text, binds).load(connection),
        (AnyConnection::Postgres(connection), Plan::Kept) => kept(text, binds).load(connection),
        (connection, _) => query(text, binds).load(connection),
    }
}

/// Runs a query of a write that yields one row.
pub(crate) fn get<T>(
    connection: &mut AnyConnection,
    plan: Plan,
    text: &str,
    binds: &[Bind],
) -> QueryResult<T>
where
    T: QueryableByName<Sqlite> + QueryableByName<Pg> + QueryableByName<AnyBackend> + 'static,
{
    load(connection, plan, text, binds)?
        .pop()
        .ok_or(diesel::result::Error::NotFound)
}

/// Runs a query that yields the columns by name.
pub(crate) fn select(
    connection: &mut AnyConnection,
    text: &str,
    binds: &[Bind],
    columns: &[Column],
) -> Result<RecordBatch> {
    // A plan is for the rows at hand.
    select_as(connection, Plan::Anew, text, binds, columns)
}

/// [`select`] in a write.
pub(crate) fn select_as(
    connection: &mut AnyConnection,
    plan: Plan,
    text: &str,
    binds: &[Bind],
    columns: &[Column],
) -> Result<RecordBatch> {
    let (batch, rows) = appended(columns, || {
        let rows: Vec<Appended> = match (&*connection, plan) {
            (AnyConnection::Sqlite(_), _) | (_, Plan::Kept) => {
                kept(text, binds).load(connection)?
            }
            (AnyConnection::Postgres(_), _) => query(text, binds).load(connection)?,
        };
        Ok(rows.len())
    })?;
    debug_assert_eq!(batch.num_rows(), rows);
    Ok(batch)
}

/// What `read` appends to the builders, and what it counted.
fn appended(
    columns: &[Column],
    read: impl FnOnce() -> QueryResult<usize>,
) -> Result<(RecordBatch, usize)> {
    READING.set(
        columns
            .iter()
            .map(|column| Reading {
                name: column.name.clone(),
                position: None,
                builder: Builder::new(column.column_type),
            })
            .collect(),
    );
    let rows = read();
    let mut builders = READING.take();
    let rows = rows.map_err(doing("reading rows"))?;
    let arrays = builders
        .iter_mut()
        .map(|column| column.builder.finish())
        .collect();
    Ok((RecordBatch::try_new(schema_of(columns), arrays)?, rows))
}

/// Runs a query in the transaction that is open and hands its rows on, `at_once` of them at most, without ever having
/// all of them in memory.
pub(crate) fn stream(
    connection: &mut AnyConnection,
    text: &str,
    columns: &[Column],
    at_once: usize,
    mut each: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    match connection {
        AnyConnection::Sqlite(_) => {
            let mut rows = query(text, &[])
                .load_iter::<Appended, DefaultLoadingMode>(connection)
                .map_err(doing("reading rows"))?;
            loop {
                let (batch, read) = appended(columns, || {
                    rows.by_ref()
                        .take(at_once)
                        .try_fold(0, |read, row| row.map(|_| read + 1))
                })?;
                if read > 0 {
                    each(&batch)?;
                }
                if read < at_once {
                    return Ok(());
                }
            }
        }
        // Without a cursor the client would get all rows at once.
        AnyConnection::Postgres(_) => {
            const CURSOR: &str = "stratalog_rows";
            query(
                &format!("DECLARE {CURSOR} NO SCROLL CURSOR FOR {text}"),
                &[],
            )
            .execute(connection)
            .map_err(doing("reading rows"))?;
            loop {
                let (batch, read) = appended(columns, || {
                    let fetch = format!("FETCH {at_once} FROM {CURSOR}");
                    Ok(query(&fetch, &[]).load::<Appended>(connection)?.len())
                })?;
                if read > 0 {
                    each(&batch)?;
                }
                if read < at_once {
                    break;
                }
            }
            query(&format!("CLOSE {CURSOR}"), &[])
                .execute(connection)
                .map(|_| ())
                .map_err(doing("reading rows"))
        }
    }
}

/// [`select`] of a run's rows, in the order of their key.
///
/// Without statistics, as in a fresh database, PostgreSQL takes a run for a few rows and sorts them, in files when they turn
/// out to be many: four times as long as to read them by the index of the key, as they lie there (measured).
pub(crate) fn select_in_order(
    connection: &mut AnyConnection,
    text: &str,
    binds: &[Bind],
    columns: &[Column],
) -> Result<RecordBatch> {
    if let AnyConnection::Postgres(connection) = connection {
        const NO_SORT: &str = "SET LOCAL enable_sort = off";
        let copied = match written_out(text, binds) {
            Some(text) => copied(connection, NO_SORT, &text, columns)?,
            None => None,
        };
        if let Some(batch) = copied {
            return Ok(batch);
        }
        connection
            .batch_execute(NO_SORT)
            .map_err(doing("reading rows"))?;
    }
    select(connection, text, binds, columns)
}

/// [`select`] of a query that yields the columns in this order; `None`: that went wrong, and `select` says why. A sixth
/// less time (measured): rows need not be there all before the first of them is taken.
fn copied(
    connection: &mut PgConnection,
    settings: &str,
    text: &str,
    columns: &[Column],
) -> Result<Option<RecordBatch>> {
    let mut builders: Vec<_> = columns
        .iter()
        .map(|column| Builder::new(column.column_type))
        .collect();
    let ended = copy_out::rows(connection, settings, text, |mut fields| {
        builders
            .iter_mut()
            .try_for_each(|builder| builder.append_copied(fields.take()?))
    })
    .map_err(doing("reading rows"))?;
    if ended == Ended::Before {
        return Ok(None);
    }
    let arrays = builders.iter_mut().map(Builder::finish).collect();
    Ok(Some(RecordBatch::try_new(schema_of(columns), arrays)?))
}

/// The schema of what [`select`] yields.
pub(crate) fn schema_of(columns: &[Column]) -> Arc<Schema> {
    let fields = columns
        .iter()
        .map(|c| ArrowField::new(&c.name, arrow_type(c.column_type), c.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::TimestampMicrosecondType;

    use super::*;

    #[test]
    fn infinite_timestamps_of_postgres_are_refused_and_finite_ones_kept() {
        let mut builder = Builder::new(ColumnType::Timestamp);
        for infinite in [i64::MIN, i64::MAX] {
            assert!(
                builder
                    .append_copied(Some(&infinite.to_be_bytes()))
                    .is_err()
            );
        }
        for finite in [-postgres::copy::YEAR_2000, 0, 1] {
            assert!(builder.append_copied(Some(&finite.to_be_bytes())).is_ok());
        }
        let times = builder.finish();
        let year_2000 = postgres::copy::YEAR_2000;
        assert_eq!(
            times.as_primitive::<TimestampMicrosecondType>().values(),
            &[0, year_2000, year_2000 + 1]
        );
    }

    #[test]
    fn texts_with_quotes_and_backslashes_are_written_out_as_postgres_reads_them() {
        let text = |text: &str| Bind::Text(text.into());
        let query = "SELECT 1 WHERE a = $1 AND b = $2 AND c = $1";
        assert_eq!(
            written_out(query, &[text(r"it's \$2"), Bind::BigInt(-7)]).as_deref(),
            Some(
                r"SELECT 1 WHERE a = CAST(E'it''s \\$2' AS text) AND b = CAST(-7 AS bigint) AND c = CAST(E'it''s \\$2' AS text)"
            )
        );
        assert_eq!(written_out(query, &[text("a\0b"), Bind::BigInt(1)]), None);
        assert_eq!(written_out(query, &[text("too few")]), None);
    }
}
