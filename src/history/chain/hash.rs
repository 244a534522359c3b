//! What is hashed, and how: the same bytes for the same history on both engines.
//!
//! A value is a tag and its bytes, big-endian: 0 null; 1 integer, 8 bytes; 2 float, 8 bytes as IEEE 754 has them;
//! 3 text, its length in 8 bytes, then UTF-8; 4 bool, 1 byte; 5 time, microseconds since 1970-01-01 UTC in 8 bytes.
//!
//! - leaf = the first 16 bytes of SHA-256 over: text "row", text table, integer transaction_id, integer
//!   operation_type, then the row's columns in the order of its table
//! - transaction = SHA-256 over: text "transaction", id, issued_at, run_id, lock_token, actor, operation, client_uuid,
//!   and the kind and the target of its row in `reverts`, or two nulls
//! - head = SHA-256 over: the head before, the transaction, SHA-256 over all leaves; each of them 32 bytes. The first
//!   head of a chain is SHA-256 over: text "chain", integer run.
//!
//! Source of the function: FIPS 180-4.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use sha2::{Digest, Sha256};

use crate::core::Core;
use crate::error::Result;
use crate::history::as_of;
use crate::schema::tables::{reverts, transactions};
use crate::schema::{Column, ColumnType, OPERATION_TYPE, TRANSACTION_ID, TableDescription};
use crate::store::removal::key_label;
use crate::store::rows::{Bind, select};
use crate::store::{AnyConnection, column_list, doing, quote};

/// The hash of a version row.
pub(super) type Hash = [u8; 16];

/// A version row by its hash.
pub(super) struct Leaf {
    pub(super) hash: Hash,
    /// Which row it is of, where that was asked for.
    pub(super) row: Option<Row>,
}

/// A version row, as problems name it.
pub(super) struct Row {
    pub(super) table: String,
    pub(super) key: String,
    /// Whether it has columns for values and nothing in them, as after a redaction.
    pub(super) has_no_values: bool,
}

/// Whether leaves say which rows they are of.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Label {
    Yes,
    No,
}

/// One value, as it is hashed.
#[derive(Clone, Copy)]
enum Value<'a> {
    Null,
    Integer(i64),
    Float(f64),
    Text(&'a str),
    Bool(bool),
    Time(i64),
}

impl Value<'_> {
    fn write(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Null => bytes.push(0),
            Self::Integer(value) => {
                bytes.push(1);
                bytes.extend(value.to_be_bytes());
            }
            Self::Float(value) => {
                bytes.push(2);
                bytes.extend(value.to_bits().to_be_bytes());
            }
            Self::Text(value) => {
                bytes.push(3);
                bytes.extend((value.len() as u64).to_be_bytes());
                bytes.extend(value.as_bytes());
            }
            Self::Bool(value) => bytes.extend([4, u8::from(value)]),
            Self::Time(value) => {
                bytes.push(5);
                bytes.extend(value.to_be_bytes());
            }
        }
    }

    fn of(array: &ArrayRef, column_type: ColumnType, row: usize) -> Value<'_> {
        if array.is_null(row) {
            return Value::Null;
        }
        match column_type {
            ColumnType::BigInt => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
            ColumnType::Integer => {
                Value::Integer(array.as_primitive::<Int32Type>().value(row).into())
            }
            ColumnType::SmallInt => {
                Value::Integer(array.as_primitive::<Int16Type>().value(row).into())
            }
            ColumnType::Double => Value::Float(array.as_primitive::<Float64Type>().value(row)),
            ColumnType::Text => Value::Text(array.as_string::<i32>().value(row)),
            ColumnType::Bool => Value::Bool(array.as_boolean().value(row)),
            ColumnType::Timestamp => {
                Value::Time(array.as_primitive::<TimestampMicrosecondType>().value(row))
            }
        }
    }
}

fn sha256(values: &[Value<'_>]) -> [u8; 32] {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| value.write(&mut bytes));
    Sha256::digest(&bytes).into()
}

/// The first head of a chain.
pub(super) fn genesis(chain: i64) -> String {
    hexadecimal(&sha256(&[Value::Text("chain"), Value::Integer(chain)]))
}

/// The head after a transaction.
pub(super) fn head(before: &str, transaction: &[u8; 32], leaves: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(bytes_of(before));
    hasher.update(transaction);
    hasher.update(Sha256::digest(bytes_of(leaves)));
    hexadecimal(&hasher.finalize())
}

/// A row of `transactions`, with what it went back to; `None`: it is not there.
pub(super) fn transaction(connection: &mut AnyConnection, id: i64) -> Result<Option<[u8; 32]>> {
    type Row = (
        NaiveDateTime,
        Option<i64>,
        Option<i64>,
        String,
        String,
        String,
    );
    let row: Option<Row> = transactions::table
        .filter(transactions::id.eq(id))
        .select((
            transactions::issued_at,
            transactions::run_id,
            transactions::lock_token,
            transactions::actor,
            transactions::operation,
            transactions::client_uuid,
        ))
        .first(connection)
        .optional()
        .map_err(doing("reading a transaction"))?;
    let reverted: Option<(String, i64)> = reverts::table
        .filter(reverts::transaction_id.eq(id))
        .select((reverts::kind, reverts::target_id))
        .first(connection)
        .optional()
        .map_err(doing("reading a revert"))?;
    let integer = |value: Option<i64>| value.map_or(Value::Null, Value::Integer);
    Ok(
        row.map(|(issued_at, run, token, actor, operation, client_uuid)| {
            sha256(&[
                Value::Text("transaction"),
                Value::Integer(id),
                Value::Time(issued_at.and_utc().timestamp_micros()),
                integer(run),
                integer(token),
                Value::Text(&actor),
                Value::Text(&operation),
                Value::Text(&client_uuid),
                reverted
                    .as_ref()
                    .map_or(Value::Null, |(kind, _)| Value::Text(kind)),
                integer(reverted.as_ref().map(|(_, target)| *target)),
            ])
        }),
    )
}

/// The version rows of a chain's transactions in `[first, last]`, by transaction: by table, then by key. Rows that
/// transactions of other chains wrote to platform tables are among them.
pub(super) fn leaves(
    connection: &mut AnyConnection,
    core: &Core,
    chain: i64,
    (first, last): (i64, i64),
    label: Label,
) -> Result<BTreeMap<i64, Vec<Leaf>>> {
    let mut all: BTreeMap<i64, Vec<Leaf>> = BTreeMap::new();
    for table in core.tables().iter() {
        if chain == super::PLATFORM && table.is_run_scoped() {
            continue;
        }
        let columns = columns(table, label);
        let of_run = if table.is_run_scoped() {
            " AND v.run_id = $3"
        } else {
            ""
        };
        let mut binds = vec![Bind::BigInt(first), Bind::BigInt(last)];
        binds.extend(table.is_run_scoped().then_some(Bind::BigInt(chain)));
        let row_key = match label {
            Label::Yes => format!(", {} AS row_key", key_label(table, "v")),
            Label::No => String::new(),
        };
        let text = format!(
            "SELECT {}, v.{TRANSACTION_ID}, v.{OPERATION_TYPE}{row_key} FROM {} v {}
             WHERE v.{TRANSACTION_ID} >= $1 AND v.{TRANSACTION_ID} <= $2{of_run} ORDER BY {}",
            column_list("v", table.columns.iter()),
            quote(&table.version_name()),
            core.store.engine().by_transaction(table),
            column_list("v", table.key_columns()),
        );
        let rows = select(connection, &text, &binds, &columns)?;
        hash_rows(table, &columns, &rows, label, &mut all);
    }
    Ok(all)
}

fn columns(table: &TableDescription, label: Label) -> Vec<Column> {
    let extra = |name: &str, column_type| Column {
        name: name.into(),
        column_type,
        nullable: false,
        references: None,
        ordinal: false,
    };
    let mut columns = as_of::columns(table);
    columns.push(extra(TRANSACTION_ID, ColumnType::BigInt));
    columns.push(extra(OPERATION_TYPE, ColumnType::SmallInt));
    if label == Label::Yes {
        columns.push(extra("row_key", ColumnType::Text));
    }
    columns
}

fn hash_rows(
    table: &TableDescription,
    columns: &[Column],
    rows: &RecordBatch,
    label: Label,
    all: &mut BTreeMap<i64, Vec<Leaf>>,
) {
    let arrays = rows.columns();
    let own = table.columns.len();
    let values: Vec<&ArrayRef> = arrays
        .iter()
        .zip(&table.columns)
        .filter(|(_, column)| !table.key.contains(&column.name))
        .map(|(array, _)| array)
        .collect();
    let transactions = arrays[own].as_primitive::<Int64Type>();
    let operations = arrays[own + 1].as_primitive::<Int16Type>();
    let mut bytes = Vec::new();
    for row in 0..rows.num_rows() {
        bytes.clear();
        let transaction = transactions.value(row);
        Value::Text("row").write(&mut bytes);
        Value::Text(&table.name).write(&mut bytes);
        Value::Integer(transaction).write(&mut bytes);
        Value::Integer(operations.value(row).into()).write(&mut bytes);
        for (array, column) in arrays.iter().zip(columns).take(own) {
            Value::of(array, column.column_type, row).write(&mut bytes);
        }
        let mut hash = Hash::default();
        hash.copy_from_slice(&Sha256::digest(&bytes)[..16]);
        let row = (label == Label::Yes).then(|| {
            let key = arrays[own + 2].as_string::<i32>().value(row);
            Row {
                table: table.name.clone(),
                key: key.to_owned(),
                has_no_values: !values.is_empty() && values.iter().all(|array| array.is_null(row)),
            }
        });
        all.entry(transaction).or_default().push(Leaf { hash, row });
    }
}

/// Leaves as they are kept.
pub(super) fn text_of(leaves: &[Leaf]) -> String {
    let bytes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.hash).collect();
    hexadecimal(&bytes)
}

/// Leaves that were kept.
pub(super) fn kept(leaves: &str) -> Vec<Hash> {
    bytes_of(leaves)
        .chunks(size_of::<Hash>())
        .map(|chunk| {
            let mut hash = Hash::default();
            hash[..chunk.len()].copy_from_slice(chunk);
            hash
        })
        .collect()
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// What is no such text gives other bytes than what is, which is all that is asked of it.
fn bytes_of(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
    let digits: Option<Vec<usize>> = text.as_bytes().iter().map(digit).collect();
    match digits {
        Some(digits) if digits.len().is_multiple_of(2) => digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or_default())
            .collect(),
        _ => text.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out with Python's `hashlib` and `struct`: `docs/design.md` has the first of them.
    #[test]
    fn the_first_heads_are_known() {
        assert_eq!(
            genesis(0),
            "0a9c237066286b5aa4618385479f249576e922d34b158a16876a242d5aae254e"
        );
        assert_eq!(
            genesis(7),
            "459f124f6cec23cdc3cd93e80467d74cc7a6811235b923a51fcd228c5466ac36"
        );
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&hexadecimal(&bytes)), bytes);
        assert_eq!(hexadecimal(&[0, 15, 255]), "000fff");
    }

    #[test]
    fn zeros_of_both_signs_differ() {
        assert_ne!(sha256(&[Value::Float(0.0)]), sha256(&[Value::Float(-0.0)]));
    }
}
