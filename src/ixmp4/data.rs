//! The data of tables, parameters, variables and equations, which ixmp4 keeps as one JSON object of columns per item:
//! from there to a row per combination of elements.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray};
use serde_json::value::RawValue;

use super::items::{ElementType, SourceItem};
use super::staged::batch;
use crate::error::Result;
use crate::ids::RunId;
use crate::optimization::{Element, ItemKind};
use crate::schema::VersionedTable;
use crate::schema::tables::optimization_rows;

/// An item's data, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Data {
    /// The elements of each row as a JSON array.
    pub(super) keys: Vec<String>,
    /// Of parameters.
    pub(super) values: Vec<f64>,
    units: Vec<u32>,
    pub(super) unit_names: Vec<String>,
    /// Of variables and equations.
    pub(super) levels: Vec<f64>,
    pub(super) marginals: Vec<f64>,
}

/// The element that a text in an indexset, or a value in JSON, stands for.
pub(super) fn element(text: &str, of: ElementType) -> Option<Element> {
    match of {
        ElementType::Text => Some(Element::Text(text.to_owned())),
        ElementType::Int => text
            .parse()
            .ok()
            .or_else(|| whole(text.parse().ok()?))
            .map(Element::Int),
        ElementType::Float => text
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .map(Element::Float),
    }
}

/// 2.0 is 2 among whole numbers: a column with gaps was one of floats for a while.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn element_of_json(raw: &str, of: Option<ElementType>) -> Option<Element> {
    let of = match of {
        Some(of) => of,
        None if raw.starts_with('"') => ElementType::Text,
        None if raw.parse::<i64>().is_ok() => ElementType::Int,
        None => ElementType::Float,
    };
    match (of, raw.starts_with('"')) {
        (ElementType::Text, true) => element(&serde_json::from_str::<String>(raw).ok()?, of),
        (ElementType::Text, false) | (_, true) => None,
        (_, false) => element(raw, of),
    }
}

/// The type that the elements of a column have in an item's data, when nothing else says it.
pub(super) fn type_in(json: &str, column: &str) -> Option<ElementType> {
    let columns: HashMap<String, Vec<&RawValue>> = serde_json::from_str(json).ok()?;
    let first = columns.get(column)?.first()?.get();
    Some(if first.starts_with('"') {
        ElementType::Text
    } else if first.parse::<i64>().is_ok() {
        ElementType::Int
    } else {
        ElementType::Float
    })
}

/// Reads an item's data; `types`: of the elements of each column. What is wrong is said in words.
pub(super) fn parse(
    item: &SourceItem,
    json: &str,
    types: &[Option<ElementType>],
) -> Result<Data, String> {
    let columns: HashMap<String, Vec<&RawValue>> = serde_json::from_str(json).map_err(|error| {
        format!(
            "its data are not JSON as it should be ({error}); NaN and infinity have no place here"
        )
    })?;
    if columns.values().all(Vec::is_empty) {
        return Ok(Data::default());
    }
    let column = |name: &str| -> Result<&Vec<&RawValue>, String> {
        columns
            .get(name)
            .ok_or_else(|| format!("its data have no column \"{name}\""))
    };
    let rows = columns.values().map(Vec::len).max().unwrap_or_default();
    if columns.values().any(|values| values.len() != rows) {
        return Err("the columns of its data are of different lengths".into());
    }
    let mut keys = vec![String::from("["); rows];
    for (position, (described, of)) in item.columns.iter().zip(types).enumerate() {
        let mut known: HashMap<&str, String> = HashMap::new();
        for (key, raw) in keys.iter_mut().zip(column(&described.name)?) {
            if position > 0 {
                key.push(',');
            }
            let raw = raw.get();
            let json = match known.get(raw) {
                Some(json) => json,
                None => {
                    let element = element_of_json(raw, *of).ok_or_else(|| {
                        format!(
                            "its column \"{}\" has {raw}, which the elements of indexset \"{}\" cannot be",
                            described.name, described.indexset
                        )
                    })?;
                    known.entry(raw).or_insert(element.json())
                }
            };
            key.push_str(json);
        }
    }
    for key in &mut keys {
        key.push(']');
    }
    let mut data = Data {
        keys,
        ..Data::default()
    };
    match item.kind {
        ItemKind::Parameter => {
            data.values = numbers("values", column("values")?)?;
            (data.unit_names, data.units) = texts("units", column("units")?)?;
        }
        ItemKind::Variable | ItemKind::Equation => {
            data.levels = numbers("levels", column("levels")?)?;
            data.marginals = numbers("marginals", column("marginals")?)?;
        }
        ItemKind::IndexSet | ItemKind::Scalar | ItemKind::Table => {}
    }
    data.sorted()
}

fn numbers(name: &str, values: &[&RawValue]) -> Result<Vec<f64>, String> {
    values
        .iter()
        .map(|raw| {
            raw.get()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .ok_or_else(|| {
                    format!(
                        "its column \"{name}\" has {}, which is no finite number",
                        raw.get()
                    )
                })
        })
        .collect()
}

fn texts(name: &str, values: &[&RawValue]) -> Result<(Vec<String>, Vec<u32>), String> {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut texts = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    for raw in values {
        let raw = raw.get();
        let code = match known.get(raw) {
            Some(code) => *code,
            None => {
                let text = serde_json::from_str(raw)
                    .map_err(|_| format!("its column \"{name}\" has {raw}, which is no text"))?;
                texts.push(text);
                *known.entry(raw).or_insert(texts.len() as u32 - 1)
            }
        };
        codes.push(code);
    }
    Ok((texts, codes))
}

impl Data {
    pub(super) fn unit(&self, row: usize) -> &str {
        &self.unit_names[self.units[row] as usize]
    }

    /// In the order of the keys; none may be there twice.
    fn sorted(self) -> Result<Self, String> {
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_by(|a, b| self.keys[*a].cmp(&self.keys[*b]));
        let twice = order
            .windows(2)
            .find(|pair| self.keys[pair[0]] == self.keys[pair[1]]);
        if let Some(pair) = twice {
            return Err(format!(
                "its data have the row {} more than once",
                self.keys[pair[0]]
            ));
        }
        fn in_order<T: Clone>(values: &[T], order: &[usize]) -> Vec<T> {
            if values.is_empty() {
                return Vec::new();
            }
            order.iter().map(|row| values[*row].clone()).collect()
        }
        Ok(Self {
            values: in_order(&self.values, &order),
            units: in_order(&self.units, &order),
            levels: in_order(&self.levels, &order),
            marginals: in_order(&self.marginals, &order),
            keys: in_order(&self.keys, &order),
            unit_names: self.unit_names,
        })
    }

    /// The rows of the table of data; `units`: the ids of all units.
    pub(super) fn rows(
        self,
        item: &SourceItem,
        run: RunId,
        units: &HashMap<String, i64>,
    ) -> Result<RecordBatch> {
        let count = self.keys.len();
        let unit_ids: Vec<_> = self
            .unit_names
            .iter()
            .map(|name| units.get(name).copied())
            .collect();
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("run_id", Arc::new(Int64Array::from(vec![run.0; count]))),
            (
                "kind",
                Arc::new(Int16Array::from(vec![item.kind as i16; count])),
            ),
            (
                "item",
                Arc::new(StringArray::from(vec![item.name.as_str(); count])),
            ),
            ("elements", Arc::new(StringArray::from(self.keys))),
        ];
        if item.kind == ItemKind::Parameter {
            let ids = self.units.iter().map(|code| unit_ids[*code as usize]);
            columns.push(("unit_id", Arc::new(ids.collect::<Int64Array>())));
        }
        for (name, values) in [
            ("value", self.values),
            ("level", self.levels),
            ("marginal", self.marginals),
        ] {
            if !values.is_empty() {
                columns.push((name, Arc::new(Float64Array::from(values))));
            }
        }
        batch(&optimization_rows::table::description(), count, columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ixmp4::items::SourceColumn;

    fn item(kind: ItemKind, columns: &[&str]) -> SourceItem {
        SourceItem {
            kind,
            id: 1,
            name: "x".into(),
            number: 1,
            value: None,
            unit: None,
            columns: columns
                .iter()
                .map(|name| SourceColumn {
                    name: (*name).into(),
                    indexset: (*name).into(),
                    indexset_id: 1,
                })
                .collect(),
            element_type: None,
            docs: None,
        }
    }

    #[test]
    fn columns_become_rows_in_the_order_of_their_keys() -> Result<(), String> {
        let parameter = item(ItemKind::Parameter, &["i", "j", "k"]);
        let json = r#"{"k": [1.5, 2], "i": ["b", "\u00e4"], "values": [1, -0.0], "units": ["km", ""], "j": [2.0, 1]}"#;
        let types = [
            Some(ElementType::Text),
            Some(ElementType::Int),
            Some(ElementType::Float),
        ];
        let data = parse(&parameter, json, &types)?;
        assert_eq!(data.keys, [r#"["b",2,1.5]"#, r#"["ä",1,2.0]"#]);
        assert_eq!((data.unit(0), data.unit(1)), ("km", ""));
        // Sorted: "b" comes first.
        assert!(data.values[1].to_bits() == (-0.0_f64).to_bits());
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_said() -> Result<(), String> {
        let parameter = item(ItemKind::Parameter, &["i"]);
        for (json, expected) in [
            (
                r#"{"i": ["a"], "values": [NaN], "units": ["km"]}"#,
                "not JSON",
            ),
            (
                r#"{"i": ["a"], "values": [null], "units": ["km"]}"#,
                "no finite number",
            ),
            (
                r#"{"i": ["a"], "values": [1e999], "units": ["km"]}"#,
                "no finite number",
            ),
            (
                r#"{"i": [1], "values": [1], "units": ["km"]}"#,
                "has 1, which the elements",
            ),
            (r#"{"i": ["a"], "values": [1], "units": [1]}"#, "no text"),
            (r#"{"i": ["a"], "values": [1]}"#, "no column \"units\""),
            (
                r#"{"i": ["a", "b"], "values": [1], "units": ["km"]}"#,
                "different lengths",
            ),
            (
                r#"{"i": ["a", "a"], "values": [1, 2], "units": ["km", "km"]}"#,
                "more than once",
            ),
        ] {
            let parsed = parse(&parameter, json, &[Some(ElementType::Text)]);
            let problem = parsed.err().unwrap_or_default();
            assert!(problem.contains(expected), "{json}: {problem:?}");
        }
        let nothing = parse(&parameter, "{}", &[Some(ElementType::Text)])?;
        assert!(nothing.keys.is_empty());
        Ok(())
    }

    #[test]
    fn an_item_without_columns_has_one_row() -> Result<(), String> {
        let variable = item(ItemKind::Variable, &[]);
        let data = parse(&variable, r#"{"levels": [1], "marginals": [0.5]}"#, &[])?;
        assert_eq!(data.keys, ["[]"]);
        let twice = r#"{"levels": [1, 2], "marginals": [0.5, 1]}"#;
        assert!(parse(&variable, twice, &[]).is_err());
        Ok(())
    }
}
