//! Elements of indexsets: text, whole numbers or other numbers, one type in an indexset, in the order in which they
//! were added.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::history::ChangeCounts;
use crate::history::rows::RowOperation;
use crate::input::in_order_of_key;
use crate::optimization::{ItemKind, Optimization, data, read};
use crate::schema::VersionedTable;
use crate::schema::tables::indexset_elements;

/// How many bad values a message names.
pub(super) const NAMED: usize = 10;

/// An element of an indexset.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Element {
    /// Text without NUL.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Any other finite number.
    Float(f64),
}

impl From<&str> for Element {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Element {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Element {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl Element {
    /// How it is stored: as JSON, which keeps its type.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Text(text) => json_text(text),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => json_float(*number),
        }
    }

    pub(crate) fn of_json(json: &str) -> Result<Self> {
        let broken = || {
            Error::frame(format!(
                "an indexset has the element {json}, which is not JSON"
            ))
        };
        if json.starts_with('"') {
            return serde_json::from_str(json)
                .map(Self::Text)
                .map_err(|_| broken());
        }
        match json.parse() {
            Ok(number) => Ok(Self::Int(number)),
            Err(_) => json.parse().map(Self::Float).map_err(|_| broken()),
        }
    }

    pub(super) fn type_word(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Int(_) => "whole numbers",
            Self::Float(_) => "floats",
        }
    }
}

pub(super) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The shortest form that reads back as the same number, always with a point or an exponent. 0.0 and -0.0 are one
/// element.
pub(super) fn json_float(number: f64) -> String {
    format!("{:?}", number + 0.0)
}

/// "a", "b" and 3 more.
pub(super) fn some_of(values: &[String]) -> String {
    let shown = values.iter().take(NAMED).cloned().collect::<Vec<_>>();
    match values.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl Optimization<'_> {
    /// The elements of an indexset, in their order.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn elements(&self, indexset: &str) -> Result<Vec<Element>> {
        self.read(|reader| {
            reader.item(ItemKind::IndexSet, indexset)?;
            reader.elements(indexset)
        })
    }

    /// Adds elements to the end of an indexset.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RunLockRequired`]; [`Error::InvalidItem`] naming elements that are there already
    /// or twice, or of another type than the others.
    pub fn add_elements(
        &self,
        indexset: &str,
        elements: impl IntoIterator<Item = Element>,
    ) -> Result<ChangeCounts> {
        let new: Vec<_> = elements.into_iter().collect();
        self.write("indexsets.add", |write| {
            let mut reader = self.live(write);
            reader.item(ItemKind::IndexSet, indexset)?;
            let there = reader.positions(indexset)?;
            check(
                indexset,
                &there.iter().map(|(element, _)| element).collect::<Vec<_>>(),
                &new,
            )?;
            let next = there.last().map_or(1, |(_, position)| position + 1);
            let positions = next..;
            self.write_elements(write, indexset, &new, positions.take(new.len()).collect())
        })
    }

    fn write_elements(
        &self,
        write: &mut crate::history::write::Write<'_>,
        indexset: &str,
        elements: &[Element],
        positions: Vec<i64>,
    ) -> Result<ChangeCounts> {
        let table = indexset_elements::table::description();
        let count = elements.len();
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![self.access.run().id().0; count])),
            Arc::new(StringArray::from(vec![indexset; count])),
            Arc::new(StringArray::from_iter_values(
                elements.iter().map(Element::json),
            )),
            Arc::new(Int64Array::from(positions)),
        ];
        let batch = in_order_of_key(&table, &read::rows_batch(&table, arrays)?)?;
        data::write_batch(write, &table, &batch, RowOperation::Add)
    }

    /// Removes elements from an indexset, and with them the rows of all items that depend on them, as one
    /// transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RunLockRequired`]; [`Error::InvalidItem`] naming elements that are not there.
    pub fn remove_elements(
        &self,
        indexset: &str,
        elements: impl IntoIterator<Item = Element>,
    ) -> Result<ChangeCounts> {
        let gone: Vec<_> = elements.into_iter().collect();
        self.write("indexsets.remove", |write| {
            let mut reader = self.live(write);
            reader.item(ItemKind::IndexSet, indexset)?;
            let there: HashSet<_> = reader
                .elements(indexset)?
                .iter()
                .map(Element::json)
                .collect();
            let unknown: Vec<_> = gone
                .iter()
                .map(Element::json)
                .filter(|element| !there.contains(element))
                .collect();
            if !unknown.is_empty() {
                return Err(invalid(
                    indexset,
                    format!("it has no elements {}", some_of(&unknown)),
                ));
            }
            let users = reader.users(indexset)?;
            let jsons: HashSet<_> = gone.iter().map(Element::json).collect();
            let mut counts = ChangeCounts::default();
            for item in users {
                counts += self.remove_dependent(write, &item, indexset, &jsons)?;
            }
            let table = indexset_elements::table::description();
            let count = jsons.len();
            let mut jsons: Vec<_> = jsons.into_iter().collect();
            jsons.sort();
            let arrays: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from(vec![self.access.run().id().0; count])),
                Arc::new(StringArray::from(vec![indexset; count])),
                Arc::new(StringArray::from(jsons)),
                Arc::new(Int64Array::from(vec![0; count])),
            ];
            let batch = read::rows_batch(&table, arrays)?;
            counts += data::write_batch(write, &table, &batch, RowOperation::Remove)?;
            Ok(counts)
        })
    }
}

pub(super) fn invalid(indexset: &str, problem: String) -> Error {
    Error::InvalidItem {
        kind: ItemKind::IndexSet.word(),
        name: indexset.to_owned(),
        problem,
    }
}

fn check(indexset: &str, there: &[&Element], new: &[Element]) -> Result<()> {
    let mut seen: HashSet<_> = there.iter().map(|element| element.json()).collect();
    let wanted = there.first().copied().or(new.first());
    let mut twice = Vec::new();
    for element in new {
        match element {
            Element::Float(number) if !number.is_finite() => {
                return Err(invalid(indexset, format!("{number} is no element")));
            }
            Element::Text(text) if text.contains('\0') => {
                return Err(invalid(indexset, "an element has a NUL in its text".into()));
            }
            _ => {}
        }
        if let Some(wanted) = wanted
            && wanted.type_word() != element.type_word()
        {
            return Err(invalid(
                indexset,
                format!(
                    "its elements are {}; {} is of another type",
                    wanted.type_word(),
                    element.json()
                ),
            ));
        }
        let json = element.json();
        if !seen.insert(json.clone()) {
            twice.push(json);
        }
    }
    if twice.is_empty() {
        return Ok(());
    }
    Err(invalid(
        indexset,
        format!(
            "the elements {} are there already, or twice in what is added",
            some_of(&twice)
        ),
    ))
}
