//! Asks the database: which names, runs and points pass.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::error::Result;
use crate::filter::selection::{Number, Selection, Term};
use crate::filter::{Checked, Filter, Scalar, Subject, Test, What};
use crate::iamc::PointType;
use crate::names::{self, Kind, Named};
use crate::schema::tables::{datapoints, runs};
use crate::schema::{RUN_ID, TableDescription, VersionedTable};
use crate::store::kept::kept;
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
        let selection = Resolver { connection }.points(&checked)?;
        Ok(Some(selection.conditions(alias, engine, binds)))
    }
}

/// Resolves filters on a connection.
pub(crate) struct Resolver<'c> {
    pub(crate) connection: &'c mut AnyConnection,
}

impl Resolver<'_> {
    /// The names of a kind that pass.
    pub(crate) fn names(
        &mut self,
        kind: Kind,
        checked: &Checked,
        which: Which,
    ) -> Result<Vec<Named>> {
        let from = match which {
            Which::Live => format!("{} WHERE 1 = 1", quote(kind.table())),
            Which::Ever => names::ever(kind),
        };
        // Of many names, the database hands over only those that are asked for; what passes is decided below.
        let mut binds = Vec::new();
        let only = checked.exact_names().map_or(String::new(), |names| {
            binds.push(Bind::of_texts(names.iter().map(String::as_str)));
            format!(
                " AND {}",
                self.connection.engine().is_in_texts("name", "$1")
            )
        });
        let text = names::selected(kind, &from) + &only;
        let names: Vec<Named> = kept(&text, &binds)
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
            .collect())
    }

    fn ids<C: FromIterator<i64>>(
        &mut self,
        kind: Kind,
        checked: &Checked,
        which: Which,
    ) -> Result<C> {
        let names = self.names(kind, checked, which)?;
        Ok(names.into_iter().map(|named| named.id).collect())
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
                let ids: HashSet<i64> = self.ids(*kind, names, Which::Live)?;
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
                let engine = self.connection.engine();
                let conditions = self.points(points)?.conditions("d", engine, &mut binds);
                let ids: Vec<Id> = query(&select(&conditions), &binds)
                    .load(self.connection)
                    .map_err(doing("looking for what is in use"))?;
                found.push((*used, ids.into_iter().map(|row| row.id).collect()));
            }
        }
        Ok(found)
    }

    /// What the conditions on the runs of rows mean now.
    pub(crate) fn of_runs(&mut self, checked: &Checked) -> Result<Selection> {
        let mut terms = Vec::new();
        for condition in &checked.conditions {
            terms.push(match &condition.what {
                What::Named(kind @ (Kind::Model | Kind::Scenario), names) => {
                    Term::OfRunsOf(*kind, self.ids(*kind, names, Which::Live)?)
                }
                What::Run(runs) => Term::Ids(RUN_ID.to_owned(), self.runs(runs)?),
                _ => continue,
            });
        }
        Ok(Selection { terms })
    }

    /// What the conditions on points mean now.
    pub(crate) fn points(&mut self, checked: &Checked) -> Result<Selection> {
        let mut selection = self.of_runs(checked)?;
        for condition in &checked.conditions {
            selection.terms.push(match &condition.what {
                What::Named(Kind::Model | Kind::Scenario, _) | What::Run(_) | What::InUse(..) => {
                    continue;
                }
                What::Named(kind, names) => {
                    let ids = self.ids(*kind, names, Which::Ever)?;
                    Term::Ids(format!("{}_id", kind.word()), ids)
                }
                What::Is(test) => match condition.name.as_str() {
                    "year" => Term::Number(Number::Year, test.clone()),
                    "datetime" => Term::Number(Number::Moment, test.clone()),
                    "value" => Term::Number(Number::Value, test.clone()),
                    "type" => Term::Types(test.clone()),
                    _ => Term::Categories(self.categories(test)?),
                },
            });
        }
        Ok(selection)
    }

    /// The parts of years that pass, decided here: engines differ in how text is matched.
    fn categories(&mut self, test: &Test) -> Result<Vec<String>> {
        if let Some(exact) = test.exact_texts() {
            return Ok(exact);
        }
        let version = quote(&datapoints::table::description().version_name());
        let categories: Vec<Category> = sql(format!(
            "SELECT DISTINCT category FROM {version} WHERE point_type = {}",
            PointType::Categorical as i16
        ))
        .load(self.connection)
        .map_err(doing("reading the parts of years"))?;
        Ok(categories
            .into_iter()
            .map(|row| row.category)
            .filter(|category| test.passes_text(category))
            .collect())
    }
}
