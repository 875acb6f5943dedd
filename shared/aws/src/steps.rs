//! The common parts of a job's steps: the state they start from, and the lease.

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::id::{JobId, LeaseToken};
use callboard_core::job::{JobStatus, Lease};

use crate::attributes::{number, string};
use crate::item::{self, Standing};
use crate::update::Update;

/// Begins an update that requires the job to be in a state.
pub(crate) fn is(state: JobStatus) -> Update {
    Update::when("#status = :is").value("is", status(state))
}

/// Begins an update that requires the job to wait for nothing but a worker.
pub(crate) fn free() -> Update {
    is(JobStatus::Pending).and("attribute_not_exists(#blocked_on)")
}

/// Begins an update by the holder of the job's lease.
pub(crate) fn held(token: LeaseToken) -> Update {
    Update::when("#lease_token = :held").value("held", string(token.to_string()))
}

/// Begins an update that requires the job to run, and no worker to hold it.
pub(crate) fn detached() -> Update {
    is(JobStatus::Running).and("attribute_not_exists(#lease_token)")
}

/// Adds the job's new lease.
pub(crate) fn holding(update: Update, lease: Lease) -> Update {
    update
        .set("lease_token", string(lease.token.to_string()))
        .set("lease_beat", number(lease.beat))
}

/// Adds the attempt that ends to those that were given up.
pub(crate) fn giving_up(update: Update, attempt: AttributeValue) -> Update {
    update
        .value("none", AttributeValue::L(Vec::new()))
        .value("ended", AttributeValue::L(vec![attempt]))
        .set_to("given_up", "list_append(if_not_exists(#given_up, :none), :ended)")
}

/// Takes back the attempt that began with the claim.
pub(crate) fn uncounted(update: Update) -> Update {
    update
        .set_to("attempt", "#attempt - :one")
        .value("one", number(1))
        .remove(&["started_at"])
}

/// Makes a running job pending again; nobody holds it.
pub(crate) fn pending_again(update: Update) -> Update {
    update
        .set("status", status(JobStatus::Pending))
        .remove(&["lease_token", "lease_beat", "progress", "detached"])
}

/// Puts the job in the group of jobs that wait for the same thing.
pub(crate) fn standing(update: Update, id: JobId, standing: Standing) -> Update {
    update.set("active_pk", string(standing.partition(item::shard(id))))
}

/// Makes the attribute of a state.
pub(crate) fn status(status: JobStatus) -> AttributeValue {
    string(status.as_str())
}
