//! Decides whether to believe the wall clock: data that is deleted because it has expired cannot be brought back.
//!
//! The wall clock is compared with a clock that never jumps. When they disagree, the wall clock is doubted until it shows the
//! expected time again or has run steadily for an hour.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::time::{Clock, Timestamp};

/// How far the two clocks may drift apart within an hour.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// How long a clock that has jumped is doubted.
const HOLD: Duration = Duration::from_secs(3600);
/// How much later than the newest job the wall clock may be when the process starts.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// What is known about the wall clock. Clones share it.
#[derive(Clone, Debug)]
pub struct Doubt(Option<Arc<Mutex<Known>>>);

#[derive(Debug, Default)]
struct Known {
    /// What the wall clock showed when it was last believed.
    believed: Option<Seen>,
    /// What it showed when it was first doubted, or jumped again.
    doubted: Option<Seen>,
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Seen {
    wall: Timestamp,
    steady: Duration,
}

impl Default for Doubt {
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

impl Doubt {
    /// Makes a `Doubt` that believes whatever the wall clock shows. It is for a process that is frozen between looks, such as an
    /// AWS Lambda function, because its steady clock stops too.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Starts from the time that is known from before the process started: the time of the newest job. A wall clock that is more
    /// than a day later, or earlier than that time, is doubted, because nobody knows how long the process was away.
    pub fn begin(&self, clock: &dyn Clock, newest: Option<Timestamp>) {
        let now = Seen::take(clock);
        let fits = |newest: Timestamp| now.wall.since(newest) <= IDLE && newest.since(now.wall) <= TOLERANCE;
        let Some(mut known) = self.known() else { return };
        if newest.is_none_or(fits) {
            known.believed = Some(now);
        } else {
            known.doubted = Some(now);
            tracing::info!(
                "the clock is over a day from the newest job's time: no expired data is removed until it has run steadily for an hour"
            );
        }
    }

    /// Looks at the clocks and returns whether the wall clock is believed.
    #[must_use]
    pub fn believes(&self, clock: &dyn Clock) -> bool {
        let now = Seen::take(clock);
        let Some(mut known) = self.known() else { return true };
        let first = known.believed.is_none() && known.doubted.is_none();
        let believed = known.believed.is_some_and(|before| before.agrees(now));
        let steady = known.doubted.filter(|since| since.agrees(now));
        if first || believed || steady.is_some_and(|since| now.is_long_after(since)) {
            known.believe(now);
        } else if steady.is_none() {
            known.doubt(now);
        }
        known.doubted.is_none()
    }

    fn known(&self) -> Option<MutexGuard<'_, Known>> {
        let known = self.0.as_ref()?;
        Some(known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn believe(&mut self, now: Seen) {
        self.doubted = None;
        // not at every look: many small steps add up to a jump
        if self
            .believed
            .is_none_or(|before| now.is_long_after(before) || !before.agrees(now))
        {
            self.believed = Some(now);
        }
    }

    fn doubt(&mut self, now: Seen) {
        if self.doubted.replace(now).is_none() {
            tracing::warn!(
                clock = %now.wall,
                "the clock has jumped by minutes: no expired data is removed and no job given up until it is back, or has run steadily for an hour"
            );
        }
    }
}

impl Seen {
    fn take(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            steady: clock.elapsed(),
        }
    }

    /// Returns whether the same amount of time has passed on both clocks.
    fn agrees(self, later: Self) -> bool {
        let expected = self.wall + later.steady.saturating_sub(self.steady);
        later.wall.since(expected) <= TOLERANCE && expected.since(later.wall) <= TOLERANCE
    }

    fn is_long_after(self, earlier: Self) -> bool {
        self.steady.saturating_sub(earlier.steady) >= HOLD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both clocks at one moment, in minutes.
    struct At(i64, u64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0 * 60_000)
        }

        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.1 * 60)
        }
    }

    const MONTH: i64 = 30 * 24 * 60;

    /// Looks at both clocks, given in minutes, and checks what is believed.
    fn check(doubt: &Doubt, looks: &[(i64, u64, bool)]) {
        for (wall, steady, believed) in looks {
            assert_eq!(doubt.believes(&At(*wall, *steady)), *believed, "{wall} {steady}");
        }
    }

    #[test]
    fn a_clock_that_jumps_is_doubted_until_it_is_back_or_has_gone_on_for_an_hour() {
        for jump in [MONTH, -MONTH, 6, -6] {
            let doubt = Doubt::default();
            check(
                &doubt,
                &[(0, 0, true), (10, 10, true), (11 + jump, 11, false), (12, 12, true)],
            );
            check(
                &doubt,
                &[(13 + jump, 13, false), (72 + jump, 72, false), (73 + jump, 73, true)],
            );
            check(&doubt, &[(200 + jump, 200, true), (201, 201, false)]);
        }
    }

    #[test]
    fn a_clock_that_jumps_again_is_doubted_for_longer() {
        let doubt = Doubt::default();
        check(&doubt, &[(0, 0, true), (MONTH, 0, false), (2 * MONTH + 50, 50, false)]);
        check(&doubt, &[(2 * MONTH + 60, 60, false), (2 * MONTH + 110, 110, true)]);
    }

    #[test]
    fn a_clock_that_is_put_right_in_small_steps_is_believed_and_one_that_runs_away_is_not() {
        let (slewed, runaway) = (Doubt::default(), Doubt::default());
        for hour in 0..100 {
            assert!(slewed.believes(&At(hour * 64, hour.unsigned_abs() * 60)), "{hour}");
        }
        let believed = (0..10).filter(|minute| runaway.believes(&At(minute * 3, minute.unsigned_abs())));
        assert_eq!(believed.count(), 3);
    }

    #[test]
    fn a_start_that_fits_the_newest_job_is_believed() {
        let newest = |minutes| Some(Timestamp::from_millis(minutes * 60_000));
        for (newest, believed) in [
            (None, true),
            (newest(MONTH - 60), true),
            (newest(MONTH + 4), true),
            (newest(0), false),
            (newest(MONTH + 60), false),
        ] {
            let doubt = Doubt::default();
            doubt.begin(&At(MONTH, 0), newest);
            check(
                &doubt,
                &[(MONTH, 0, believed), (MONTH + 59, 59, believed), (MONTH + 60, 60, true)],
            );
        }
    }
}
