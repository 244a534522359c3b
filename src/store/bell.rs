//! Hearing that a lock was released. On PostgreSQL the server says so; SQLite has nobody who could.

use diesel::pg::PgConnection;
use diesel::prelude::*;

use crate::store::{Location, postgres};

/// A waiter's ear.
pub(crate) struct Bell {
    connection: Option<PgConnection>,
}

impl Bell {
    /// Listens from now on, on a connection of its own: those of the pool are for the holder. Where that is
    /// not to be had, nothing is heard, and the waiter looks now and then.
    pub(crate) fn new(location: &Location) -> Self {
        let connection = match location {
            Location::Server(_) => postgres::connect(location).ok(),
            _ => None,
        };
        let connection = connection.and_then(|mut connection| {
            let listens = diesel::sql_query("LISTEN stratalog_released").execute(&mut connection);
            listens.is_ok().then_some(connection)
        });
        Self { connection }
    }

    /// Whether it can ring at all.
    pub(crate) fn is_there(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether a lock of that run was released since this was last asked.
    pub(crate) fn has_rung(&mut self, run: i64) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let run = run.to_string();
        let mut rung = false;
        let mut broken = false;
        for notification in connection.notifications_iter() {
            match notification {
                Ok(notification) => rung |= notification.payload == run,
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        if broken {
            self.connection = None;
        }
        rung
    }
}
