//! Filters as they are written on the command line.

use crate::filter::Filter;

/// `year__gte=2030`; the value is JSON, or else text.
#[derive(Clone, Debug)]
pub(super) struct Criterion {
    name: String,
    value: serde_json::Value,
}

impl Criterion {
    /// A filter with these criteria too.
    pub(super) fn all(filter: Filter, criteria: &[Self]) -> Filter {
        criteria.iter().fold(filter, |filter, criterion| {
            filter.with(&criterion.name, criterion.value.clone())
        })
    }
}

impl std::str::FromStr for Criterion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once('=')
            .ok_or("a filter is NAME=VALUE, such as year__gte=2030")?;
        Ok(Self {
            name: name.to_owned(),
            value: serde_json::from_str(value).unwrap_or_else(|_| value.into()),
        })
    }
}
