//! What of an attempt's output is written.

use super::index;
use super::segment::Chain;
use super::store::LogStore;
use super::stream::Stream;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;

/// What of an attempt's output is written, up to the first gap.
#[derive(Default)]
pub(super) struct Written {
    /// Where the streams end.
    pub(super) ends: [u64; Stream::ALL.len()],
    pub(super) segments: u64,
    pub(super) chain: Chain,
}

impl Written {
    /// Looks at the segments of an attempt.
    pub(super) async fn of(logs: &dyn LogStore, job: JobId, attempt: u32) -> Result<Self, StoreError> {
        let mut written = Self::default();
        for head in logs.segments(job, attempt).await? {
            if head.number != written.segments + 1 || !head.follows(written.ends) {
                break;
            }
            written.chain.add(&head);
            written.ends = head.ends();
            written.segments += 1;
        }
        Ok(written)
    }

    /// Returns how many events there are.
    pub(super) fn events(&self) -> u64 {
        let [_, _, index] = self.ends;
        index::count(index)
    }
}
