//! `stratalog regions` and `stratalog units`

use super::failure::Failure;
use super::session::Session;
use super::table::{Table, number, text};
use crate::names::{DEFAULT_HIERARCHY, Named, Names};

/// List regions, add some, delete one
#[derive(clap::Args)]
#[command(after_help = "\
Data can name only regions that are there, so that a typing error does not make a new one.

Examples:
  stratalog regions
  stratalog regions add World Africa --hierarchy common
  stratalog regions delete Wrold")]
pub(super) struct Regions {
    #[command(subcommand)]
    action: Option<RegionAction>,
}

#[derive(clap::Subcommand)]
enum RegionAction {
    /// List them (what happens without a word)
    List,
    /// Add regions
    Add {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// What they belong to
        #[arg(long, value_name = "NAME", default_value = DEFAULT_HIERARCHY)]
        hierarchy: String,
    },
    /// Delete a region that nothing uses
    Delete {
        /// Its name
        name: String,
    },
}

/// List units, add some, delete one
#[derive(clap::Args)]
#[command(after_help = "\
Data can name only units that are there. What has no unit has the unit \"\".

Examples:
  stratalog units
  stratalog units add EJ/yr million ''
  stratalog units delete EJ/y")]
pub(super) struct Units {
    #[command(subcommand)]
    action: Option<UnitAction>,
}

#[derive(clap::Subcommand)]
enum UnitAction {
    /// List them (what happens without a word)
    List,
    /// Add units
    Add {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete a unit that nothing uses
    Delete {
        /// Its name
        name: String,
    },
}

impl Regions {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let regions = session.open()?.regions();
        match &self.action {
            None | Some(RegionAction::List) => list(session, &regions),
            Some(RegionAction::Add { names, hierarchy }) => {
                add(session, names, |name| regions.create_in(name, hierarchy))
            }
            Some(RegionAction::Delete { name }) => delete(session, &regions, name),
        }
    }
}

impl Units {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let units = session.open()?.units();
        match &self.action {
            None | Some(UnitAction::List) => list(session, &units),
            Some(UnitAction::Add { names }) => add(session, names, |name| units.create(name)),
            Some(UnitAction::Delete { name }) => delete(session, &units, name),
        }
    }
}

fn list(session: &Session<'_>, names: &Names) -> Result<(), Failure> {
    let names = names.list()?;
    if session.out.is_json() {
        return session.out.json(&names);
    }
    if names.is_empty() {
        return session.out.line("there are none yet");
    }
    session.out.table(&table(&names))
}

fn table(names: &[Named]) -> Table {
    let has_hierarchy = names.iter().any(|named| named.hierarchy.is_some());
    let mut columns = vec![number("id"), text("name")];
    columns.extend(has_hierarchy.then(|| text("hierarchy")));
    let mut table = Table::new(columns);
    for named in names {
        let shown = if named.name.is_empty() {
            "\"\"".into()
        } else {
            named.name.clone()
        };
        table.row(
            [named.id.to_string(), shown]
                .into_iter()
                .chain(named.hierarchy.clone()),
        );
    }
    table
}

fn add(
    session: &Session<'_>,
    names: &[String],
    create: impl Fn(&str) -> crate::Result<Named>,
) -> Result<(), Failure> {
    let added = names
        .iter()
        .map(|name| create(name))
        .collect::<crate::Result<Vec<_>>>()?;
    if session.out.is_json() {
        return session.out.json(&added);
    }
    session.out.table(&table(&added))
}

#[derive(serde::Serialize)]
struct Deleted<'a> {
    deleted: &'a str,
}

fn delete(session: &Session<'_>, names: &Names, name: &str) -> Result<(), Failure> {
    names.delete(name)?;
    if session.out.is_json() {
        return session.out.json(&Deleted { deleted: name });
    }
    session.out.line(&format!("deleted \"{name}\""))
}
