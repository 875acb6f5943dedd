//! Statistics of jobs that have ended: how they ended, how long they took, what they used, and why they failed.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::filter::{KindFilter, TitleFilter};
use super::outcome::Outcome;
use super::sketch::Sketch;
use super::status::JobStatus;
use crate::base::id::{JobId, Tenant};
use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;

/// Which jobs to count.
#[derive(Clone, Debug)]
pub struct StatsQuery {
    /// The owner of the jobs.
    pub tenant: Tenant,
    /// Only jobs that were submitted at this time or later.
    pub since: Timestamp,
    /// Only jobs of this kind.
    pub kind: Option<KindFilter>,
    /// Only jobs with such a title.
    pub title: Option<TitleFilter>,
}

/// The jobs of one kind and title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// The name of the kind, as it is stored.
    pub kind: Option<String>,
    /// Their title.
    pub title: Option<String>,
    /// How many jobs ended in each state.
    pub ended: BTreeMap<JobStatus, u64>,
    /// How many attempts they took together.
    pub attempts: u64,
    /// How long their last attempts took, in seconds.
    pub durations: Sketch,
    /// Seconds of processor time, of those for which it is known.
    pub cpu_seconds: f64,
    /// The largest peak memory of one, in bytes.
    pub peak_memory_bytes: u64,
    /// Bytes of output.
    pub output_bytes: u64,
    /// What they cost, in US dollars.
    pub cost_usd: f64,
    /// Why they did not succeed, by reason.
    pub failures: BTreeMap<String, Failures>,
}

/// The jobs that ended for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Failures {
    /// How many there are.
    pub count: u64,
    /// The last of them, by the time of submission.
    pub last: JobId,
    /// When that one ended.
    pub last_at: Option<Timestamp>,
    /// Why, in a sentence of at most 300 characters.
    pub last_error: Option<String>,
}

/// Counts jobs. Each job counts once, when it has ended, however often it was tried and delivered.
#[async_trait]
pub trait StatsStore: Send + Sync {
    /// Returns the jobs of each kind and title.
    async fn tallies(&self, query: &StatsQuery, now: Timestamp) -> Result<Vec<Tally>, StoreError>;
}

impl Tally {
    /// Counts a job that has ended.
    pub fn count(&mut self, job: JobId, attempts: u32, outcome: &Outcome, finished_at: Option<Timestamp>) {
        *self.ended.entry(outcome.status).or_default() += 1;
        self.attempts += u64::from(attempts);
        if let Some(usage) = &outcome.usage {
            self.durations.add(usage.duration_seconds);
            self.cpu_seconds += usage.cpu_seconds.unwrap_or_default();
            self.peak_memory_bytes = self.peak_memory_bytes.max(usage.peak_memory_bytes.unwrap_or_default());
            self.output_bytes += usage.output_bytes;
            self.cost_usd += usage.cost.as_ref().map_or(0.0, |cost| cost.usd);
        }
        if let Some(reason) = &outcome.reason {
            let failures = Failures {
                count: 1,
                last: job,
                last_at: finished_at,
                last_error: outcome.brief_error(),
            };
            self.fail(reason.as_str(), failures);
        }
    }

    /// Adds the jobs of another tally. Its kind and title are not looked at.
    pub fn merge(&mut self, other: Self) {
        for (status, count) in other.ended {
            *self.ended.entry(status).or_default() += count;
        }
        self.attempts += other.attempts;
        self.durations.merge(&other.durations);
        self.cpu_seconds += other.cpu_seconds;
        self.peak_memory_bytes = self.peak_memory_bytes.max(other.peak_memory_bytes);
        self.output_bytes += other.output_bytes;
        self.cost_usd += other.cost_usd;
        for (reason, failures) in other.failures {
            self.fail(&reason, failures);
        }
    }

    /// Returns how many jobs there are.
    #[must_use]
    pub fn jobs(&self) -> u64 {
        self.ended.values().sum()
    }

    fn fail(&mut self, reason: &str, failures: Failures) {
        match self.failures.get_mut(reason) {
            None => drop(self.failures.insert(reason.to_owned(), failures)),
            Some(known) => {
                let count = known.count + failures.count;
                if failures.last > known.last {
                    *known = failures;
                }
                known.count = count;
            }
        }
    }
}
