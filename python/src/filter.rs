//! Filters, from keyword arguments.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDateTime, PyDict, PyFloat, PyMapping, PyString};
use stratalog::{Filter, FilterValue};

use crate::error::{Failure, Result};
use crate::input::{Text, shown, utc, whole_number};

/// A filter of all that the keyword arguments say; `None` says nothing.
pub(crate) fn filter(criteria: Option<&Bound<'_, PyDict>>) -> Result<Filter> {
    let mut filter = Filter::all();
    for (name, value) in criteria.into_iter().flatten() {
        let name: String = name.extract()?;
        let value = filter_value(&name, &value)?;
        filter = filter.with(name, value);
    }
    Ok(filter)
}

/// A filter of arguments that have a place of their own, and all other keyword arguments.
pub(crate) fn filter_of(
    py: Python<'_>,
    named: &[(&str, Option<&Bound<'_, PyAny>>)],
    others: Option<&Bound<'_, PyDict>>,
) -> Result<Filter> {
    let criteria = PyDict::new(py);
    for (name, value) in named {
        criteria.set_item(name, value)?;
    }
    if let Some(others) = others {
        criteria.update(others.as_mapping())?;
    }
    filter(Some(&criteria))
}

fn filter_value(name: &str, value: &Bound<'_, PyAny>) -> Result<FilterValue> {
    // Scalars of numpy and pandas become Python's.
    let value = if value.hasattr("dtype")? && value.hasattr("item")? && !value.hasattr("__len__")? {
        &value.call_method0("item")?
    } else {
        value
    };
    if value.is_none() {
        return Ok(FilterValue::Null);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(value.is_true().into());
    }
    if let Some(number) = whole_number(value) {
        return Ok(number.into());
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(value.extract::<f64>()?.into());
    }
    if value.is_instance_of::<PyString>() {
        return Ok(value.extract::<Text>()?.0.into());
    }
    if value.is_instance_of::<PyDateTime>() {
        return Ok(utc(value.as_borrowed())?.into());
    }
    let refused = |value: &Bound<'_, PyAny>| {
        Failure::filter(format!(
            "{name}={} cannot be used: give text, a number, a datetime, True or False, a list of these, or a dict of \
             filters",
            shown(value)
        ))
    };
    if let Ok(mapping) = value.cast::<PyMapping>() {
        let criteria = PyDict::new(value.py());
        criteria.update(mapping)?;
        if criteria
            .keys()
            .iter()
            .any(|key| !key.is_instance_of::<PyString>())
        {
            return Err(refused(value));
        }
        return Ok(filter(Some(&criteria))?.into());
    }
    if value.is_instance_of::<PyBytes>() {
        return Err(refused(value));
    }
    let mut values = Vec::new();
    for member in value.try_iter().map_err(|_| refused(value))? {
        let member = member?;
        match filter_value(name, &member)? {
            FilterValue::Null | FilterValue::List(_) | FilterValue::Filter(_) => {
                return Err(refused(&member));
            }
            value => values.push(value),
        }
    }
    Ok(FilterValue::List(values))
}
