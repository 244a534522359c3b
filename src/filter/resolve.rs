//! Asks the database: which names, runs and points pass.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::error::Result;
use crate::filter::{Checked, Filter, Scalar, Subject, Test, What};
use crate::iamc::PointType;
use crate::names::Kind;
use crate::schema::tables::{datapoints, runs};
use crate::schema::{TableDescription, VersionedTable};
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, Engine, doing, quote, sql};

/// Which names count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that are there.
    Live,
    /// Deleted ones too: earlier states may still have them.
    Ever,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    hierarchy: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    docs: Option<String>,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(QueryableByName)]
struct Category {
    #[diesel(sql_type = Text)]
    category: String,
}

impl Filter {
    /// SQL conditions on the keys of rows of a table by an alias; `None`: it selects none of the table's rows, because
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
        let checked = Checked::of(self, Subject::Keys)?;
        if *table != datapoints::table::description() {
            return Ok(None);
        }
        let mut resolver = Resolver { connection, engine };
        resolver.points(alias, &checked, binds).map(Some)
    }
}

/// Resolves filters on a connection.
pub(crate) struct Resolver<'c> {
    pub(crate) connection: &'c mut AnyConnection,
    pub(crate) engine: Engine,
}

impl Resolver<'_> {
    /// The ids of the names of a kind that pass.
    pub(crate) fn names(
        &mut self,
        kind: Kind,
        checked: &Checked,
        which: Which,
    ) -> Result<Vec<i64>> {
        let hierarchy = if kind.has_hierarchy() {
            "hierarchy"
        } else {
            "CAST(NULL AS TEXT)"
        };
        let from = match which {
            Which::Live => quote(kind.table()),
            Which::Ever => format!(
                "{} WHERE end_transaction_id IS NULL",
                quote(&format!("{}_version", kind.table()))
            ),
        };
        let names: Vec<Name> = sql(format!(
            "SELECT id, name, {hierarchy} AS hierarchy, docs FROM {from}"
        ))
        .load(self.connection)
        .map_err(doing("reading names"))?;
        let in_use = self.in_use(checked, |points| match kind {
            Kind::Region | Kind::Variable | Kind::Unit => format!(
                "SELECT DISTINCT d.{}_id AS id FROM datapoints d WHERE 1 = 1{points}",
                kind.word()
            ),
            Kind::Model | Kind::Scenario => format!(
                "SELECT DISTINCT r.{}_id AS id FROM runs r
                 WHERE EXISTS (SELECT 1 FROM datapoints d WHERE d.run_id = r.id{points})",
                kind.word()
            ),
        })?;
        Ok(names
            .into_iter()
            .filter(|row| {
                in_use
                    .iter()
                    .all(|(used, ids)| ids.contains(&row.id) == *used)
                    && checked.passes(|name| match name {
                        "id" => Some(Scalar::Int(row.id)),
                        "name" => Some(Scalar::Text(row.name.clone())),
                        "hierarchy" => row.hierarchy.clone().map(Scalar::Text),
                        _ => row.docs.clone().map(Scalar::Text),
                    })
            })
            .map(|row| row.id)
            .collect())
    }

    /// The ids of the runs that pass, in order.
    pub(crate) fn runs(&mut self, checked: &Checked) -> Result<Vec<i64>> {
        type Row = (i64, i64, i64, i32, bool);
        let rows: Vec<Row> = runs::table
            .select((
                runs::id,
                runs::model_id,
                runs::scenario_id,
                runs::version,
                runs::is_default,
            ))
            .order(runs::id)
            .load(self.connection)
            .map_err(doing("listing runs"))?;
        let mut of_names = Vec::new();
        for condition in &checked.conditions {
            if let What::Named(kind, names) = &condition.what {
                let ids: HashSet<_> = self.names(*kind, names, Which::Live)?.into_iter().collect();
                of_names.push((*kind, ids));
            }
        }
        let in_use = self.in_use(checked, |points| {
            format!(
                "SELECT r.id FROM runs r
                 WHERE EXISTS (SELECT 1 FROM datapoints d WHERE d.run_id = r.id{points})"
            )
        })?;
        Ok(rows
            .into_iter()
            .filter(|(id, model, scenario, version, is_default)| {
                of_names.iter().all(|(kind, ids)| {
                    ids.contains(if *kind == Kind::Model {
                        model
                    } else {
                        scenario
                    })
                }) && in_use.iter().all(|(used, ids)| ids.contains(id) == *used)
                    && checked.passes(|name| match name {
                        "id" => Some(Scalar::Int(*id)),
                        "version" => Some(Scalar::Int(i64::from(*version))),
                        _ => Some(Scalar::Bool(*is_default)),
                    })
            })
            .map(|row| row.0)
            .collect())
    }

    /// For each condition on use: the ids that `select` gives with its conditions on points, and whether they are
    /// those that pass or those that do not.
    fn in_use(
        &mut self,
        checked: &Checked,
        select: impl Fn(&str) -> String,
    ) -> Result<Vec<(bool, HashSet<i64>)>> {
        let mut found = Vec::new();
        for condition in &checked.conditions {
            if let What::InUse(used, points) = &condition.what {
                let mut binds = Vec::new();
                let conditions = self.points("d", points, &mut binds)?;
                let ids: Vec<Id> = query(&select(&conditions), &binds)
                    .load(self.connection)
                    .map_err(doing("looking for what is in use"))?;
                found.push((*used, ids.into_iter().map(|row| row.id).collect()));
            }
        }
        Ok(found)
    }

    /// SQL conditions on the runs that the rows of an alias are of, each beginning with AND; parameters go to `binds`.
    pub(crate) fn of_runs(
        &mut self,
        alias: &str,
        checked: &Checked,
        binds: &mut Vec<Bind>,
    ) -> Result<String> {
        let mut text = String::new();
        for condition in &checked.conditions {
            let (column, ids) = match &condition.what {
                What::Named(kind @ (Kind::Model | Kind::Scenario), names) => {
                    (Some(kind), self.names(*kind, names, Which::Live)?)
                }
                What::Run(runs) => (None, self.runs(runs)?),
                _ => continue,
            };
            let list = self.ids(&ids, binds);
            text += &match column {
                Some(kind) => format!(
                    " AND {alias}.run_id IN (SELECT r.id FROM runs r WHERE {})",
                    self.engine
                        .is_in_list(&format!("r.{}_id", kind.word()), &list)
                ),
                None => format!(
                    " AND {}",
                    self.engine.is_in_list(&format!("{alias}.run_id"), &list)
                ),
            };
        }
        Ok(text)
    }

    /// SQL conditions on the points of an alias, each beginning with AND; parameters go to `binds`.
    pub(crate) fn points(
        &mut self,
        alias: &str,
        checked: &Checked,
        binds: &mut Vec<Bind>,
    ) -> Result<String> {
        let mut text = self.of_runs(alias, checked, binds)?;
        for condition in &checked.conditions {
            let term = match &condition.what {
                What::Named(Kind::Model | Kind::Scenario, _) | What::Run(_) | What::InUse(..) => {
                    continue;
                }
                What::Named(kind, names) => {
                    let ids = self.names(*kind, names, Which::Ever)?;
                    let list = self.ids(&ids, binds);
                    self.engine
                        .is_in_list(&format!("{alias}.{}_id", kind.word()), &list)
                }
                What::Is(test) => self.own(alias, &condition.name, test, binds)?,
            };
            text += " AND ";
            text += &term;
        }
        Ok(text)
    }

    fn ids(&self, ids: &[i64], binds: &mut Vec<Bind>) -> String {
        binds.push(Bind::Text(self.engine.list_of(ids)));
        format!("${}", binds.len())
    }

    /// A condition on a point's own columns.
    fn own(
        &mut self,
        alias: &str,
        name: &str,
        test: &Test,
        binds: &mut Vec<Bind>,
    ) -> Result<String> {
        let is_of = |point_type: PointType| format!("{alias}.point_type = {}", point_type as i16);
        Ok(match name {
            "year" => {
                let year = format!(
                    "CASE WHEN {alias}.point_type < {} THEN {alias}.step END",
                    PointType::Datetime as i16
                );
                self.numbers(&year, test, binds)
            }
            "datetime" => {
                let moment = format!(
                    "CASE WHEN {} THEN {alias}.step END",
                    is_of(PointType::Datetime)
                );
                self.numbers(&moment, test, binds)
            }
            "value" => self.numbers(&format!("{alias}.value"), test, binds),
            "type" => {
                let passing: Vec<_> = PointType::ALL
                    .into_iter()
                    .filter(|point_type| test.passes_text(point_type.word()))
                    .map(is_of)
                    .collect();
                match passing.is_empty() {
                    true => "1 = 0".to_owned(),
                    false => format!("({})", passing.join(" OR ")),
                }
            }
            _ => {
                // Few, and decided here: engines differ in how text is matched.
                let version = quote(&datapoints::table::description().version_name());
                let categories: Vec<Category> = sql(format!(
                    "SELECT DISTINCT category FROM {version} WHERE point_type = {}",
                    PointType::Categorical as i16
                ))
                .load(self.connection)
                .map_err(doing("reading the parts of years"))?;
                let passing: Vec<_> = categories
                    .into_iter()
                    .filter(|row| test.passes_text(&row.category))
                    .map(|row| {
                        binds.push(Bind::Text(row.category));
                        format!("${}", binds.len())
                    })
                    .collect();
                match passing.is_empty() {
                    true => "1 = 0".to_owned(),
                    false => format!(
                        "({} AND {alias}.category IN ({}))",
                        is_of(PointType::Categorical),
                        passing.join(", ")
                    ),
                }
            }
        })
    }

    /// A comparison of a number, which may be NULL.
    fn numbers(&self, expression: &str, test: &Test, binds: &mut Vec<Bind>) -> String {
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
            let list = self.ids(numbers, binds);
            return format!("{not}({})", self.engine.is_in_list(expression, &list));
        }
        let operator = test.lookup.order().unwrap_or("=");
        let terms: Vec<_> = test
            .values
            .iter()
            .map(|value| {
                binds.push(match value {
                    Scalar::Int(number) => Bind::BigInt(*number),
                    Scalar::Time(time) => Bind::BigInt(time.and_utc().timestamp_micros()),
                    Scalar::Float(number) => Bind::Double(*number),
                    _ => Bind::Double(f64::NAN),
                });
                format!("{expression} {operator} ${}", binds.len())
            })
            .collect();
        match terms.is_empty() {
            true => format!("{not}(1 = 0)"),
            false => format!("{not}({})", terms.join(" OR ")),
        }
    }
}
