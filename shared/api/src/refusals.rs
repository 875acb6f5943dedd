//! Keeps a flood of refusals out of the audit log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::access::Counts;

/// How many refusals of an address the audit log has in a minute.
const MOST: u32 = 20;

/// Limits how many refusals of requests that anybody can send the audit log has. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    of_addresses: Counts,
    left_out: AtomicU64,
}

impl Refusals {
    /// Returns whether one more refusal of an address is written; one that is not is counted.
    pub(crate) fn admit(&self, source_ip: Option<&str>) -> bool {
        let count = self.0.of_addresses.count(source_ip.unwrap_or_default());
        if count > MOST {
            self.0.left_out.fetch_add(1, Ordering::Relaxed);
        }
        count <= MOST
    }

    /// Returns how many were left out since it was last asked.
    pub(crate) fn take_left_out(&self) -> u64 {
        self.0.left_out.swap(0, Ordering::Relaxed)
    }
}
