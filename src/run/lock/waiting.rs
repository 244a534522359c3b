//! Waiting for a lock.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::run::Run;
use crate::run::lock::SLICE;
use crate::run::lock::moment::Moment;
use crate::store::bell::Bell;

/// How long the holder has, after the machine was suspended, to renew its lease before others look at it.
const AFTER_SUSPENSION: Duration = Duration::from_secs(3);

/// What a waiter does between two looks at the lock.
pub(super) struct Waiting<'a> {
    interrupt: Option<&'a dyn Fn() -> Result<()>>,
    bell: Option<Bell>,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(interrupt: Option<&'a dyn Fn() -> Result<()>>) -> Self {
        Self {
            interrupt,
            bell: None,
        }
    }

    /// An error when the waiting is to end.
    pub(super) fn check(&self) -> Result<()> {
        self.interrupt.map_or(Ok(()), |interrupt| interrupt())
    }

    /// Returns when it is time to look again: at once when the release is heard, else after a random while,
    /// so that of many waiters each comes first some time.
    pub(super) fn pause(&mut self, run: &Run, at_most: Duration) -> Result<()> {
        let bell = self
            .bell
            .get_or_insert_with(|| Bell::new(run.core.store.location()));
        let while_ = if bell.is_there() {
            random(Duration::from_millis(400), Duration::from_millis(900))
        } else {
            random(Duration::from_millis(10), Duration::from_millis(90))
        };
        let began = Moment::now();
        let end = while_.min(at_most);
        let slice = if bell.is_there() { SLICE / 10 } else { SLICE };
        let mut last_check = Instant::now();
        loop {
            let left = end.saturating_sub(began.awake());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(slice));
            if last_check.elapsed() >= SLICE {
                self.check()?;
                last_check = Instant::now();
            }
            if self
                .bell
                .as_mut()
                .is_some_and(|bell| bell.has_rung(run.id().0))
            {
                break;
            }
        }
        if began.saw_a_suspension() {
            // The holder slept too, and its lease looks as if it had run out.
            self.sleep(AFTER_SUSPENSION.min(at_most))?;
        }
        Ok(())
    }

    fn sleep(&self, duration: Duration) -> Result<()> {
        let began = Instant::now();
        while let Some(left) = duration.checked_sub(began.elapsed()) {
            std::thread::sleep(left.min(SLICE));
            self.check()?;
        }
        Ok(())
    }
}

fn random(from: Duration, to: Duration) -> Duration {
    // Randomly seeded by the standard library.
    let random = RandomState::new().hash_one(0u8) % 1024;
    from + (to - from) * u32::try_from(random).unwrap_or(0) / 1024
}
