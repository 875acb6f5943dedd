//! What is asked for: a request, and the job that it repeats if it does.

use serde_json::{Value, json};

use super::once::digest;
use crate::base::id::JobId;

/// A request that is to be submitted.
pub(super) struct Asked {
    /// The request.
    pub(super) body: Value,
    /// The job that it repeats, and what the caller has sent.
    again: Option<(JobId, Value)>,
}

impl Asked {
    pub(super) fn again(job: JobId, changes: Value, body: Value) -> Self {
        Self {
            body,
            again: Some((job, changes)),
        }
    }

    /// Returns the job that it repeats.
    pub(super) fn relaunch_of(&self) -> Option<JobId> {
        self.again.as_ref().map(|(job, _)| *job)
    }

    /// Returns the hash by which what the caller has sent is known again.
    pub(super) fn digest(&self) -> String {
        match &self.again {
            Some((job, changes)) => digest(&json!({"relaunch_of": job, "changes": changes})),
            None => digest(&self.body),
        }
    }
}

impl From<Value> for Asked {
    fn from(body: Value) -> Self {
        Self { body, again: None }
    }
}
