//! Which points to read.

use crate::error::Result;
use crate::names::{self, Kind};
use crate::schema::tables::datapoints;
use crate::schema::{TableDescription, VersionedTable};
use crate::store::rows::Bind;
use crate::store::{AnyConnection, Engine};

/// Selects points. Names may hold `*` for any text; an empty list selects nothing, `None` everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Regions.
    pub region: Option<Vec<String>>,
    /// Variables.
    pub variable: Option<Vec<String>>,
    /// Units.
    pub unit: Option<Vec<String>>,
    /// Years, of yearly and categorical points.
    pub year: Option<Vec<i64>>,
}

impl std::fmt::Display for Filter {
    /// `region World, year 2030`, for the log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let years = self
            .year
            .as_ref()
            .map(|years| years.iter().map(i64::to_string).collect());
        let parts: Vec<_> = [
            ("region", self.region.clone()),
            ("variable", self.variable.clone()),
            ("unit", self.unit.clone()),
            ("year", years),
        ]
        .into_iter()
        .filter_map(|(name, chosen)| Some(format!("{name} {}", chosen?.join(" or "))))
        .collect();
        f.write_str(&parts.join(", "))
    }
}

impl Filter {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only these regions.
    pub fn region(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.region = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Only these variables.
    pub fn variable(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.variable = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Only these units.
    pub fn unit(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.unit = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Only these years.
    pub fn year(mut self, years: impl IntoIterator<Item = i64>) -> Self {
        self.year = Some(years.into_iter().collect());
        self
    }

    /// Whether it selects all points.
    pub fn is_all(&self) -> bool {
        let Self {
            region,
            variable,
            unit,
            year,
        } = self;
        region.is_none() && variable.is_none() && unit.is_none() && year.is_none()
    }

    /// SQL conditions on the rows of a table by an alias; `None`: it selects none of the table's rows, because
    /// it selects points and these are none.
    pub(crate) fn conditions_on(
        &self,
        table: &TableDescription,
        alias: &str,
        connection: &mut AnyConnection,
        engine: Engine,
        binds: &mut Vec<Bind>,
    ) -> Result<Option<String>> {
        if self.is_all() {
            return Ok(Some(String::new()));
        }
        if *table != datapoints::table::description() {
            return Ok(None);
        }
        self.conditions(alias, connection, engine, binds).map(Some)
    }

    /// SQL conditions on the points of an alias, each beginning with AND; parameters go to `binds`.
    pub(super) fn conditions(
        &self,
        alias: &str,
        connection: &mut AnyConnection,
        engine: Engine,
        binds: &mut Vec<Bind>,
    ) -> Result<String> {
        Ok(self.selection(connection)?.conditions(alias, engine, binds))
    }

    /// The names that it means now, by id.
    pub(super) fn selection(&self, connection: &mut AnyConnection) -> Result<Selection> {
        let mut ids = Vec::new();
        for (column, kind, patterns) in [
            ("region_id", Kind::Region, &self.region),
            ("variable_id", Kind::Variable, &self.variable),
            ("unit_id", Kind::Unit, &self.unit),
        ] {
            let Some(patterns) = patterns else { continue };
            // Deleted ones too: an earlier state may still have them.
            let chosen = names::by_id(connection, kind)?
                .into_iter()
                .filter(|(_, name)| patterns.iter().any(|pattern| matches(pattern, name)))
                .map(|(id, _)| id)
                .collect();
            ids.push((column, chosen));
        }
        Ok(Selection {
            ids,
            years: self.year.clone(),
        })
    }
}

/// A [`Filter`] whose names have been looked up: means the same whatever is renamed.
pub(super) struct Selection {
    /// Columns of the key and what they may hold.
    ids: Vec<(&'static str, Vec<i64>)>,
    years: Option<Vec<i64>>,
}

impl Selection {
    /// SQL conditions on the points of an alias, each beginning with AND; parameters go to `binds`.
    pub(super) fn conditions(&self, alias: &str, engine: Engine, binds: &mut Vec<Bind>) -> String {
        let mut sql = String::new();
        let mut add = |expression: &str, ids: &[i64]| {
            binds.push(Bind::Text(engine.list_of(ids)));
            sql += &format!(
                " AND {}",
                engine.is_in_list(expression, &format!("${}", binds.len()))
            );
        };
        for (column, ids) in &self.ids {
            add(&format!("{alias}.{column}"), ids);
        }
        if let Some(years) = &self.years {
            let year = format!("CASE WHEN {alias}.point_type < 2 THEN {alias}.step END");
            add(&year, years);
        }
        sql
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
