//! What every command gets: the database, and where results go.

use super::failure::Failure;
use super::output::Output;
use crate::error::Result;
use crate::platform::Platform;
use crate::run::LockOptions;
use crate::store::Location;

pub(super) struct Session<'a> {
    pub(super) db: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) out: &'a Output,
    pub(super) interrupt: &'a dyn Fn() -> Result<()>,
}

impl<'a> Session<'a> {
    /// The database's URL, as the user gave it.
    pub(super) fn url(&self) -> Result<&str, Failure> {
        self.db.as_deref().filter(|url| !url.is_empty()).ok_or_else(|| {
            Failure::Usage(
                "no database: name one with --db URL, or set STRATALOG_DB (a path, or postgresql://user@host/database)"
                    .into(),
            )
        })
    }

    /// Opens a database that is there: a path with a typing error must not become an empty one.
    pub(super) fn open(&self) -> Result<Platform, Failure> {
        let location = Location::parse(self.url()?)?;
        location.check()?;
        if location.is_missing() {
            return Err(Failure::Other(format!(
                "{location}: there is no such database: check the path, or make a new one with `stratalog migrate {location}`"
            )));
        }
        self.open_or_make()
    }

    /// Opens a database, made if it is not there.
    pub(super) fn open_or_make(&self) -> Result<Platform, Failure> {
        let mut options = Platform::options();
        if let Some(actor) = &self.actor {
            options = options.actor(actor);
        }
        Ok(options.open(self.url()?)?)
    }

    /// How to take a lock.
    pub(super) fn lock_options(&self, timeout: Option<std::time::Duration>) -> LockOptions<'a> {
        LockOptions {
            timeout,
            interrupt: Some(self.interrupt),
            ..LockOptions::default()
        }
    }
}
