//! An outage of the store: how long jobs wait that cannot be claimed because of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::id::JobId;

const SHORTEST_PAUSE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// When the current outage of a process began, if there is one, by its [`Clock::elapsed`](crate::base::time::Clock). Clones share
/// it.
#[derive(Clone, Debug, Default)]
pub struct Outage(Arc<Mutex<Option<Duration>>>);

impl Outage {
    /// Records that the store has answered.
    pub(crate) fn end(&self) {
        self.set(|began| *began = None);
    }

    /// Records that the store has not answered. Returns how long a job waits: as long as the outage has lasted, but from 15 s to
    /// 5 min, plus up to as much again, so that the jobs do not all come back at once.
    pub(crate) fn pause(&self, now: Duration, job: JobId) -> Duration {
        let began = self.set(|began| *began.get_or_insert(now));
        let pause = now.saturating_sub(began).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        pause.mul_f64(1.0 + job.spread())
    }

    fn set<T>(&self, change: impl FnOnce(&mut Option<Duration>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_outage_and_begin_anew_with_the_next() {
        let (outage, job) = (Outage::default(), JobId::new());
        let pause = |second| {
            outage
                .pause(Duration::from_secs(second), job)
                .div_f64(1.0 + job.spread())
        };
        let rounded = |second| pause(second).as_secs_f64().round();
        assert_eq!([100, 110, 140, 1000].map(rounded), [15.0, 15.0, 40.0, 300.0]);
        outage.end();
        assert_eq!(rounded(2000), 15.0);
    }
}
