//! The supervisors of running jobs, and what a lost one leaves behind.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::processes;

const PAUSE: Duration = Duration::from_millis(20);
/// How often a look at processes is repeated: for 10 s at least.
const TRIES: u32 = 500;

/// The process ids of the supervisors that have reported, until their jobs have ended.
#[derive(Default)]
pub(crate) struct Supervisors(Mutex<BTreeSet<i32>>);

impl Supervisors {
    /// Notes the supervisor of a job that starts.
    pub(crate) fn add(&self, pid: i32) {
        self.lock().insert(pid);
    }

    /// Forgets a supervisor that has ended; one that outlived its host is our child and is collected.
    pub(crate) async fn forget(&self, pid: i32) {
        self.lock().remove(&pid);
        for _ in 0..TRIES {
            if processes::collect(pid) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends what lost supervisors have left to us, until nothing of it lives. Returns what could not be ended: processes of
    /// another user, or stuck in the kernel.
    ///
    /// The socket of a process that dies closes before its children become ours: `lost` must have ended before a look
    /// that finds nothing counts.
    pub(crate) async fn end_strays(&self, lost: Option<i32>, host: Option<i32>) -> Vec<i32> {
        let mut found = Vec::new();
        for _ in 0..TRIES {
            let ended = lost.is_none_or(processes::has_ended);
            let mut known = self.lock().clone();
            known.extend(host);
            found = processes::end_strays(&known);
            if found.is_empty() && ended {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
