//! The steps that end a job's run, or undo it.

use callboard_core::base::id::{JobId, LeaseToken};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{CancelRequest, Job, JobStatus, Lease, Outcome, canceled};
use uuid::Uuid;

use super::DynamoDbJobStore;
use crate::attributes::{Item, instant, json, string};
use crate::item::{self, Standing};
use crate::steps::{detached, held, holding, is, pending_again, standing, uncounted};
use crate::stored::Stored;
use crate::table::Unmet;
use crate::update::Update;

/// How often a step is tried again if the job's state has just changed.
const TRIES: u32 = 10;

impl DynamoDbJobStore {
    /// Adds the attributes that the end of a job writes to an update.
    pub(super) async fn end(
        &self,
        update: Update,
        id: JobId,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<Update, StoreError> {
        let (tenant, retention) = self.table.constants(id).await?;
        let (name, value) = self.store_outcome(id, outcome).await?.attribute("outcome");
        let ended = item::ended(&tenant, retention, id, outcome, now)?.into_iter();
        let update = ended.fold(update, |update, (name, value)| update.set(&name, value));
        Ok(update.set(&name, value).remove(&[
            "lease_token",
            "lease_beat",
            "progress",
            "active_pk",
            "due",
            "dead_letter",
            "detached",
            "blocked_on",
        ]))
    }

    pub(super) async fn store_outcome(&self, id: JobId, outcome: &Outcome) -> Result<Stored, StoreError> {
        let body = format!("records/{id}/{}.json", Uuid::new_v4());
        self.bodies.store(body, outcome).await
    }

    /// Undoes a claim that did not lead to a run.
    pub(super) async fn unclaim(&self, id: JobId, token: LeaseToken) -> Result<(), StoreError> {
        let update = pending_again(uncounted(held(token)));
        let update = standing(update, id, Standing::Queued);
        self.table.step(id, update).await.map(drop)
    }

    /// Takes up an attempt that no worker holds.
    pub(super) async fn take_up(&self, id: JobId, lease: Lease) -> Result<Job, StoreError> {
        let update = standing(holding(detached(), lease).remove(&["due"]), id, Standing::Running);
        match self.job(self.table.step(id, update).await?).await {
            Ok(job) => Ok(job),
            Err(error) => {
                // as for a claim that starts an attempt
                let update = held(lease.token).remove(&["lease_token", "lease_beat"]);
                self.table.step(id, standing(update, id, Standing::Detached)).await?;
                Err(error)
            }
        }
    }

    /// Leaves a job that a worker holds to what executes it.
    pub(super) async fn leave(
        &self,
        update: Update,
        id: JobId,
        detached: String,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let update = update
            .set("detached", string(detached))
            .set("due", instant(due))
            .remove(&["lease_token", "lease_beat"]);
        let update = standing(update, id, Standing::Detached);
        item::cancel(&self.table.step(id, update).await?)
    }

    /// Makes a running job pending again and applies `update`; a job that was asked to stop is canceled instead, and
    /// the request returned.
    pub(super) async fn give_back(
        &self,
        id: JobId,
        update: impl Fn() -> Update + Send + Sync,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let pending = pending_again(update())
            .and("attribute_not_exists(#cancel)")
            .set("due", instant(due));
        let item = match self.table.update(id, standing(pending, id, Standing::Due)).await {
            Err(Unmet::Refused(item)) => item,
            other => return other.map(|_| None).map_err(Unmet::into_conflict),
        };
        let cancel = item::cancel(&item)?.ok_or(StoreError::Conflict)?;
        let ended = self.end_canceled(update(), id, &cancel).await;
        ended.map(|_| Some(cancel)).map_err(Unmet::into_conflict)
    }

    async fn end_canceled(&self, update: Update, id: JobId, cancel: &CancelRequest) -> Result<Item, Unmet> {
        let update = self.end(update, id, &canceled(cancel), cancel.at).await?;
        self.table.update(id, update.set("cancel", json(cancel)?)).await
    }

    /// Cancels a pending job, or marks a running one; returns the job after the change.
    pub(super) async fn cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError> {
        let marked = json(&cancel)?;
        for _ in 0..TRIES {
            let mark = |update: Update| {
                let update = update.value("cancel", marked.clone());
                update.set_to("cancel", "if_not_exists(#cancel, :cancel)")
            };
            let running = mark(is(JobStatus::Running).and("attribute_exists(#lease_token)"));
            let item = match self.table.update(id, running).await {
                Err(Unmet::Refused(item)) => item,
                other => return self.job(other.map_err(Unmet::into_conflict)?).await,
            };
            if item::status(&item)?.is_final() {
                return Err(StoreError::Conflict);
            }
            let marked = if item::is_detached(&item)? {
                let first = item::cancel(&item)?.is_none();
                let update = mark(detached());
                let due = first.then(|| instant(cancel.at));
                self.table.update(id, update.set_some("due", due)).await
            } else {
                self.end_canceled(is(JobStatus::Pending), id, &cancel).await
            };
            match marked {
                Ok(item) => return self.job(item).await,
                Err(Unmet::Refused(_)) => {}
                Err(Unmet::Store(error)) => return Err(error),
            }
        }
        Err(StoreError::Unavailable("the job's state changed too often".into()))
    }
}
