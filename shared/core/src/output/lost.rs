//! Seals the output of a lost worker.

use super::index;
use super::manifest::Manifest;
use super::segment::Chain;
use super::store::LogStore;
use super::stream::Stream;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;

/// Seals the streams of an attempt whose worker is lost, up to the first gap. An attempt that its worker has sealed stays
/// unchanged.
///
/// # Errors
/// The log store's errors.
pub async fn seal_lost(logs: &dyn LogStore, job: JobId, attempt: u32) -> Result<(), StoreError> {
    if logs.manifest(job, attempt).await?.is_some() {
        return Ok(());
    }
    let (mut ends, mut chain, mut segments) = ([0; Stream::ALL.len()], Chain::default(), 0);
    for head in logs.segments(job, attempt).await? {
        if head.number != segments + 1 || !head.follows(ends) {
            break;
        }
        chain.add(&head);
        ends = head.ends();
        segments += 1;
    }
    let [stdout_bytes, events_bytes, index_bytes] = ends;
    let manifest = Manifest {
        stdout_bytes,
        events_bytes,
        events: index::count(index_bytes),
        segments,
        segments_sha256: chain.sha256(),
        ..Manifest::default()
    };
    logs.seal(job, attempt, &manifest).await
}
