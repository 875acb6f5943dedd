//! Submits the request of a job anew.

use serde_json::Value;

use super::asked::Asked;
use super::error::SubmitError;
use super::once::Once;
use super::submitter::{Submitted, Submitter};
use crate::access::Requester;
use crate::base::causes::causes;
use crate::job::Job;

/// A job that repeats another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Relaunched {
    /// The job.
    pub submitted: Submitted,
    /// Why something is not as it was asked for, in a sentence.
    pub note: Option<String>,
}

impl Submitter {
    /// Submits the request of a job anew, with changes, as if the caller had sent it; the records of both jobs name each other.
    ///
    /// # Errors
    /// As for [`Submitter::submit`]; `Invalid` also names changes that cannot be made.
    pub async fn relaunch(
        &self,
        by: &Requester,
        original: &Job,
        changes: Value,
        once: Option<&Once>,
    ) -> Result<Relaunched, SubmitError> {
        let (body, note) = self
            .kinds
            .again(original.told(), &changes)
            .map_err(SubmitError::Invalid)?;
        let asked = Asked::again(original.id, changes, body);
        let submitted = self.submit_asked(by, asked, once).await?;
        if let Err(error) = self.store.note_relaunch(original.id, submitted.job.id).await {
            let error = causes(&error);
            tracing::warn!(job.id = %original.id, %error, "the job's record does not name the job that repeats it");
        }
        Ok(Relaunched { submitted, note })
    }
}
