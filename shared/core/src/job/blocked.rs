//! Why a waiting job is not let through to the workers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::id::JobId;

/// What a job waits for before workers can take it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct BlockedOn {
    /// What kind of place the job waits for.
    pub r#type: SlotType,
    /// The job's concurrency key, if it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// A job that had what this one waits for when it began to wait.
    #[schema(value_type = String, format = "uuid")]
    pub job_id: JobId,
}

/// The kinds of places of which there are so many.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotType {
    /// The one that a concurrency key has.
    ConcurrencyKey,
    /// Those of the jobs of a tenant that may be with the workers at a time.
    RunningQuota,
}
