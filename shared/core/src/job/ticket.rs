//! What the queue carries.

use super::record::Job;
use crate::base::id::{JobId, Tenant};
use crate::request::Lane;

/// A job in the queue: which one, for which workers, and in whose line. Workers take the tenants' jobs in turn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ticket {
    /// The job.
    pub id: JobId,
    /// Which workers take it.
    pub lane: Lane,
    /// The owner, with whose other jobs it is in line.
    pub tenant: Tenant,
}

impl Ticket {
    /// Makes the ticket of a job.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        Self {
            id: job.id,
            lane: job.request.lane,
            tenant: job.tenant.clone(),
        }
    }
}
