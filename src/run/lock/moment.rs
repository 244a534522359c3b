//! Moments by two clocks: one stands still while the machine is suspended, the other goes on but may be set.

use std::time::{Duration, Instant, SystemTime};

pub(super) struct Moment(Instant, SystemTime);

impl Moment {
    pub(super) fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// Time passed, that of a suspension included.
    pub(super) fn age(&self) -> Duration {
        self.awake().max(self.by_wall_clock())
    }

    /// Time passed while the machine was awake.
    pub(super) fn awake(&self) -> Duration {
        self.0.elapsed()
    }

    /// Whether the machine has been suspended since.
    pub(super) fn saw_a_suspension(&self) -> bool {
        self.by_wall_clock() > self.awake() + Duration::from_secs(2)
    }

    fn by_wall_clock(&self) -> Duration {
        self.1.elapsed().unwrap_or_default()
    }
}
