//! How long a job waits before its next attempt.

use std::time::Duration;

use crate::job::Job;

/// How long a job waits at least before its second attempt; the average is one and a half times as long. The wait doubles
/// before the third attempt, and so on.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_RETRY_PAUSE: Duration = Duration::from_secs(300);
/// How long a job waits at least if it could not be started because the machine was short of something; the average is one and
/// a half times as long.
const SHORT_PAUSE: Duration = Duration::from_secs(4);

/// Returns how long a job waits before its next attempt. Jobs that were lost together do not come back together.
pub(super) fn retry_delay(job: &Job) -> Duration {
    let doubled = 1_u32 << job.state.attempt.saturating_sub(1).min(16);
    let pause = (RETRY_PAUSE * doubled).min(LONGEST_RETRY_PAUSE);
    pause.mul_f64(1.0 + job.id.spread())
}

/// Returns how long a job that could not be started waits.
pub(super) fn short_delay(job: &Job) -> Duration {
    SHORT_PAUSE.mul_f64(1.0 + job.id.spread())
}
