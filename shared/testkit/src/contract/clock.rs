//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use callboard_core::base::time::{Clock, SystemClock, Timestamp};

/// The clock starts at the present time. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct FakeClock {
    millis: Arc<AtomicI64>,
    /// How far it was set ahead of the elapsed time.
    ahead: Arc<AtomicI64>,
    start: i64,
    /// How far this machine's clock is off. Each clone can have its own skew.
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
    /// Moves the clock forward: time passes.
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the displayed time ahead by `span`, as a user would: no time passes.
    pub fn set_ahead(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.ahead.store(millis, Ordering::SeqCst);
    }

    /// Makes the clock of another machine, which shares the elapsed time but shows a time that is off by `millis` milliseconds.
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
