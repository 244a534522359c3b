//! A filter of points whose names have been looked up: it means the same whatever is renamed or made afterwards.

use crate::filter::{Scalar, Test};
use crate::iamc::PointType;
use crate::names::Kind;
use crate::store::Engine;
use crate::store::rows::Bind;

/// What a filter selects.
pub(crate) struct Selection {
    pub(super) terms: Vec<Term>,
}

pub(super) enum Term {
    /// A column and the ids that it may hold.
    Ids(String, Vec<i64>),
    /// The ids of models, or of scenarios, whose runs they are.
    OfRunsOf(Kind, Vec<i64>),
    Number(Number, Test),
    Types(Test),
    /// Parts of years.
    Categories(Vec<String>),
}

/// A number of a point.
pub(super) enum Number {
    Year,
    /// In microseconds.
    Moment,
    Value,
}

impl Selection {
    /// SQL conditions on the rows of an alias, each beginning with AND; parameters go to `binds`.
    pub(crate) fn conditions(&self, alias: &str, engine: Engine, binds: &mut Vec<Bind>) -> String {
        self.terms
            .iter()
            .map(|term| format!(" AND {}", term.condition(alias, engine, binds)))
            .collect()
    }
}

impl Term {
    fn condition(&self, alias: &str, engine: Engine, binds: &mut Vec<Bind>) -> String {
        let is_of = |point_type: PointType| format!("{alias}.point_type = {}", point_type as i16);
        match self {
            Self::Ids(column, ids) => is_one_of(&format!("{alias}.{column}"), ids, engine, binds),
            Self::OfRunsOf(kind, ids) => format!(
                "{alias}.run_id IN (SELECT r.id FROM runs r WHERE {})",
                is_one_of(&format!("r.{}_id", kind.word()), ids, engine, binds)
            ),
            Self::Number(number, test) => {
                let expression = match number {
                    Number::Year => format!(
                        "CASE WHEN {alias}.point_type < {} THEN {alias}.step END",
                        PointType::Datetime as i16
                    ),
                    Number::Moment => format!(
                        "CASE WHEN {} THEN {alias}.step END",
                        is_of(PointType::Datetime)
                    ),
                    Number::Value => format!("{alias}.value"),
                };
                compared(&expression, test, engine, binds)
            }
            Self::Types(test) => any(PointType::ALL
                .into_iter()
                .filter(|point_type| test.passes_text(point_type.word()))
                .map(is_of)),
            Self::Categories(categories) => any(categories.iter().map(|category| {
                binds.push(Bind::Text(category.clone()));
                let part = format!("{alias}.category = ${}", binds.len());
                format!("({} AND {part})", is_of(PointType::Categorical))
            })),
        }
    }
}

fn any(terms: impl Iterator<Item = String>) -> String {
    let terms: Vec<_> = terms.collect();
    match terms.is_empty() {
        true => "1 = 0".to_owned(),
        false => format!("({})", terms.join(" OR ")),
    }
}

fn is_one_of(expression: &str, ids: &[i64], engine: Engine, binds: &mut Vec<Bind>) -> String {
    binds.push(Bind::Text(engine.list_of(ids)));
    engine.is_in_list(expression, &format!("${}", binds.len()))
}

/// A comparison of a number, which may be NULL.
fn compared(expression: &str, test: &Test, engine: Engine, binds: &mut Vec<Bind>) -> String {
    let whole: Option<Vec<i64>> = test
        .values
        .iter()
        .map(|value| match value {
            Scalar::Int(number) => Some(*number),
            Scalar::Time(time) => Some(time.and_utc().timestamp_micros()),
            _ => None,
        })
        .collect();
    let not = if test.lookup.is_negated() { "NOT " } else { "" };
    if let (Some(numbers), None) = (&whole, test.lookup.order()) {
        return format!("{not}({})", is_one_of(expression, numbers, engine, binds));
    }
    let operator = test.lookup.order().unwrap_or("=");
    let terms = any(test.values.iter().map(|value| {
        binds.push(match value {
            Scalar::Int(number) => Bind::BigInt(*number),
            Scalar::Time(time) => Bind::BigInt(time.and_utc().timestamp_micros()),
            Scalar::Float(number) => Bind::Double(*number),
            // Other values were refused.
            Scalar::Bool(_) | Scalar::Text(_) => Bind::Double(f64::NAN),
        });
        format!("{expression} {operator} ${}", binds.len())
    }));
    format!("{not}({terms})")
}
