//! From what a caller wrote to conditions that can be asked: names and types are checked here.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::filter::lookup::{Lookup, Scalar, Test};
use crate::filter::subject::{Member, Subject};
use crate::filter::{Filter, FilterValue, refuse};
use crate::iamc::Moment;
use crate::names::{self, similar};

/// A filter whose names and types are right.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) conditions: Vec<Condition>,
}

/// One condition.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// The name of what it is about, without an ending.
    pub(crate) name: String,
    pub(crate) what: What,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Of a value of the row's own.
    Is(Test),
    /// Of a name that the row refers to.
    Named(names::Kind, Checked),
    /// Of the run that the row is of.
    Run(Checked),
    /// Whether there are (no) such points that have it.
    InUse(bool, Checked),
}

impl Checked {
    /// # Errors
    /// [`Error::InvalidFilter`](crate::Error::InvalidFilter), listing what there is to filter by.
    pub(crate) fn of(filter: &Filter, subject: Subject<'_>) -> Result<Self> {
        let mut conditions = Vec::new();
        for (name, value) in filter.criteria() {
            let condition = condition(subject, name, value)?;
            // Asking for default runs only is a condition, not asking for them is none.
            let asks_for_any = matches!(
                (condition.name.as_str(), value),
                ("default_only", FilterValue::Bool(false))
            );
            if !asks_for_any {
                conditions.push(condition);
            }
        }
        Ok(Self { conditions })
    }

    pub(crate) fn is_all(&self) -> bool {
        self.conditions.is_empty()
    }

    /// The only names that can pass, if they can be told without looking.
    pub(crate) fn exact_names(&self) -> Option<Vec<String>> {
        self.conditions
            .iter()
            .filter(|condition| condition.name == "name")
            .find_map(|condition| match &condition.what {
                What::Is(test) => test.exact_texts(),
                _ => None,
            })
    }

    /// Whether a row passes all conditions on values of its own; `value` gives them by name.
    pub(crate) fn passes(&self, value: impl Fn(&str) -> Option<Scalar>) -> bool {
        self.conditions
            .iter()
            .all(|condition| match &condition.what {
                What::Is(test) => test.passes(value(&condition.name).as_ref()),
                _ => true,
            })
    }
}

fn condition(subject: Subject<'_>, criterion: &str, value: &FilterValue) -> Result<Condition> {
    let members: BTreeMap<_, _> = subject.members().into_iter().collect();
    let found = |name: &str| {
        members
            .get_key_value(name)
            .map(|(name, member)| (*name, *member))
    };
    let (name, member, lookup) = match (found(criterion), criterion.rsplit_once("__")) {
        (Some((name, member)), _) => (name, member, Lookup::Plain),
        (None, Some((name, ending))) => match (found(name), Lookup::of(ending)) {
            (Some((name, member)), Some(lookup)) => (name, member, lookup),
            _ => return Err(unknown(subject, criterion)),
        },
        (None, None) => return Err(unknown(subject, criterion)),
    };
    let what = match (member, value) {
        (Member::Named(kind), FilterValue::Filter(filter)) if lookup == Lookup::Plain => {
            What::Named(kind, Checked::of(filter, Subject::Names(kind))?)
        }
        (Member::Named(kind), value) => {
            let test = test(criterion, Member::Text, lookup, value)?;
            let name = Condition {
                name: "name".to_owned(),
                what: What::Is(test),
            };
            What::Named(
                kind,
                Checked {
                    conditions: vec![name],
                },
            )
        }
        (Member::Run, FilterValue::Filter(filter)) if lookup == Lookup::Plain => {
            What::Run(Checked::of(filter, Subject::Runs)?)
        }
        (Member::Run, _) => {
            return refuse(format!(
                "{criterion}={} cannot be used: give a filter of runs, such as run={{\"default_only\": false}}",
                value.quoted()
            ));
        }
        (Member::InUse, FilterValue::Bool(used)) if lookup == Lookup::Plain => What::InUse(
            *used,
            Checked {
                conditions: Vec::new(),
            },
        ),
        (Member::InUse, FilterValue::Filter(filter)) if lookup == Lookup::Plain => {
            What::InUse(true, Checked::of(filter, Subject::Uses)?)
        }
        (Member::InUse, _) => {
            return refuse(format!(
                "{criterion}={} cannot be used: give true, false, or a filter of points",
                value.quoted()
            ));
        }
        (member, value) => What::Is(test(criterion, member, lookup, value)?),
    };
    Ok(Condition {
        name: name.to_owned(),
        what,
    })
}

/// Lists the known ones.
fn unknown(subject: Subject<'_>, criterion: &str) -> crate::Error {
    let names: Vec<String> = subject
        .members()
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    let name = criterion.split("__").next().unwrap_or(criterion);
    let hint = match similar(name, &names) {
        Some(near) if near != name => format!(" (did you mean \"{near}\"?)"),
        _ => String::new(),
    };
    crate::filter::invalid(format!(
        "unknown filter \"{criterion}\"{hint}: {} can be filtered by {}; text also with __in, __eq, __ne, __like, \
         __notlike, __ilike, __notilike, numbers and times with __in, __eq, __ne, __gt, __gte, __lt, __lte",
        subject.word(),
        names.join(", "),
    ))
}

fn test(criterion: &str, member: Member, lookup: Lookup, value: &FilterValue) -> Result<Test> {
    let expected = match member {
        Member::Int => "a whole number or several",
        Member::Float => "a number or several",
        Member::Time => "a time or several",
        Member::Bool => "true or false",
        Member::Any => "a value or several",
        _ => "a name or several, * stands for any text",
    };
    let take = |value: &FilterValue| {
        scalar(member, value).ok_or_else(|| {
            let shown = value.quoted();
            crate::filter::invalid(format!(
                "{criterion}={shown} cannot be used: give {expected}"
            ))
        })
    };
    let is_text = matches!(member, Member::Text | Member::Any);
    let is_ordered = matches!(
        member,
        Member::Int | Member::Float | Member::Time | Member::Any
    );
    if (lookup.is_of_text() && !is_text)
        || (lookup.order().is_some() && !is_ordered)
        || (member == Member::Bool && lookup != Lookup::Plain)
    {
        return refuse(format!(
            "{criterion} cannot be used: it does not fit what it compares; give {expected}"
        ));
    }
    let values = match value {
        FilterValue::List(values) if lookup.order().is_none() && member != Member::Bool => {
            values.iter().map(take).collect::<Result<_>>()?
        }
        value => vec![take(value)?],
    };
    Ok(Test { lookup, values })
}

fn scalar(member: Member, value: &FilterValue) -> Option<Scalar> {
    Some(match (member, value) {
        (Member::Int | Member::Any, FilterValue::Int(value)) => Scalar::Int(*value),
        (Member::Float, FilterValue::Int(value)) => Scalar::Float(*value as f64),
        (Member::Float | Member::Any, FilterValue::Float(value)) => Scalar::Float(*value),
        (Member::Text | Member::Any, FilterValue::Text(value)) => Scalar::Text(value.clone()),
        (Member::Bool | Member::Any, FilterValue::Bool(value)) => Scalar::Bool(*value),
        (Member::Time | Member::Any, FilterValue::Time(value)) => Scalar::Time(*value),
        (Member::Time, FilterValue::Text(value)) => Scalar::Time(Moment::parse(value)?.time),
        _ => return None,
    })
}
