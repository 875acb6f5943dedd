//! [`JobStore`] on one DynamoDB table.
//!
//! Every step of a job is one conditional write.

mod endings;

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::id::{JobId, LeaseToken, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::care::Damage;
use callboard_core::job::{
    Attempt, BlockedOn, CancelRequest, DeadLetter, DueJob, HistoryPage, HistoryQuery, Job, JobStatus, JobStore,
    LOOK_AGAIN, Lease, MAX_RELAUNCHES, Neglected, Outcome, Progress, Redrive, Ticket,
};
use callboard_core::request::Lane;

use crate::attributes::{Item, instant, json, missing, number};
use crate::bodies::Bodies;
use crate::config::s3_client;
use crate::item::{self, Standing};
use crate::listing::{IndexQuery, Listing};
use crate::steps::{detached, free, giving_up, held, holding, is, standing, status, uncounted};
use crate::table::{Table, Unmet};
use crate::update::Update;

/// How many jobs of each partition a filtered list looks at for one page.
const LOOKS: usize = 2_000;

/// The places where the records are stored.
#[derive(Clone, Debug)]
pub struct JobStoreSettings {
    /// The table.
    pub table: String,
    /// The bucket for values too large for the table.
    pub bucket: String,
    /// How long jobs are kept; lists look no further back.
    pub retention: Duration,
}

/// Keeps jobs in a table, and values too large for it in a bucket.
#[derive(Clone)]
pub struct DynamoDbJobStore {
    table: Table,
    bodies: Bodies,
    retention: Duration,
    damage: Damage,
    looks: usize,
}

impl DynamoDbJobStore {
    /// Uses a table and a bucket.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: JobStoreSettings) -> Self {
        Self::with_client(Client::new(config), config, settings)
    }

    /// Uses a table and a bucket, with an existing client for the table.
    #[must_use]
    pub fn with_client(client: Client, config: &SdkConfig, settings: JobStoreSettings) -> Self {
        let bodies = Bodies {
            client: s3_client(config),
            bucket: settings.bucket,
        };
        Self {
            table: Table {
                client,
                name: settings.table,
            },
            bodies,
            retention: settings.retention,
            damage: Damage::default(),
            looks: LOOKS,
        }
    }

    /// Has lists that are filtered by kind or title look at no more jobs of each partition for one page; 2,000 by default.
    #[must_use]
    pub fn looking_at(self, jobs: usize) -> Self {
        Self { looks: jobs, ..self }
    }

    async fn job(&self, item: Item) -> Result<Job, StoreError> {
        item::job(item, &self.bodies).await
    }

    fn listing(&self) -> Listing<'_> {
        Listing {
            table: &self.table,
            retention: self.retention,
            damage: &self.damage,
            looks: self.looks,
        }
    }
}

#[async_trait]
impl JobStore for DynamoDbJobStore {
    async fn create(&self, job: &Job) -> Result<(), StoreError> {
        let body = format!("requests/{}.json", job.id);
        let request = self.bodies.store(body, &job.request).await?;
        let outcome = match &job.state.outcome {
            Some(outcome) => Some(self.store_outcome(job.id, outcome).await?),
            None => None,
        };
        self.table.put(job.id, item::new_job(job, request, outcome)?).await
    }

    async fn get(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        let item = self.table.item(id).await?;
        if item::retained_until(&item)? <= now {
            return Err(StoreError::NotFound);
        }
        self.job(item).await
    }

    async fn list(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError> {
        self.listing().page(query, now).await
    }

    async fn mark_dispatched(&self, id: JobId, due: Timestamp) -> Result<(), StoreError> {
        let waits = |update: Update| update.and("#due = :dispatched").value("dispatched", instant(due));
        let pending = standing(waits(is(JobStatus::Pending)).remove(&["due"]), id, Standing::Queued);
        let marked = match self.table.update(id, pending).await {
            Err(Unmet::Refused(item)) if item::is_detached(&item)? => {
                let again = waits(detached()).set("due", instant(due + LOOK_AGAIN));
                self.table.update(id, again).await
            }
            other => other,
        };
        match marked {
            Ok(_) | Err(Unmet::Refused(_)) => Ok(()),
            Err(Unmet::Store(error)) => Err(error),
        }
    }

    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError> {
        let update = holding(free(), lease)
            .set("status", status(JobStatus::Running))
            .set_to("attempt", "#attempt + :one")
            .value("one", number(1))
            .set("started_at", instant(now))
            .remove(&["due", "dead_letter"]);
        let item = match self.table.update(id, standing(update, id, Standing::Running)).await {
            // claimed already, by a try whose answer was lost
            Err(Unmet::Refused(item)) if item::lease(&item)?.is_some_and(|held| held.token == lease.token) => *item,
            Err(Unmet::Refused(item)) if item::is_detached(&item)? => return self.take_up(id, lease).await,
            other => other.map_err(Unmet::into_conflict)?,
        };
        match self.job(item).await {
            Ok(job) => Ok(job),
            Err(error) => {
                // a worker that cannot read the request cannot run it: the job goes back unchanged for the next delivery
                self.unclaim(id, lease.token).await?;
                Err(error)
            }
        }
    }

    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        progress: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let progress = progress.map(|progress| json(&progress)).transpose()?;
        let update = holding(held(lease.token), lease).set_some("progress", progress);
        item::cancel(&self.table.step(id, update).await?)
    }

    async fn seize(&self, id: JobId, silent: Lease, lease: Lease) -> Result<Job, StoreError> {
        let update = held(silent.token)
            .and("#lease_beat = :silent")
            .value("silent", number(silent.beat));
        let item = self.table.step(id, holding(update, lease)).await?;
        self.job(item).await
    }

    async fn finish(
        &self,
        id: JobId,
        token: LeaseToken,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let update = self.end(held(token), id, &outcome, now).await?;
        item::cancel(&self.table.step(id, update).await?)
    }

    async fn release(
        &self,
        id: JobId,
        token: LeaseToken,
        ended: Attempt,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let given_up = json(&ended)?;
        let update = || giving_up(held(token), given_up.clone());
        self.give_back(id, update, due).await
    }

    async fn put_back(
        &self,
        id: JobId,
        token: LeaseToken,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        self.give_back(id, || uncounted(held(token)), due).await
    }

    async fn detach(
        &self,
        id: JobId,
        token: LeaseToken,
        detached: String,
        due: Timestamp,
    ) -> Result<Option<CancelRequest>, StoreError> {
        self.leave(held(token), id, detached, due).await
    }

    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError> {
        self.cancel(id, cancel).await
    }

    async fn abandon(&self, id: JobId, outcome: Outcome, now: Timestamp) -> Result<(), StoreError> {
        let update = self.end(is(JobStatus::Pending), id, &outcome, now).await?;
        self.table.step(id, update).await.map(drop)
    }

    async fn block(&self, id: JobId, due: Timestamp, on: BlockedOn) -> Result<(), StoreError> {
        let update = is(JobStatus::Pending)
            .and("#due = :dispatched")
            .value("dispatched", instant(due))
            .set("blocked_on", json(&on)?)
            .remove(&["due"]);
        let blocked = self.table.step(id, standing(update, id, Standing::Blocked));
        blocked.await.map(drop)
    }

    async fn unblock(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        let update = is(JobStatus::Pending)
            .and("attribute_exists(#blocked_on)")
            .set("due", instant(now))
            .remove(&["blocked_on"]);
        let item = self.table.step(id, standing(update, id, Standing::Due)).await?;
        self.job(item).await
    }

    async fn bury(&self, id: JobId, letter: DeadLetter) -> Result<(), StoreError> {
        let update = free().set("dead_letter", json(&letter)?).remove(&["due"]);
        self.table
            .step(id, standing(update, id, Standing::Dead))
            .await
            .map(drop)
    }

    async fn redrive(&self, id: JobId, redrive: Redrive) -> Result<Job, StoreError> {
        let update = is(JobStatus::Pending)
            .set("due", instant(redrive.at))
            .set("redrive", json(&redrive)?)
            .remove(&["dead_letter", "blocked_on"]);
        let item = self.table.step(id, standing(update, id, Standing::Due)).await?;
        self.job(item).await
    }

    async fn note_relaunch(&self, id: JobId, by: JobId) -> Result<(), StoreError> {
        let by = json(&by)?;
        let update = Update::when("attribute_exists(#status)")
            .and("NOT contains(#relaunched_as, :by)")
            .and("(attribute_not_exists(#relaunched_as) OR size(#relaunched_as) < :most)")
            .value("most", number(MAX_RELAUNCHES))
            .value("by", by.clone())
            .value("none", AttributeValue::L(Vec::new()))
            .value("added", AttributeValue::L(vec![by]))
            .set_to(
                "relaunched_as",
                "list_append(if_not_exists(#relaunched_as, :none), :added)",
            );
        match self.table.update(id, update).await {
            Ok(_) | Err(Unmet::Refused(_)) => Ok(()),
            Err(Unmet::Store(error)) => Err(error),
        }
    }

    async fn running(&self, limit: u32) -> Result<Vec<(JobId, Lease)>, StoreError> {
        let read = |id: JobId, item: &Item| Ok((id, item::lease(item)?.ok_or_else(|| missing("lease_token"))?));
        self.listing().active(IndexQuery::running(), limit, read).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<DueJob>, StoreError> {
        let read = |id: JobId, item: &Item| {
            Ok(DueJob {
                id,
                due: item::due(item)?,
            })
        };
        self.listing().active(IndexQuery::due(now), limit, read).await
    }

    async fn queued(&self, lane: Lane, limit: u32) -> Result<Vec<Ticket>, StoreError> {
        // a job that cannot be read is left out, so it is not queued in vain
        let read = |id, item: &Item| item::summary(item).and_then(|_sound| item::ticket(id, item));
        self.listing().active(IndexQuery::queued(lane), limit, read).await
    }

    async fn waiting(&self, tenant: &Tenant, most: u32) -> Result<u32, StoreError> {
        self.listing().waiting(tenant, most).await
    }

    async fn neglected(&self, before: Timestamp, most: u32) -> Result<Neglected, StoreError> {
        let listing = self.listing();
        Ok(Neglected {
            long_waits: listing.count_some_of(IndexQuery::waiting_since(before), most).await?,
            dead_letters: listing.count_some_of(IndexQuery::dead(), most).await?,
        })
    }

    async fn pending_since(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let source = IndexQuery::pending_since(before);
        self.listing().active(source, limit, |id, _| Ok(id)).await
    }
}
