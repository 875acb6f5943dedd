//! The children of this process, for all its runners, and the processes that a lost child leaves behind.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::processes;

const PAUSE: Duration = Duration::from_millis(20);
/// How often a look at processes is repeated: for at least 10 s.
const TRIES: u32 = 500;

/// The process ids of the children that somebody looks after: supervisors of running jobs, and hosts. All runners of a
/// process share one registry; otherwise one runner would end processes that another has started. Clones share it.
#[derive(Clone, Debug)]
pub struct Children(Arc<Mutex<BTreeSet<i32>>>);

impl Children {
    /// Makes the registry of this process. From now on, the kernel makes orphaned descendants children of this process.
    ///
    /// # Errors
    /// The kernel does not support that.
    pub fn adopt() -> io::Result<Self> {
        processes::become_subreaper()?;
        Ok(Self(Arc::default()))
    }

    /// Notes a child that somebody looks after.
    pub fn add(&self, pid: i32) {
        self.lock().insert(pid);
    }

    /// Notes that nobody looks after a child any more.
    pub fn remove(&self, pid: i32) {
        self.lock().remove(&pid);
    }

    /// Forgets a child that has ended. If it outlived its own parent, it is now our child, and its exit status is collected.
    pub async fn forget(&self, pid: i32) {
        self.remove(pid);
        for _ in 0..TRIES {
            if processes::collect(pid) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends the processes that lost children have left to us, until none of them is alive. Returns those that could not
    /// be ended: processes of another user, or processes stuck in the kernel.
    ///
    /// A dying process closes its socket before its children become ours, so a look that finds nothing counts only once
    /// `lost` has ended.
    pub async fn end_strays(&self, lost: Option<i32>) -> Vec<i32> {
        let mut found = Vec::new();
        for _ in 0..TRIES {
            let ended = lost.is_none_or(processes::has_ended);
            let known = self.lock().clone();
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
