//! The column types that mean the same on both engines.

use diesel::sql_types;
use serde::{Deserialize, Serialize};

/// A column's type. Each has one exact form on SQLite and one on PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// 64-bit integer.
    BigInt,
    /// 32-bit integer.
    Integer,
    /// 16-bit integer.
    SmallInt,
    /// 64-bit float. 0.0 and -0.0 are different values; NaN and infinity are refused at the border.
    Double,
    /// UTF-8 text without NUL, compared by bytes.
    Text,
    /// True or false.
    Bool,
    /// Date and time in UTC, to the microsecond.
    Timestamp,
}

impl ColumnType {
    /// What it holds, for messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::BigInt => "whole numbers",
            Self::Integer => "whole numbers of 32 bits",
            Self::SmallInt => "whole numbers of 16 bits",
            Self::Double => "numbers",
            Self::Text => "text",
            Self::Bool => "true or false",
            Self::Timestamp => "dates and times to the microsecond",
        }
    }
}

/// Diesel's SQL types that a described table may use.
pub trait DescribedType {
    /// The type in a description.
    const COLUMN_TYPE: ColumnType;
    /// Whether NULL is allowed.
    const NULLABLE: bool = false;
}

macro_rules! described {
    ($($name:ident),*) => {
        $(impl DescribedType for sql_types::$name {
            const COLUMN_TYPE: ColumnType = ColumnType::$name;
        })*
    };
}
described!(BigInt, Integer, SmallInt, Double, Text, Bool, Timestamp);

impl<T: DescribedType + sql_types::SqlType<IsNull = sql_types::is_nullable::NotNull>> DescribedType
    for sql_types::Nullable<T>
{
    const COLUMN_TYPE: ColumnType = T::COLUMN_TYPE;
    const NULLABLE: bool = true;
}
