//! Why a waiting job is not let through to the workers.

use serde::{Deserialize, Serialize};

use crate::base::id::JobId;
use crate::base::time::Timestamp;

/// What other jobs have that a job needs before workers can take it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BlockedOn {
    /// What kind of place the job waits for.
    pub r#type: SlotType,
    /// The job's concurrency key, if it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// A job that had what this one waits for when it began to wait.
    pub job_id: JobId,
    /// Since when the job waits; absent in records of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// The kinds of places of which there are so many.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotType {
    /// The one that a concurrency key has.
    ConcurrencyKey,
    /// Those of the jobs of a tenant that may be with the workers at a time.
    RunningQuota,
}
