//! What tenants use of what they are allowed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::causes::causes;
use crate::base::id::Tenant;
use crate::base::store_error::StoreError;
use crate::base::time::{Clock, Timestamp, whole_seconds};
use crate::job::{Counter, CounterStore, Job, JobStore, SlotStore};
use crate::policy::Quotas;

const MINUTE: Duration = Duration::from_secs(60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long a number that was measured is used, together with what this process has added since: counting is work.
const MEASURED_FOR: Duration = Duration::from_secs(5);
/// When a client may try again that was refused for what only the end of jobs changes.
const JOBS_END: Duration = Duration::from_secs(10);
/// When a client may try again that was refused for what only the deletion of output changes.
const OUTPUT_GOES: Duration = Duration::from_secs(3600);

/// How far a tenant has used up its submissions of this minute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubmissionRate {
    /// How many it may submit in a minute of the clock.
    pub limit: u32,
    /// How many of these are left.
    pub remaining: u32,
    /// In how long the next minute begins.
    pub resets_in: Duration,
}

/// The error for a submission beyond a quota. Its text is a sentence.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Exceeded {
    /// What the limit is, and what to do.
    pub detail: String,
    /// When the client may try again.
    pub retry_after: Duration,
    /// The tenant's submissions, if there is a limit for them.
    pub rate: Option<SubmissionRate>,
}

/// Counts what tenants use. Clones share what they have measured.
#[derive(Clone)]
pub struct Allowance {
    pub(super) store: Arc<dyn JobStore>,
    pub(super) counters: Arc<dyn CounterStore>,
    pub(super) slots: Arc<dyn SlotStore>,
    pub(super) quotas: Quotas,
    pub(super) clock: Arc<dyn Clock>,
    waiting: Measured,
    stored: Measured,
}

impl Allowance {
    /// Measures by these stores.
    #[must_use]
    pub fn new(
        store: Arc<dyn JobStore>,
        counters: Arc<dyn CounterStore>,
        slots: Arc<dyn SlotStore>,
        quotas: Quotas,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            counters,
            slots,
            quotas,
            clock,
            waiting: Measured::default(),
            stored: Measured::default(),
        }
    }

    /// Counts a submission, and checks that the tenant may submit a job. `most_waiting` is how many of its jobs may wait where its quota does
    /// not say; without a limit, `None`.
    ///
    /// # Errors
    /// `Ok(Err(_))` if that is beyond a quota; the store's error if it does not answer.
    pub(crate) async fn admit(
        &self,
        tenant: &Tenant,
        most_waiting: Option<u32>,
    ) -> Result<Result<Option<SubmissionRate>, Exceeded>, StoreError> {
        let (quota, now) = (self.quotas.of(tenant), self.clock.now());
        let rate = match quota.submissions_per_minute {
            None => None,
            Some(limit) => Some(self.submission(tenant, limit, now).await?),
        };
        let exceeded = |detail, retry_after| Exceeded {
            detail,
            retry_after,
            rate: rate.as_ref().map(|(rate, _)| *rate),
        };
        if let Some((rate, true)) = rate {
            let detail = format!(
                "The tenant's quota of {} submissions a minute is used up; the next minute begins in {} s.",
                rate.limit,
                rate.resets_in.as_secs()
            );
            return Ok(Err(exceeded(detail, rate.resets_in)));
        }
        if let Some(limit) = quota.waiting.or(most_waiting) {
            let count = async || self.store.waiting(tenant, limit).await.map(u64::from);
            if self
                .waiting
                .is_used_up(tenant, limit.into(), 1, &*self.clock, count)
                .await?
            {
                let detail = format!(
                    "{limit} jobs of the tenant are waiting, which is as many as may; try again when some have started."
                );
                return Ok(Err(exceeded(detail, JOBS_END)));
            }
        }
        if let Some(limit) = quota.stored_bytes {
            let today = period(now, DAY);
            let sum = async || self.counters.sum(tenant, Counter::StoredBytes, today).await;
            if self.stored.is_used_up(tenant, limit, 0, &*self.clock, sum).await? {
                let detail = format!(
                    "The tenant's quota of {limit} bytes of stored output is used up. Output is deleted when the retention of its job is over; \
                     the operator can raise the quota."
                );
                return Ok(Err(exceeded(detail, OUTPUT_GOES)));
            }
        }
        Ok(Ok(rate.map(|(rate, _)| rate)))
    }

    /// Counts the bytes of output that an attempt has left, for tenants that have a quota of them. Where the store does not answer, they are
    /// not counted.
    pub(crate) async fn note_output(&self, job: &Job, bytes: u64) {
        if bytes == 0 || self.quotas.of(&job.tenant).stored_bytes.is_none() {
            return;
        }
        let until = self.clock.now() + job.retention;
        let (counter, day) = (Counter::StoredBytes, period(until, DAY));
        if let Err(error) = self.counters.add(&job.tenant, counter, day, bytes, until + DAY).await {
            tracing::warn!(error = %causes(&error), "the job's output could not be counted for its tenant's quota");
        }
    }

    /// Counts a submission of this minute; returns whether there are too many.
    async fn submission(
        &self,
        tenant: &Tenant,
        limit: u32,
        now: Timestamp,
    ) -> Result<(SubmissionRate, bool), StoreError> {
        let (minute, until) = (Minute::of(now), now + MINUTE * 2);
        let count = self
            .counters
            .add(tenant, Counter::Submissions, minute.number, 1, until)
            .await?;
        let rate = SubmissionRate {
            limit,
            remaining: limit.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX)),
            resets_in: minute.left(now),
        };
        Ok((rate, count > u64::from(limit)))
    }
}

/// A minute of the clock.
pub(super) struct Minute {
    /// Its number, as a period in which submissions are counted.
    pub(super) number: i64,
    /// When the next one begins.
    pub(super) end: Timestamp,
}

impl Minute {
    /// Returns the minute that an instant is in.
    pub(super) fn of(at: Timestamp) -> Self {
        let number = period(at, MINUTE);
        let end = Timestamp::from_millis(number * 60_000) + MINUTE;
        Self { number, end }
    }

    /// Returns in how many whole seconds it is over.
    fn left(&self, now: Timestamp) -> Duration {
        Duration::from_secs(whole_seconds(self.end.since(now)))
    }
}

/// Returns the number of the period that an instant is in.
pub(super) fn period(at: Timestamp, length: Duration) -> i64 {
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    at.as_millis().div_euclid(millis)
}

/// Numbers of tenants, each with the time at which it was measured. Clones share them.
#[derive(Clone, Debug, Default)]
struct Measured(Arc<Mutex<HashMap<Tenant, (Duration, u64)>>>);

impl Measured {
    /// Returns whether a tenant's number, which `measure` finds out, has reached a limit; adds to it otherwise. A refusal is always based on a
    /// number that was measured just now.
    async fn is_used_up(
        &self,
        tenant: &Tenant,
        limit: u64,
        added: u64,
        clock: &dyn Clock,
        measure: impl AsyncFnOnce() -> Result<u64, StoreError>,
    ) -> Result<bool, StoreError> {
        let now = clock.elapsed();
        {
            let mut known = self.lock();
            let fresh = known
                .get_mut(tenant)
                .filter(|(at, _)| now.saturating_sub(*at) < MEASURED_FOR);
            if let Some((_, number)) = fresh
                && *number < limit
            {
                *number += added;
                return Ok(false);
            }
        }
        let number = measure().await?;
        let used_up = number >= limit;
        let number = if used_up { number } else { number + added };
        self.lock().insert(tenant.clone(), (now, number));
        Ok(used_up)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tenant, (Duration, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
