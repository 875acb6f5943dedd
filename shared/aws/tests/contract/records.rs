//! The job store, and what is particular to DynamoDB.

use std::time::Duration;

use anyhow::{Context, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use callboard_aws::{
    DynamoDbBreakerStore, DynamoDbCounterStore, DynamoDbIdempotencyStore, DynamoDbJobStore, DynamoDbSlotStore,
    DynamoDbStatsStore, JobStoreSettings,
};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{DueJob, Filter, HistoryQuery, Job, JobStatus, JobStore, Ticket};
use callboard_core::request::Lane;
use callboard_kind_ansible::detail::Detail;
use callboard_kind_ansible::stats::HostStats;
use callboard_testkit::aws::Resources;
use callboard_testkit::contract::job_store::{sparse_calls, walk};
use callboard_testkit::contract::samples::{
    cancel_by, create, create_claimed, due, failure, given_up, ids, job, lease, now, query, refused, request, success,
    tenant,
};
use callboard_testkit::contract::stats_store::Counted;
use serde_json::json;

use crate::lossy::Lossy;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn make() -> anyhow::Result<(DynamoDbJobStore, Resources)> {
    let resources = Resources::create().await?;
    let store = DynamoDbJobStore::new(&resources.config, settings(&resources));
    Ok((store, resources))
}

pub(crate) async fn make_keys() -> anyhow::Result<(DynamoDbIdempotencyStore, Resources)> {
    let resources = Resources::create().await?;
    let keys = DynamoDbIdempotencyStore::new(&resources.config, resources.table.clone());
    Ok((keys, resources))
}

pub(crate) async fn make_stats() -> anyhow::Result<(Counted<DynamoDbStatsStore, DynamoDbJobStore>, Resources)> {
    let (jobs, resources) = make().await?;
    let stats = DynamoDbStatsStore::new(&resources.config, resources.table.clone());
    Ok((Counted { stats, jobs }, resources))
}

pub(crate) async fn make_slots() -> anyhow::Result<(DynamoDbSlotStore, Resources)> {
    let resources = Resources::create().await?;
    let slots = DynamoDbSlotStore::new(&resources.config, resources.table.clone());
    Ok((slots, resources))
}

pub(crate) async fn make_counters() -> anyhow::Result<(DynamoDbCounterStore, Resources)> {
    let resources = Resources::create().await?;
    let counters = DynamoDbCounterStore::new(&resources.config, resources.table.clone());
    Ok((counters, resources))
}

pub(crate) async fn make_breakers() -> anyhow::Result<(DynamoDbBreakerStore, Resources)> {
    let resources = Resources::create().await?;
    let breakers = DynamoDbBreakerStore::new(&resources.config, resources.table.clone());
    Ok((breakers, resources))
}

#[tokio::test]
async fn a_step_whose_answer_is_lost_happens_once() -> anyhow::Result<()> {
    let (_direct, resources) = make().await?;
    let lossy = Lossy::start().await?;
    let store = DynamoDbJobStore::new(&lossy.config().await, settings(&resources));
    let (job, first, second, third) = (job(), lease(), lease(), lease());
    store.create(&job).await?;
    assert_eq!(store.claim(job.id, first, now()).await?.state.attempt, 1);
    store.renew(job.id, first, None).await?;
    store.seize(job.id, first, second).await?;
    store.release(job.id, second.token, given_up(1), now()).await?;
    let claimed = store.claim(job.id, third, now()).await?.state;
    assert_eq!((claimed.attempt, claimed.given_up.len()), (2, 1));
    store.request_cancel(job.id, cancel_by("ann")).await?;
    store.finish(job.id, third.token, success(), now()).await?;
    refused(store.finish(job.id, third.token, failure(), now()).await)?;
    refused(store.create(&job).await)?;
    let waiting = create(&store).await?;
    assert_eq!(
        store.request_cancel(waiting.id, cancel_by("ann")).await?.state.status,
        JobStatus::Canceled
    );
    assert!(lossy.lost() > 9, "only {} answers were lost", lossy.lost());
    Ok(())
}

#[tokio::test]
async fn months_and_shards_are_merged_in_order() -> anyhow::Result<()> {
    let (store, _resources) = make().await?;
    let (tenant, mut expected) = (tenant(), Vec::new());
    for day in 0..90_u32 {
        let (at, key) = (now() - DAY * day, format!("day {day}"));
        let job = Job::with_id(JobId::of_event(at, &key), tenant.clone(), request(), at, DAY * 100);
        store.create(&job).await?;
        if day % 3 == 0 {
            let lease = lease();
            store.claim(job.id, lease, now()).await?;
            store.finish(job.id, lease.token, success(), now()).await?;
        }
        expected.push(job.id);
    }
    let finished: Vec<JobId> = expected.iter().copied().step_by(3).collect();
    for (status, expected) in [(None, expected), (Some(JobStatus::Successful), finished)] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = HistoryQuery {
                filter: Filter {
                    status,
                    ..Filter::default()
                },
                limit: 7,
                before,
                ..query(&tenant)
            };
            let page = store.list(&page, now()).await?;
            assert_eq!((page.total as usize, page.total_is_exact), (expected.len(), true));
            found.extend(ids(&page));
            before = found.last().copied();
            if !page.has_more {
                break;
            }
        }
        assert_eq!(found, expected);
        let skipped = HistoryQuery {
            filter: Filter {
                status,
                ..Filter::default()
            },
            offset: 20,
            limit: 5,
            ..query(&tenant)
        };
        assert_eq!(ids(&store.list(&skipped, now()).await?), expected[20..25]);
    }
    Ok(())
}

#[tokio::test]
async fn a_filtered_list_looks_at_a_limited_number_of_jobs_and_says_where_to_go_on() -> anyhow::Result<()> {
    let (store, resources) = make().await?;
    let (tenant, calls) = sparse_calls(&store).await?;
    let store = DynamoDbJobStore::new(&resources.config, settings(&resources)).looking_at(10);
    let mut lengths = Vec::new();
    for (filter, expected) in calls {
        let asked = HistoryQuery {
            filter,
            limit: 3,
            ..query(&tenant)
        };
        let pages = walk(&store, asked.clone()).await?;
        let found: Vec<JobId> = pages.iter().flat_map(ids).collect();
        assert_eq!(found, expected, "{:?}", asked.filter);
        let counted = pages.iter().all(|page| page.total_is_exact);
        lengths.push((pages.len() > 3, counted));
    }
    // of 305 jobs, each page has looked at some fifty; the index of services has only those that match, or few others
    assert_eq!(lengths, [(true, false), (false, true), (true, false), (false, true)]);
    Ok(())
}

#[tokio::test]
async fn what_is_large_is_in_the_bucket_and_the_item_stays_small() -> anyhow::Result<()> {
    let (store, resources) = make().await?;
    let (mut job, lease) = (job(), lease());
    let filler = "x".repeat(3_000_000);
    job.request
        .work
        .0
        .insert("extra_vars".to_owned(), json!({"filler": filler}));
    store.create(&job).await?;
    let claimed = store.claim(job.id, lease, now()).await?;
    assert_eq!(claimed.request, job.request);
    let host = |number| (format!("host-{number:05}.example.org"), HostStats::default());
    let detail = Detail {
        stats: Some((0..10_000).map(host).collect()),
        ..Detail::default()
    };
    let outcome = detail.onto(success());
    store.finish(job.id, lease.token, outcome.clone(), now()).await?;
    assert_eq!(store.get(job.id, now()).await?.state.outcome, Some(outcome));
    let pk = AttributeValue::S(format!("JOB#{}", job.id));
    let get = resources.dynamodb().get_item().table_name(&resources.table);
    let get = get.key("pk", pk).key("sk", AttributeValue::S("JOB".to_owned()));
    let item = get.send().await?.item.context("an item")?;
    ensure!(format!("{item:?}").len() < 2_000, "{item:?}");
    let seconds: i64 = item["expires_at"].as_n().ok().context("a TTL")?.parse()?;
    let expires_at = store.get(job.id, now()).await?.expires_at();
    assert_eq!(seconds, (expires_at.as_millis() + 999) / 1000);
    Ok(())
}

fn settings(resources: &Resources) -> JobStoreSettings {
    JobStoreSettings {
        table: resources.table.clone(),
        bucket: resources.bucket.clone(),
        retention: DAY * 100,
    }
}

#[tokio::test]
async fn a_job_whose_request_cannot_be_read_is_not_started() -> anyhow::Result<()> {
    let (store, resources) = make().await?;
    let mut job = job();
    job.request
        .work
        .0
        .insert("extra_vars".to_owned(), json!({"filler": "x".repeat(10_000)}));
    store.create(&job).await?;
    let key = format!("requests/{}.json", job.id);
    let (s3, bucket) = (resources.s3(), &resources.bucket);
    let body = s3
        .get_object()
        .bucket(bucket)
        .key(&key)
        .send()
        .await?
        .body
        .collect()
        .await?;
    s3.delete_object().bucket(bucket).key(&key).send().await?;
    ensure!(store.claim(job.id, lease(), now()).await.is_err());
    ensure!(store.running(10).await?.is_empty());
    let put = s3.put_object().bucket(bucket).key(&key);
    put.body(body.into_bytes().into()).send().await?;
    let unclaimed = store.get(job.id, now()).await?;
    assert_eq!(
        (&unclaimed.request, unclaimed.state.status),
        (&job.request, JobStatus::Pending)
    );
    assert_eq!(store.claim(job.id, lease(), now()).await?.state.attempt, 1);
    Ok(())
}

#[tokio::test]
async fn a_damaged_item_keeps_no_other_from_being_found() -> anyhow::Result<()> {
    let (store, resources) = make().await?;
    let ((damaged_run, _), (run, lease)) = (create_claimed(&store).await?, create_claimed(&store).await?);
    let (damaged, waits) = (create(&store).await?, create(&store).await?);
    let garbage = AttributeValue::S("garbage".to_owned());
    spoil(&resources, damaged_run.id, "lease_token", garbage.clone()).await?;
    spoil(&resources, damaged_run.id, "started_at", garbage.clone()).await?;
    spoil(&resources, damaged.id, "labels", garbage.clone()).await?;
    spoil(
        &resources,
        damaged.id,
        "job_id",
        AttributeValue::S(format!("{}x", damaged.id)),
    )
    .await?;

    assert_eq!(store.running(10).await?, [(run.id, lease)]);
    let later = now() + DAY;
    assert_eq!(
        store.due(later, 10).await?.iter().map(|job| job.id).collect::<Vec<_>>(),
        [waits.id]
    );
    assert_eq!(store.pending_since(later, 10).await?, [waits.id]);
    let page = store.list(&query(&Tenant::default()), now()).await?;
    assert_eq!(
        (ids(&page), &*page.damaged),
        (vec![waits.id, run.id], &[damaged_run.id][..])
    );
    let read = store.get(damaged_run.id, now()).await;
    ensure!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    Ok(())
}

/// Earlier releases put every job that has not ended, and is not given up, into the same partitions.
#[tokio::test]
async fn jobs_of_earlier_releases_are_found_as_those_of_this_one() -> anyhow::Result<()> {
    let (store, resources) = make().await?;
    let (is_due, queued, (run, held)) = (
        create(&store).await?,
        create(&store).await?,
        create_claimed(&store).await?,
    );
    store.mark_dispatched(queued.id, due(&queued)).await?;
    for job in [&is_due, &queued, &run] {
        let partition = format!("ACTIVE#{}", job.id.as_bytes()[15] % 4);
        spoil(&resources, job.id, "active_pk", AttributeValue::S(partition)).await?;
    }
    let later = now() + DAY;
    assert_eq!(store.running(10).await?, [(run.id, held)]);
    assert_eq!(
        store.due(later, 10).await?,
        [DueJob {
            id: is_due.id,
            due: due(&is_due)
        }]
    );
    assert_eq!(store.queued(Lane::Programs, 10).await?, [Ticket::of(&queued)]);
    assert_eq!(store.pending_since(later, 10).await?, [is_due.id, queued.id]);
    let listed = async |status| {
        let asked = HistoryQuery {
            filter: Filter {
                status: Some(status),
                ..Filter::default()
            },
            ..query(&Tenant::default())
        };
        anyhow::Ok(ids(&store.list(&asked, now()).await?))
    };
    assert_eq!(listed(JobStatus::Running).await?, [run.id]);
    assert_eq!(listed(JobStatus::Pending).await?, [queued.id, is_due.id]);
    store.mark_dispatched(is_due.id, due(&is_due)).await?;
    assert_eq!(
        store.queued(Lane::Programs, 10).await?,
        [&is_due, &queued].map(Ticket::of)
    );
    store.finish(run.id, held.token, success(), now()).await?;
    assert!(store.running(10).await?.is_empty());
    Ok(())
}

/// Ids of jobs from events begin with the event's time, so the order of ids is not that of creation.
#[tokio::test]
async fn a_job_of_an_old_event_has_not_waited_for_longer_than_it_exists() -> anyhow::Result<()> {
    let (store, _resources) = make().await?;
    let (event, waits) = (now() - DAY, job());
    let of_event = Job {
        id: JobId::of_event(event, "a"),
        ..job()
    };
    let ahead = Job {
        id: JobId::of_event(waits.created_at + DAY / 48, "b"),
        ..job()
    };
    for job in [&of_event, &waits, &ahead] {
        store.create(job).await?;
    }
    let all = store.pending_since(now() + DAY / 24, 10).await?;
    assert_eq!(all, [of_event.id, waits.id, ahead.id]);
    assert!(store.pending_since(event + DAY / 2, 10).await?.is_empty());
    Ok(())
}

async fn spoil(resources: &Resources, id: JobId, name: &str, value: AttributeValue) -> anyhow::Result<()> {
    let pk = AttributeValue::S(format!("JOB#{id}"));
    let update = resources.dynamodb().update_item().table_name(&resources.table);
    let update = update.key("pk", pk).key("sk", AttributeValue::S("JOB".to_owned()));
    let update = update
        .update_expression("SET #name = :value")
        .expression_attribute_names("#name", name);
    update.expression_attribute_values(":value", value).send().await?;
    Ok(())
}
