//! What time it is, for leases: the database's own clock, or one that the tests set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::store::Engine;

/// The clock by which leases run out, as SQL of the database's engine.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    engine: Engine,
    /// `None`: the database's, one clock for all, whatever those of the clients show.
    simulated: Option<SimulatedClock>,
}

/// A clock that only moves when it is told to. For tests: without heartbeat and without a look at other
/// processes, leases are all that counts.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct SimulatedClock(Arc<AtomicI64>);

impl SimulatedClock {
    /// Lets time pass.
    pub fn advance(&self, by: std::time::Duration) {
        let milliseconds = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    fn now(&self) -> String {
        chrono::DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst))
            .unwrap_or_default()
            .format("'%Y-%m-%d %H:%M:%S%.3f'")
            .to_string()
    }
}

impl Clock {
    pub(crate) fn new(engine: Engine, simulated: Option<SimulatedClock>) -> Self {
        Self { engine, simulated }
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.simulated.is_some()
    }

    /// SQL for now, as a timestamp in UTC.
    pub(crate) fn now(&self) -> String {
        match (self.engine, &self.simulated) {
            (Engine::Sqlite, None) => "strftime('%Y-%m-%d %H:%M:%f', 'now')".to_owned(),
            (Engine::Sqlite, Some(clock)) => clock.now(),
            // Not the time at which the transaction began: it may have waited.
            (Engine::Postgres, None) => "(clock_timestamp() AT TIME ZONE 'UTC')".to_owned(),
            (Engine::Postgres, Some(clock)) => format!("TIMESTAMP {}", clock.now()),
        }
    }

    /// SQL for so many seconds from now; `seconds` is an SQL expression.
    pub(crate) fn after(&self, seconds: &str) -> String {
        match self.engine {
            Engine::Sqlite => {
                let now = match &self.simulated {
                    None => "'now'".to_owned(),
                    Some(clock) => clock.now(),
                };
                format!("strftime('%Y-%m-%d %H:%M:%f', {now}, '+' || {seconds} || ' seconds')")
            }
            Engine::Postgres => {
                format!("({} + make_interval(secs => {seconds}))", self.now())
            }
        }
    }
}
