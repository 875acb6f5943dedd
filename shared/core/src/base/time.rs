//! Time: instants with millisecond precision, and the clock that provides them.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde::de::{Error as _, IntoDeserializer as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant in milliseconds since the Unix epoch; written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last instant that RFC 3339 can express: later than any event.
    pub const NEVER: Self = Self(253_402_300_799_999);

    /// Restores an instant from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the calendar month in UTC, as `2026-11`.
    #[must_use]
    pub fn month(self) -> String {
        self.to_string().chars().take(7).collect()
    }

    /// Returns the time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).map_err(|_| fmt::Error)?;
        let (date, time) = (instant.date(), instant.time());
        let (hour, minute, second, milli) = time.as_hms_milli();
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant = OffsetDateTime::parse(&text, &Rfc3339).map_err(D::Error::custom)?;
        let millis = instant.unix_timestamp_nanos() / 1_000_000;
        i64::try_from(millis).map(Self).map_err(D::Error::custom)
    }
}

/// A text that is no instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be an instant as RFC 3339 has it, such as 2026-11-30T08:00:00Z")]
pub struct NotATimestamp;

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        Self::deserialize(text.into_deserializer()).map_err(|_: serde::de::value::Error| NotATimestamp)
    }
}

/// Returns a span in seconds, rounded up to the millisecond, so that it is written with three decimals at most.
#[must_use]
pub fn seconds(span: Duration) -> f64 {
    span.as_nanos().div_ceil(1_000_000) as f64 / 1000.0
}

/// Returns a span in whole seconds, rounded up.
#[must_use]
pub fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// Tells the time; tests can replace it.
pub trait Clock: Send + Sync {
    /// Returns the current instant.
    fn now(&self) -> Timestamp;

    /// Returns the time since a fixed instant. It never goes back, whatever the wall clock is set to.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_three_decimals() {
        for (nanos, expected) in [
            (0, "0.0"),
            (1, "0.001"),
            (1_761_000_000, "1.761"),
            (62_569_596_968, "62.57"),
        ] {
            assert_eq!(format!("{:?}", seconds(Duration::from_nanos(nanos))), expected);
        }
    }

    #[test]
    fn a_timestamp_reads_back_what_it_wrote() -> Result<(), serde_json::Error> {
        for millis in [0, 1, 999, 1_763_672_400_123, -62_135_596_800_000] {
            let text = serde_json::to_string(&Timestamp(millis))?;
            assert_eq!(serde_json::from_str::<Timestamp>(&text)?, Timestamp(millis), "{text}");
        }
        assert_eq!(Timestamp(1_763_672_400_120).to_string(), "2025-11-20T21:00:00.120Z");
        Ok(())
    }
}
