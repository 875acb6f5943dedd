//! The part of a job's record that describes its output.

use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use callboard_core::output::{LogStore, Manifest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::tail::Tail;

/// Facts about the stored output of a job that has ended.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct LogView {
    /// True if all the output that was to be kept is stored; false if the worker was lost or could not write everything, or if the
    /// output is damaged.
    complete: bool,
    /// Whether the job printed more than is kept of one job.
    truncated: bool,
    /// The number of segments that the output is stored in.
    segments: u64,
    /// The number of events.
    events: u64,
    /// The SHA-256 of the output, in hex; null if the worker was lost or the job never started.
    stdout_sha256: Option<String>,
    /// The SHA-256 of the events, in hex; null if the worker was lost or the job never started.
    events_sha256: Option<String>,
    /// Which part of the output is missing or cannot be read, in a sentence. Absent if no damage is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    damaged: Option<String>,
}

impl From<Manifest> for LogView {
    fn from(manifest: Manifest) -> Self {
        Self {
            complete: manifest.complete,
            truncated: manifest.truncated,
            segments: manifest.segments,
            events: manifest.events,
            stdout_sha256: manifest.stdout_sha256,
            events_sha256: manifest.events_sha256,
            damaged: None,
        }
    }
}

/// Reads the output of a job that has ended; a job that never started has none. Damaged parts are left out and reported.
pub(super) async fn read(logs: &dyn LogStore, job: &Job) -> Result<(Tail, LogView), StoreError> {
    if job.state.attempt == 0 {
        let nothing = LogView {
            complete: true,
            ..LogView::default()
        };
        return Ok((Tail::default(), nothing));
    }
    let (manifest, no_manifest) = unless_damaged(logs.manifest(job.id, job.state.attempt).await, job)?;
    let (tail, no_tail) = unless_damaged(Tail::read(logs, job).await, job)?;
    let missing = || manifest.as_ref()?.missing_of_stdout(tail.bytes);
    let what = match (no_manifest, no_tail) {
        (false, false) => missing().map(|missing| format!("Only {missing}")),
        (true, false) => Some("The manifest of the output cannot be read".to_owned()),
        (_, true) => Some("The output cannot be read".to_owned()),
    };
    let mut log = manifest.map(LogView::from).unwrap_or_default();
    if let Some(what) = what {
        log.complete = false;
        log.damaged = Some(format!(
            "{what}; `callboard verify {}` says what is wrong with it.",
            job.id
        ));
    }
    Ok((tail, log))
}

/// Replaces damaged data with the default, and returns whether it was damaged.
fn unless_damaged<T: Default>(read: Result<T, StoreError>, job: &Job) -> Result<(T, bool), StoreError> {
    match read {
        Err(error @ StoreError::Corrupt(_)) => {
            tracing::error!(job.id = %job.id, error = %causes(&error), "the output of a job is damaged");
            Ok((T::default(), true))
        }
        read => read.map(|read| (read, false)),
    }
}
