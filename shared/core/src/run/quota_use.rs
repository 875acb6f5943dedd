//! How much of its quotas a tenant uses.

use super::allowance::{Allowance, DAY, Minute, period};
use crate::base::id::Tenant;
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;
use crate::job::{Counter, Slot};

/// How much of a quota is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Used {
    /// The quota.
    pub limit: u64,
    /// How much of it is used. What is used beyond it need not be told.
    pub used: u64,
}

impl Used {
    /// Returns how much is left; 0 if it is used up.
    #[must_use]
    pub fn left(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// How much of its quotas a tenant uses; `None` where there is no quota, since then nothing is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QuotaUse {
    /// Jobs that are with the workers.
    pub running: Option<Used>,
    /// Jobs that wait.
    pub waiting: Option<Used>,
    /// Submissions in this minute.
    pub submissions_per_minute: Option<Used>,
    /// Bytes of output that are kept.
    pub stored_bytes: Option<Used>,
    /// When the next minute begins.
    pub next_minute_at: Timestamp,
}

impl QuotaUse {
    /// Returns whether there is a quota of anything.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        [
            self.running,
            self.waiting,
            self.submissions_per_minute,
            self.stored_bytes,
        ]
        .iter()
        .any(Option::is_some)
    }
}

impl Allowance {
    /// Returns how much of its quotas a tenant uses. Nothing of that is kept: it is counted now.
    ///
    /// # Errors
    /// A store does not answer.
    pub async fn used(&self, tenant: &Tenant) -> Result<QuotaUse, StoreError> {
        let (quota, now) = (self.quotas.of(tenant), self.clock.now());
        let minute = Minute::of(now);
        let slot = Slot::of_quota(tenant.clone());
        let running = async |_| self.slots.taken(&slot).await.map(u64::from);
        let waiting = async |limit| self.store.waiting(tenant, limit).await.map(u64::from);
        let sum = async |counter, from| self.counters.sum(tenant, counter, from).await;
        Ok(QuotaUse {
            running: used(quota.running, running).await?,
            waiting: used(quota.waiting, waiting).await?,
            submissions_per_minute: used(quota.submissions_per_minute, async |_| {
                sum(Counter::Submissions, minute.number).await
            })
            .await?,
            stored_bytes: used(quota.stored_bytes, async |_| {
                sum(Counter::StoredBytes, period(now, DAY)).await
            })
            .await?,
            next_minute_at: minute.end,
        })
    }
}

/// Counts what is used of a quota, if there is one.
async fn used<L: Copy + Into<u64>>(
    limit: Option<L>,
    count: impl AsyncFnOnce(L) -> Result<u64, StoreError>,
) -> Result<Option<Used>, StoreError> {
    let Some(limit) = limit else {
        return Ok(None);
    };
    let used = count(limit).await?;
    let limit = limit.into();
    Ok(Some(Used { limit, used }))
}
