//! What DynamoDB bills: the capacity units for a job's life, for lists of few and many jobs, and for a sweep while few or many wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents, interceptors};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use callboard_aws::{DynamoDbJobStore, JobStoreSettings};
use callboard_core::job::{Filter, HistoryQuery, JobStatus, JobStore, KindFilter};
use callboard_tests::aws::Resources;
use callboard_tests::contract::samples::{due, failure, job_of, lease, now, query, success, tenant};
use futures_util::future::try_join_all;

use crate::lists::{enqueue, look};
use crate::report::{Report, Target};

const FEW: usize = 1_000;
const MANY: usize = 100_000;
const AT_ONCE: usize = 100;

/// Adds up the units that calls consume, separately for writes and reads.
#[derive(Clone, Debug, Default)]
struct Meter(Arc<Mutex<Units>>);

#[derive(Clone, Copy, Debug, Default)]
struct Units {
    writes: f64,
    reads: f64,
}

impl Meter {
    /// Returns the sums since the previous call.
    fn take(&self) -> Units {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, consumed: Option<&ConsumedCapacity>, is_write: bool) {
        let units = consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or(f64::NAN);
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = if is_write { &mut sums.writes } else { &mut sums.reads };
        *sum += units;
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut interceptors::BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (input, asked) = (context.input_mut(), Some(ReturnConsumedCapacity::Indexes));
        if let Some(input) = input.downcast_mut::<PutItemInput>() {
            input.return_consumed_capacity = asked;
        } else if let Some(input) = input.downcast_mut::<UpdateItemInput>() {
            input.return_consumed_capacity = asked;
        } else if let Some(input) = input.downcast_mut::<GetItemInput>() {
            input.return_consumed_capacity = asked;
        } else if let Some(input) = input.downcast_mut::<QueryInput>() {
            input.return_consumed_capacity = asked;
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &interceptors::AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else {
            return Ok(());
        };
        if let Some(output) = output.downcast_ref::<PutItemOutput>() {
            self.add(output.consumed_capacity(), true);
        } else if let Some(output) = output.downcast_ref::<UpdateItemOutput>() {
            self.add(output.consumed_capacity(), true);
        } else if let Some(output) = output.downcast_ref::<GetItemOutput>() {
            self.add(output.consumed_capacity(), false);
        } else if let Some(output) = output.downcast_ref::<QueryOutput>() {
            self.add(output.consumed_capacity(), false);
        }
        Ok(())
    }
}

/// A small job that ends before its first heartbeat, and what each heartbeat adds.
pub(crate) async fn of_a_job(report: &mut Report) -> anyhow::Result<()> {
    let (store, meter) = metered().await?;
    let (job, held) = (job_of(&tenant()), lease());
    store.create(&job).await?;
    store.mark_dispatched(job.id, due(&job)).await?;
    store.claim(job.id, held, now()).await?;
    store.finish(job.id, held.token, success(), now()).await?;
    let life = meter.take();
    let indexes = "create 3, dispatched 3, claim 4, finish 4: item and indexes";
    report.add(
        "DynamoDB: writes of a job",
        life.writes,
        "units",
        Target::AtMost(14.0),
        indexes,
    );
    let why = "tenant and retention, before the end is written";
    report.add(
        "DynamoDB: reads of a job",
        life.reads,
        "units",
        Target::AtMost(0.5),
        why,
    );
    let mut call = job_of(&tenant());
    (call.request.kind, call.request.title) = (Some("http".to_owned()), Some("shop/buy".to_owned()));
    store.create(&call).await?;
    store.mark_dispatched(call.id, due(&call)).await?;
    store.claim(call.id, held, now()).await?;
    store.finish(call.id, held.token, success(), now()).await?;
    report.add(
        "DynamoDB: writes of a call",
        meter.take().writes,
        "units",
        Target::AtMost(17.0),
        "as of a job, and three of the index `service`",
    );
    let (job, held) = (job_of(&tenant()), lease());
    store.create(&job).await?;
    store.claim(job.id, held, now()).await?;
    meter.take();
    store.renew(job.id, held.renewed(), None).await?;
    let heartbeat = meter.take().writes;
    let what = "item and `active` index";
    report.add(
        "DynamoDB: writes of a heartbeat",
        heartbeat,
        "units",
        Target::AtMost(2.0),
        what,
    );
    store.get(job.id, now()).await?;
    let read = meter.take().reads;
    report.add(
        "DynamoDB: reads of a GET",
        read,
        "units",
        Target::AtMost(1.0),
        "one consistent read",
    );
    Ok(())
}

/// A page of twenty jobs out of a hundred thousand, against twenty out of a thousand.
pub(crate) async fn of_lists(report: &mut Report) -> anyhow::Result<()> {
    let (store, meter) = metered().await?;
    let tenant = tenant();
    let mut costs = Vec::new();
    let mut filled = 0;
    for size in [FEW, MANY] {
        while filled < size {
            let jobs = (0..AT_ONCE).map(|_| {
                let mut job = job_of(&tenant);
                let outcome = failure();
                job.state.status = outcome.status;
                job.state.finished_at = Some(job.created_at);
                job.state.outcome = Some(outcome);
                job
            });
            let jobs: Vec<_> = jobs.collect();
            try_join_all(jobs.iter().map(|job| store.create(job))).await?;
            filled += AT_ONCE;
        }
        let mut cost = [0.0; 2];
        for (cost, status) in cost.iter_mut().zip([None, Some(JobStatus::Failed)]) {
            meter.take();
            let asked = HistoryQuery {
                filter: Filter {
                    status,
                    ..Filter::default()
                },
                limit: 20,
                ..query(&tenant)
            };
            let page = store.list(&asked, now()).await?;
            ensure!(page.jobs.len() == 20, "the list has {} jobs", page.jobs.len());
            *cost = meter.take().reads;
        }
        costs.push(cost);
    }
    meter.take();
    let filter = Filter {
        kind: Some(KindFilter::Named("none".to_owned())),
        ..Filter::default()
    };
    let page = store
        .list(
            &HistoryQuery {
                filter,
                ..query(&tenant)
            },
            now(),
        )
        .await?;
    ensure!(page.jobs.is_empty() && page.next().is_some(), "{page:?}");
    report.add(
        "DynamoDB: page of a kind that no job has",
        meter.take().reads,
        "units",
        Target::AtMost(1000.0),
        format!("of {MANY} jobs; the next page goes on from there"),
    );
    for (at, name) in ["DynamoDB: list of 20, any status", "DynamoDB: list of 20, failed"]
        .into_iter()
        .enumerate()
    {
        let (few, many) = (costs[0][at], costs[1][at]);
        let reference = format!("{many} units of 100,000 against {few} units of 1,000");
        report.add(name, many / few, "ratio", Target::AtMost(1.1), reference);
    }
    Ok(())
}

/// One look of the sweep while a hundred thousand jobs wait, against one while a thousand wait.
pub(crate) async fn of_a_sweep(report: &mut Report) -> anyhow::Result<()> {
    let (store, meter) = metered().await?;
    let mut costs = Vec::new();
    let mut waiting = 0;
    for size in [FEW, MANY] {
        while waiting < size {
            waiting += enqueue(&store, AT_ONCE).await?;
        }
        meter.take();
        look(&store).await?;
        costs.push(meter.take().reads);
    }
    let reference = format!("{} units of 100,000 against {} units of 1,000", costs[1], costs[0]);
    report.add(
        "DynamoDB: a look of the sweep",
        costs[1] / costs[0],
        "ratio",
        Target::AtMost(1.1),
        reference,
    );
    Ok(())
}

async fn metered() -> anyhow::Result<(DynamoDbJobStore, Meter)> {
    let (resources, meter) = (Resources::create().await?, Meter::default());
    let config = aws_sdk_dynamodb::config::Builder::from(&resources.config).interceptor(meter.clone());
    let client = aws_sdk_dynamodb::Client::from_conf(config.build());
    let settings = JobStoreSettings {
        table: resources.table.clone(),
        bucket: resources.bucket.clone(),
        retention: Duration::from_secs(30 * 24 * 3600),
    };
    Ok((
        DynamoDbJobStore::with_client(client, &resources.config, settings),
        meter,
    ))
}
