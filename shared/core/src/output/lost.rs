//! Seals the output of a lost worker.

use super::manifest::Manifest;
use super::store::LogStore;
use super::written::Written;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;

/// Seals the streams of an attempt whose worker is lost, up to the first gap. An attempt that its worker has sealed stays
/// unchanged. Returns what is sealed.
///
/// # Errors
/// The log store's errors.
pub async fn seal_lost(logs: &dyn LogStore, job: JobId, attempt: u32) -> Result<Manifest, StoreError> {
    if let Some(sealed) = logs.manifest(job, attempt).await? {
        return Ok(sealed);
    }
    let written = Written::of(logs, job, attempt).await?;
    let [stdout_bytes, events_bytes, _] = written.ends;
    let manifest = Manifest {
        stdout_bytes,
        events_bytes,
        events: written.events(),
        segments: written.segments,
        segments_sha256: written.chain.sha256(),
        ..Manifest::default()
    };
    logs.seal(job, attempt, &manifest).await?;
    Ok(manifest)
}
