//! What a criterion compares with.

use std::fmt;

use chrono::NaiveDateTime;

use crate::filter::Filter;

/// What a criterion of a [`Filter`] compares with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FilterValue {
    /// Says nothing: the criterion is left out.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text, in which `*` may stand for any text.
    Text(String),
    /// A time (UTC).
    Time(NaiveDateTime),
    /// Any of these.
    List(Vec<FilterValue>),
    /// A filter of what the criterion names.
    Filter(Filter),
}

impl FilterValue {
    pub(crate) fn list(values: impl IntoIterator<Item = impl Into<FilterValue>>) -> Self {
        let mut values: Vec<_> = values.into_iter().map(Into::into).collect();
        match (values.len(), values.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                values.extend(last);
                Self::List(values)
            }
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),+) => {
        $(impl From<$type> for FilterValue {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })+
    };
}
from!(bool => Bool, i32 => Int, i64 => Int, f64 => Float, &str => Text, &String => Text, String => Text,
    NaiveDateTime => Time, Filter => Filter);

impl<T: Into<FilterValue>> From<Vec<T>> for FilterValue {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<FilterValue>, const N: usize> From<[T; N]> for FilterValue {
    fn from(values: [T; N]) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<FilterValue>> From<Option<T>> for FilterValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<serde_json::Value> for FilterValue {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(values) => values.into(),
            serde_json::Value::Object(criteria) => Self::Filter(
                criteria
                    .into_iter()
                    .fold(Filter::all(), |filter, (name, value)| {
                        filter.with(name, value)
                    }),
            ),
        }
    }
}

impl FilterValue {
    /// As messages show it: text in quotes.
    pub(super) fn quoted(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::List(values) => {
                let values: Vec<_> = values.iter().map(Self::quoted).collect();
                format!("[{}]", values.join(", "))
            }
            value => value.to_string(),
        }
    }
}

impl fmt::Display for FilterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => value.fmt(f),
            Self::Time(value) => value.fmt(f),
            Self::List(values) => {
                let values: Vec<_> = values.iter().map(ToString::to_string).collect();
                f.write_str(&values.join(" or "))
            }
            Self::Filter(filter) => write!(f, "({filter})"),
        }
    }
}
