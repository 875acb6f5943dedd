//! The children of this process, whichever runner has them, and what a lost one leaves behind.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::processes;

const PAUSE: Duration = Duration::from_millis(20);
/// How often a look at processes is repeated: for 10 s at least.
const TRIES: u32 = 500;

/// The process ids of the children that somebody looks after: supervisors of running jobs, hosts. All runners of a process
/// share one registry, or one would end what another has started. Clones share it.
#[derive(Clone, Debug)]
pub struct Children(Arc<Mutex<BTreeSet<i32>>>);

impl Children {
    /// Makes the registry of this process, to which the kernel gives from now on what its descendants leave behind.
    ///
    /// # Errors
    /// The kernel does not do that.
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

    /// Forgets a child that has ended; one that outlived its own parent is ours by now and is collected.
    pub async fn forget(&self, pid: i32) {
        self.remove(pid);
        for _ in 0..TRIES {
            if processes::collect(pid) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends what lost children have left to us, until nothing of it lives. Returns what could not be ended: processes of
    /// another user, or stuck in the kernel.
    ///
    /// The socket of a process that dies closes before its children become ours: `lost` must have ended before a look
    /// that finds nothing counts.
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
