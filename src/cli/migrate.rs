//! `stratalog migrate`

use super::failure::Failure;
use super::session::Session;
use crate::platform::{MigrateOptions, Platform};

/// Make a database, or bring one to this program's schema
#[derive(clap::Args)]
#[command(after_help = "\
All of it happens or nothing; two processes that do it at once take turns. A backup first is wise.

On PostgreSQL --owner-role and --app-role make two group roles if they are not there: the owner gets \
the tables, and members of the app role use them and cannot change history. Repeat it at any time, \
with data in the database too. People's login roles become members: CREATE ROLE ada LOGIN IN ROLE \
scenarios_app.

Examples:
  stratalog migrate scenarios.db
  stratalog migrate postgresql://me@server/scenarios
  stratalog migrate postgresql://admin@server/scenarios --owner-role scenarios_owner --app-role scenarios_app
  stratalog --db scenarios.db migrate --json")]
pub(super) struct Migrate {
    /// The database, if not given with --db
    url: Option<String>,
    /// PostgreSQL: the role that gets the tables, made if it is not there
    #[arg(long, value_name = "NAME", requires = "app_role")]
    owner_role: Option<String>,
    /// PostgreSQL: the role whose members may use the tables, made if it is not there
    #[arg(long, value_name = "NAME", requires = "owner_role")]
    app_role: Option<String>,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    applied: &'a [String],
}

impl Migrate {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let url = self.url.as_deref().map_or_else(|| session.url(), Ok)?;
        let mut options = MigrateOptions::default();
        if let (Some(owner), Some(app)) = (&self.owner_role, &self.app_role) {
            options = options.roles(owner, app);
        }
        let applied = Platform::migrate_with(url, &options)?;
        if session.out.is_json() {
            return session.out.json(&Document { applied: &applied });
        }
        if applied.is_empty() {
            return session.out.line("up to date already");
        }
        session.out.line(&format!("applied {}", applied.join(", ")))
    }
}
