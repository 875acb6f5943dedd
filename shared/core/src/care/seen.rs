//! What a sweeper remembers from one look to the next, timed by its own monotonic clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::id::JobId;
use crate::job::{Lease, Ticket};
use crate::request::Lane;

/// How long a job may wait while the queue has nothing to deliver: longer than a worker takes to claim a job it has received, and
/// longer than a queue takes to count its messages.
const UNCLAIMED: Duration = Duration::from_secs(60);
/// How many times that wait doubles at most, for a job that is received again and again in vain.
const MAX_DOUBLINGS: u32 = 4;

/// Leases, each with the time since which it has been seen unchanged. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<JobId, (Lease, Duration)>>>);

impl Leases {
    /// Records the leases found by a look that began and ended at these times. Returns those that have not changed for at least
    /// `silence`.
    pub(super) fn note(
        &self,
        running: &[(JobId, Lease)],
        began: Duration,
        ended: Duration,
        silence: Duration,
    ) -> Vec<(JobId, Lease)> {
        let mut seen = lock(&self.0);
        let known = std::mem::take(&mut *seen);
        let mut silent = Vec::new();
        for (id, lease) in running {
            let since = match known.get(id) {
                Some((as_before, since)) if as_before == lease => *since,
                _ => ended,
            };
            if began.saturating_sub(since) >= silence {
                silent.push((*id, *lease));
            }
            seen.insert(*id, (*lease, since));
        }
        silent
    }

    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }
}

/// Jobs that wait while the queue has nothing to deliver. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Unclaimed(Arc<Mutex<HashMap<JobId, Waiting>>>);

/// A job that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    lane: Lane,
    /// Since when it waits while its lane has nothing to deliver.
    since: Duration,
    /// How often it was queued again.
    times: u32,
}

impl Unclaimed {
    /// Records the jobs found by a look that began and ended at these times, in the lanes that have no messages. Returns those to queue
    /// again. In the other lanes, the wait of each job starts again.
    pub(super) fn note(
        &self,
        waiting: Vec<Ticket>,
        delivered: &[Lane],
        began: Duration,
        ended: Duration,
    ) -> Vec<Ticket> {
        let mut seen = lock(&self.0);
        let known = std::mem::take(&mut *seen);
        for (id, job) in known.iter().filter(|(_, job)| !delivered.contains(&job.lane)) {
            seen.insert(*id, Waiting { since: ended, ..*job });
        }
        let mut forgotten = Vec::new();
        for ticket in waiting {
            let id = ticket.id;
            let new = Waiting {
                lane: ticket.lane,
                since: ended,
                times: 0,
            };
            let mut job = known.get(&id).copied().unwrap_or(new);
            if began.saturating_sub(job.since) >= UNCLAIMED * (1 << job.times) {
                forgotten.push(ticket);
                job.since = ended;
                job.times = MAX_DOUBLINGS.min(job.times + 1);
            }
            seen.insert(id, job);
        }
        forgotten
    }

    /// Records that the queue has messages. They may belong to any job, so every job's wait starts again.
    pub(super) fn restart(&self, now: Duration) {
        for job in lock(&self.0).values_mut() {
            job.since = now;
        }
    }
}

fn lock<T>(seen: &Mutex<T>) -> MutexGuard<'_, T> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
