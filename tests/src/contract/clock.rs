//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use callboard_core::base::time::{Clock, SystemClock, Timestamp};

/// Starts at the present time. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct FakeClock {
    millis: Arc<AtomicI64>,
    /// How far it was set ahead of the time that has passed.
    ahead: Arc<AtomicI64>,
    start: i64,
    /// How far this machine's clock is off; every other clone's may be off otherwise.
    skew: i64,
}

impl Default for FakeClock {
    fn default() -> Self {
        let start = SystemClock.now().as_millis();
        Self {
            millis: Arc::new(AtomicI64::new(start)),
            ahead: Arc::default(),
            start,
            skew: 0,
        }
    }
}

impl FakeClock {
    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets what the clock shows so far ahead, as if somebody had set it: no time passes.
    pub fn set_ahead(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.ahead.store(millis, Ordering::SeqCst);
    }

    /// Makes the clock of a machine that goes by the same time, and shows one that is off by so many milliseconds.
    #[must_use]
    pub fn skewed(&self, millis: i64) -> Self {
        Self {
            skew: millis,
            ..self.clone()
        }
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::SeqCst);
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst) + ahead + self.skew)
    }

    fn elapsed(&self) -> Duration {
        let millis = self.millis.load(Ordering::SeqCst) - self.start;
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}
