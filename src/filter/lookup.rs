//! How a criterion compares: the ending of its name, and the test that comes of it.

use std::cmp::Ordering;

use chrono::NaiveDateTime;

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// Without an ending: any of the values, and in text `*` stands for any text.
    Plain,
    /// Any of the values.
    In,
    NotIn,
    Like,
    NotLike,
    ILike,
    NotILike,
    Gt,
    Gte,
    Lt,
    Lte,
}

impl Lookup {
    pub(super) fn of(ending: &str) -> Option<Self> {
        Some(match ending {
            "in" | "eq" => Self::In,
            "notin" | "ne" => Self::NotIn,
            "like" => Self::Like,
            "notlike" => Self::NotLike,
            "ilike" => Self::ILike,
            "notilike" => Self::NotILike,
            "gt" => Self::Gt,
            "gte" => Self::Gte,
            "lt" => Self::Lt,
            "lte" => Self::Lte,
            _ => return None,
        })
    }

    /// Whether it makes sense for text only.
    pub(super) fn is_of_text(self) -> bool {
        matches!(
            self,
            Self::Like | Self::NotLike | Self::ILike | Self::NotILike
        )
    }

    /// The order that it asks for.
    pub(crate) fn order(self) -> Option<&'static str> {
        match self {
            Self::Gt => Some(">"),
            Self::Gte => Some(">="),
            Self::Lt => Some("<"),
            Self::Lte => Some("<="),
            _ => None,
        }
    }

    pub(crate) fn is_negated(self) -> bool {
        matches!(self, Self::NotIn | Self::NotLike | Self::NotILike)
    }
}

/// A single value, of a row or of a criterion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Time(NaiveDateTime),
}

impl Scalar {
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Int(b)) => a.partial_cmp(b),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Float(b)) => (*a as f64).partial_cmp(b),
            (Self::Float(a), Self::Int(b)) => a.partial_cmp(&(*b as f64)),
            (Self::Text(a), Self::Text(b)) => a.partial_cmp(b),
            (Self::Time(a), Self::Time(b)) => a.partial_cmp(b),
            _ => None,
        }
    }
}

/// A checked comparison.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) lookup: Lookup,
    pub(crate) values: Vec<Scalar>,
}

impl Test {
    /// Whether a value passes; what is not there passes nothing.
    pub(crate) fn passes(&self, value: Option<&Scalar>) -> bool {
        let Some(value) = value else { return false };
        let like = |fold: bool| {
            self.values.iter().any(|wanted| match (wanted, value) {
                (Scalar::Text(pattern), Scalar::Text(text)) if fold => {
                    matches(&pattern.to_lowercase(), &text.to_lowercase())
                }
                (Scalar::Text(pattern), Scalar::Text(text)) => matches(pattern, text),
                (wanted, value) => value.compare(wanted) == Some(Ordering::Equal),
            })
        };
        let is = |orders: &[Ordering]| {
            self.values.iter().any(|wanted| {
                value
                    .compare(wanted)
                    .is_some_and(|order| orders.contains(&order))
            })
        };
        match self.lookup {
            Lookup::Plain | Lookup::Like => like(false),
            Lookup::NotLike => !like(false),
            Lookup::ILike => like(true),
            Lookup::NotILike => !like(true),
            Lookup::In => is(&[Ordering::Equal]),
            Lookup::NotIn => !is(&[Ordering::Equal]),
            Lookup::Gt => is(&[Ordering::Greater]),
            Lookup::Gte => is(&[Ordering::Greater, Ordering::Equal]),
            Lookup::Lt => is(&[Ordering::Less]),
            Lookup::Lte => is(&[Ordering::Less, Ordering::Equal]),
        }
    }

    /// The texts that pass, if they can be told without looking.
    pub(crate) fn exact_texts(&self) -> Option<Vec<String>> {
        let texts = self.values.iter().map(|value| match value {
            Scalar::Text(text) if self.lookup == Lookup::In => Some(text.clone()),
            Scalar::Text(text) if self.lookup == Lookup::Plain && !text.contains('*') => {
                Some(text.clone())
            }
            _ => None,
        });
        texts.collect()
    }

    /// Whether a text passes.
    pub(crate) fn passes_text(&self, text: &str) -> bool {
        self.passes(Some(&Scalar::Text(text.to_owned())))
    }
}

/// Whether a name matches a pattern in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<_> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(position) => name = &name[position + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, expected) in [
            ("World", "World", true),
            ("World", "World 2", false),
            ("*", "", true),
            ("*", "anything", true),
            ("Primary*", "Primary Energy|Coal", true),
            ("*Coal", "Primary Energy|Coal", true),
            ("*Energy*", "Primary Energy|Coal", true),
            ("P*E*C*", "Primary Energy|Coal", true),
            ("P*X*", "Primary Energy|Coal", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*b", "ab", false),
            ("a**b", "ab", true),
            // Nothing else is special.
            ("a.c", "abc", false),
            ("a%", "abc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
