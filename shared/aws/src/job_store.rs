//! [`JobStore`] on one DynamoDB table.
//!
//! Every step of a job is one conditional `UpdateItem`. Each write leaves a mark of its own in the item, so that one
//! whose answer was lost, and whose repetition therefore meets its own effect, is known to have happened.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use callboard_core::history::{HistoryPage, HistoryQuery};
use callboard_core::id::{JobId, LeaseToken, Tenant};
use callboard_core::job::{CancelRequest, Job, JobStatus, Lease, canceled};
use callboard_core::outcome::Outcome;
use callboard_core::ports::{JobStore, StoreError};
use callboard_core::progress::Progress;
use callboard_core::time::Timestamp;
use futures_util::future::try_join_all;
use uuid::Uuid;

use crate::bodies::Bodies;
use crate::config::s3_client;
use crate::error::aws;
use crate::item::{self, Item, Stored, instant, json, number, string};
use crate::listing::Listing;
use crate::update::Update;

/// How often a step is tried that found the job in another state than a moment before.
const TRIES: u32 = 10;

const IS_PENDING: &str = "#status = :pending";
const HOLDS_LEASE: &str = "#lease_token = :held";

/// Where the records are.
#[derive(Clone, Debug)]
pub struct JobStoreSettings {
    /// The table.
    pub table: String,
    /// The bucket for what is too large for the table.
    pub bucket: String,
    /// How long jobs are kept: lists look no further back.
    pub retention: Duration,
}

/// Keeps jobs in a table, and what is too large for it in a bucket.
#[derive(Clone)]
pub struct DynamoDbJobStore {
    client: Client,
    bodies: Bodies,
    settings: JobStoreSettings,
}

/// Why a conditional write changed nothing.
enum Unmet {
    /// The condition does not hold; the item as it is.
    Refused(Box<Item>),
    Store(StoreError),
}

impl From<StoreError> for Unmet {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Unmet {
    fn into_conflict(self) -> StoreError {
        match self {
            Self::Refused(_) => StoreError::Conflict,
            Self::Store(error) => error,
        }
    }
}

impl DynamoDbJobStore {
    /// Uses a table and a bucket.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: JobStoreSettings) -> Self {
        let bodies = Bodies {
            client: s3_client(config),
            bucket: settings.bucket.clone(),
        };
        Self {
            client: Client::new(config),
            bodies,
            settings,
        }
    }

    /// Makes an update of one job; returns its item after it.
    async fn update(&self, id: JobId, update: Update) -> Result<Item, Unmet> {
        let mark = Uuid::new_v4().to_string();
        let update = update
            .and("attribute_exists(#pk)")
            .set("written", string(mark.as_str()));
        let (expression, condition) = (update.expression(), update.condition());
        let updated = self
            .client
            .update_item()
            .table_name(&self.settings.table)
            .set_key(Some(item::key(id)))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match updated {
            Ok(output) => Ok(output.attributes.unwrap_or_default()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                self.unmet(id, &mark).await
            }
            Err(error) => Err(aws(error).into()),
        }
    }

    /// Finds out why a condition did not hold: it was met before, by this very write, or it is not.
    async fn unmet(&self, id: JobId, mark: &str) -> Result<Item, Unmet> {
        let item = self.item(id).await?;
        if item.get("written") == Some(&string(mark)) {
            Ok(item)
        } else {
            Err(Unmet::Refused(Box::new(item)))
        }
    }

    /// Reads a job's item as the last write left it.
    async fn item(&self, id: JobId) -> Result<Item, StoreError> {
        let get = self.client.get_item().table_name(&self.settings.table);
        let found = get.set_key(Some(item::key(id))).consistent_read(true).send().await;
        found.map_err(aws)?.item.ok_or(StoreError::NotFound)
    }

    /// Reads whose job it is. That never changes, so any replica will do if it has the job at all.
    async fn tenant(&self, id: JobId) -> Result<Tenant, StoreError> {
        let get = self.client.get_item().table_name(&self.settings.table);
        let get = get.set_key(Some(item::key(id))).projection_expression("tenant");
        let found = get.send().await.map_err(aws)?.item;
        let item = match found {
            Some(item) => item,
            None => self.item(id).await?,
        };
        item::tenant(&item)
    }

    async fn job(&self, item: Item) -> Result<Job, StoreError> {
        item::job(item, &self.bodies).await
    }

    /// Adds to an update what the end of a job writes.
    async fn end(&self, update: Update, id: JobId, outcome: &Outcome, now: Timestamp) -> Result<Update, StoreError> {
        let tenant = self.tenant(id).await?;
        let (name, value) = self.store_outcome(id, outcome).await?.attribute("outcome");
        let ended = item::ended(&tenant, id, outcome, now).into_iter();
        let update = ended.fold(update, |update, (name, value)| update.set(&name, value));
        Ok(update
            .set(&name, value)
            .remove(&["lease_token", "lease_until", "progress", "active_pk", "due"]))
    }

    async fn store_outcome(&self, id: JobId, outcome: &Outcome) -> Result<Stored, StoreError> {
        let body = format!("records/{id}/{}.json", Uuid::new_v4());
        self.bodies.store(body, outcome).await
    }

    async fn end_canceled(&self, update: Update, id: JobId, cancel: &CancelRequest) -> Result<Item, Unmet> {
        let update = self.end(update, id, &canceled(cancel), cancel.at).await?;
        self.update(id, update.set("cancel", json(cancel)?)).await
    }
}

#[async_trait]
impl JobStore for DynamoDbJobStore {
    async fn create(&self, job: &Job) -> Result<(), StoreError> {
        let body = format!("requests/{}.json", job.id);
        let request = self.bodies.store(body, &job.request).await?;
        let mark = Uuid::new_v4().to_string();
        let outcome = match &job.state.outcome {
            Some(outcome) => Some(self.store_outcome(job.id, outcome).await?),
            None => None,
        };
        let mut item = item::new_job(job, request, outcome);
        item.insert("written".to_owned(), string(mark.as_str()));
        let put = self
            .client
            .put_item()
            .table_name(&self.settings.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                let unmet = self.unmet(job.id, &mark).await;
                unmet.map(drop).map_err(Unmet::into_conflict)
            }
            Err(error) => Err(aws(error)),
        }
    }

    async fn get(&self, id: JobId, now: Timestamp) -> Result<Job, StoreError> {
        let job = self.job(self.item(id).await?).await?;
        if job.expires_at > now {
            Ok(job)
        } else {
            Err(StoreError::NotFound)
        }
    }

    async fn list(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError> {
        self.listing().page(query, now).await
    }

    async fn mark_dispatched(&self, id: JobId) -> Result<(), StoreError> {
        let update = Update::when(IS_PENDING)
            .value("pending", status(JobStatus::Pending))
            .remove(&["due"]);
        match self.update(id, update).await {
            Ok(_) | Err(Unmet::Refused(_)) => Ok(()),
            Err(Unmet::Store(error)) => Err(error),
        }
    }

    async fn claim(&self, id: JobId, lease: Lease, now: Timestamp) -> Result<Job, StoreError> {
        let update = holding(Update::when(IS_PENDING), lease)
            .value("pending", status(JobStatus::Pending))
            .set("status", status(JobStatus::Running))
            .set_to("attempt", "#attempt + :one")
            .value("one", number(1))
            .set("started_at", instant(now));
        let item = self.update(id, update).await.map_err(Unmet::into_conflict)?;
        self.job(item).await
    }

    async fn renew(
        &self,
        id: JobId,
        lease: Lease,
        progress: Option<Progress>,
    ) -> Result<Option<CancelRequest>, StoreError> {
        let progress = progress.map(|progress| json(&progress)).transpose()?;
        let update = holding(held(lease.token), lease).set_some("progress", progress);
        let item = self.update(id, update).await.map_err(Unmet::into_conflict)?;
        item::cancel(&item)
    }

    async fn seize(&self, id: JobId, expired: Lease, lease: Lease) -> Result<(), StoreError> {
        let update = held(expired.token)
            .and("#lease_until = :expired")
            .value("expired", instant(expired.until));
        let seized = self.update(id, holding(update, lease)).await;
        seized.map(drop).map_err(Unmet::into_conflict)
    }

    async fn finish(&self, id: JobId, token: LeaseToken, outcome: Outcome, now: Timestamp) -> Result<(), StoreError> {
        let update = self.end(held(token), id, &outcome, now).await?;
        self.update(id, update).await.map(drop).map_err(Unmet::into_conflict)
    }

    async fn release(&self, id: JobId, token: LeaseToken) -> Result<(), StoreError> {
        let update = held(token)
            .and("attribute_not_exists(#cancel)")
            .set("status", status(JobStatus::Pending))
            .set_to("due", "#created_at")
            .remove(&["lease_token", "lease_until", "progress"]);
        let item = match self.update(id, update).await {
            Err(Unmet::Refused(item)) => item,
            other => return other.map(drop).map_err(Unmet::into_conflict),
        };
        let cancel = item::cancel(&item)?.ok_or(StoreError::Conflict)?;
        let ended = self.end_canceled(held(token), id, &cancel).await;
        ended.map(drop).map_err(Unmet::into_conflict)
    }

    async fn request_cancel(&self, id: JobId, cancel: CancelRequest) -> Result<Job, StoreError> {
        let marked = json(&cancel)?;
        for _ in 0..TRIES {
            let running = Update::when("#status = :running")
                .value("running", status(JobStatus::Running))
                .value("cancel", marked.clone())
                .set_to("cancel", "if_not_exists(#cancel, :cancel)");
            let item = match self.update(id, running).await {
                Err(Unmet::Refused(item)) => item,
                other => return self.job(other.map_err(Unmet::into_conflict)?).await,
            };
            if item::status(&item)?.is_final() {
                return Err(StoreError::Conflict);
            }
            let pending = Update::when(IS_PENDING).value("pending", status(JobStatus::Pending));
            match self.end_canceled(pending, id, &cancel).await {
                Ok(item) => return self.job(item).await,
                Err(Unmet::Refused(_)) => {}
                Err(Unmet::Store(error)) => return Err(error),
            }
        }
        Err(StoreError::Unavailable("the job's state changed too often".into()))
    }

    async fn expired_leases(&self, now: Timestamp, limit: u32) -> Result<Vec<Job>, StoreError> {
        let due = self.listing().due(JobStatus::Running, now, limit).await?;
        let jobs = try_join_all(due.into_iter().map(|id| self.get_if_there(id))).await?;
        let over = |job: &Job| job.state.lease.is_some_and(|lease| lease.until < now);
        Ok(jobs.into_iter().flatten().filter(over).collect())
    }

    async fn undispatched(&self, before: Timestamp, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.listing().due(JobStatus::Pending, before, limit).await
    }
}

impl DynamoDbJobStore {
    fn listing(&self) -> Listing<'_> {
        Listing {
            client: &self.client,
            table: &self.settings.table,
            retention: self.settings.retention,
        }
    }

    async fn get_if_there(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        match self.item(id).await {
            Ok(item) => self.job(item).await.map(Some),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn held(token: LeaseToken) -> Update {
    Update::when(HOLDS_LEASE).value("held", string(token.to_string()))
}

/// Adds the lease that the job has from now on.
fn holding(update: Update, lease: Lease) -> Update {
    update
        .set("lease_token", string(lease.token.to_string()))
        .set("lease_until", instant(lease.until))
        .set("due", instant(lease.until))
}

fn status(status: JobStatus) -> AttributeValue {
    string(status.as_str())
}
