//! The behaviour of every [`StatsStore`], with the store of the jobs that it counts.

use std::time::Duration;

use callboard_core::base::id::Tenant;
use callboard_core::job::{
    Attempt, Cost, JobStatus, JobStore, KindFilter, Outcome, StatsQuery, StatsStore, Tally, TitleFilter, Usage,
};
use callboard_core::request::Reason;

use crate::contract::samples::{cancel_by, job_of, lease, now, tenant};

/// Statistics, and the store of the jobs that they count.
pub struct Counted<S, J> {
    /// The statistics.
    pub stats: S,
    /// The jobs.
    pub jobs: J,
}

/// Expands into one test per behaviour; `$make` returns a [`Counted`] and whatever must outlive it.
#[macro_export]
macro_rules! stats_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, stats_store, [
            a_job_counts_once_however_often_it_was_tried,
            what_jobs_used_is_added_up,
            jobs_are_counted_by_kind_title_and_tenant,
        ] }
    };
}

fn query(tenant: &Tenant) -> StatsQuery {
    StatsQuery {
        tenant: tenant.clone(),
        since: now() - Duration::from_secs(3600),
        kind: None,
        title: None,
    }
}

/// Runs a job of a kind to an end.
async fn ended(
    jobs: &dyn JobStore,
    tenant: &Tenant,
    kind: Option<&str>,
    title: &str,
    outcome: Outcome,
) -> anyhow::Result<()> {
    let mut job = job_of(tenant);
    job.request.kind = kind.map(str::to_owned);
    job.request.title = Some(title.to_owned());
    jobs.create(&job).await?;
    let lease = lease();
    jobs.claim(job.id, lease, now()).await?;
    jobs.finish(job.id, lease.token, outcome, now()).await?;
    Ok(())
}

fn taking(seconds: f64) -> Outcome {
    Outcome {
        usage: Some(Usage {
            duration_seconds: seconds,
            cpu_seconds: Some(0.5),
            peak_memory_bytes: Some(1000),
            output_bytes: 10,
            cost: Some(Cost {
                usd: 0.25,
                price_table: "of the test".to_owned(),
            }),
            ..Usage::default()
        }),
        ..Outcome::successful()
    }
}

/// A job that was given up twice, claimed twice under one lease and finished twice counts once; one that still runs does not.
pub async fn a_job_counts_once_however_often_it_was_tried<S: StatsStore, J: JobStore>(
    subject: &Counted<S, J>,
) -> anyhow::Result<()> {
    let (jobs, tenant) = (&subject.jobs, tenant());
    let job = job_of(&tenant);
    jobs.create(&job).await?;
    for attempt in 1..=2 {
        let lease = lease();
        jobs.claim(job.id, lease, now()).await?;
        assert!(subject.stats.tallies(&query(&tenant), now()).await?.is_empty());
        let ended = Attempt {
            retried: true,
            ..Attempt::begun(attempt, Some(now()))
        };
        jobs.release(job.id, lease.token, ended, now()).await?;
    }
    let lease = lease();
    for _ in 0..2 {
        jobs.claim(job.id, lease, now()).await?;
    }
    let failed = Outcome::failed(Reason::new("http_status"), "The service answered with status 503.");
    jobs.finish(job.id, lease.token, failed.clone(), now()).await?;
    assert!(jobs.finish(job.id, lease.token, failed, now()).await.is_err());
    let tallies = subject.stats.tallies(&query(&tenant), now()).await?;
    let [tally] = tallies.as_slice() else {
        anyhow::bail!("{tallies:?}");
    };
    assert_eq!(
        (tally.jobs(), tally.attempts, tally.ended[&JobStatus::Failed]),
        (1, 3, 1)
    );
    let failures = &tally.failures["http_status"];
    assert_eq!((failures.count, failures.last), (1, job.id));
    assert!(failures.last_at.is_some());
    assert_eq!(
        failures.last_error.as_deref(),
        Some("The service answered with status 503.")
    );
    Ok(())
}

/// Sums, the largest, and percentiles.
pub async fn what_jobs_used_is_added_up<S: StatsStore, J: JobStore>(subject: &Counted<S, J>) -> anyhow::Result<()> {
    let tenant = tenant();
    for seconds in 1..=20 {
        ended(&subject.jobs, &tenant, None, "site.yml", taking(f64::from(seconds))).await?;
    }
    let canceled = job_of(&tenant);
    subject.jobs.create(&canceled).await?;
    subject.jobs.request_cancel(canceled.id, cancel_by("ann")).await?;
    let tallies = subject.stats.tallies(&query(&tenant), now()).await?;
    let [tally] = tallies.as_slice() else {
        anyhow::bail!("{tallies:?}");
    };
    assert_eq!((tally.jobs(), tally.ended[&JobStatus::Canceled]), (21, 1));
    assert_eq!((tally.cpu_seconds, tally.peak_memory_bytes), (10.0, 1000));
    assert_eq!((tally.output_bytes, tally.cost_usd), (200, 5.0));
    assert_eq!((tally.durations.sum, tally.durations.max), (210.0, 20.0));
    let median = tally.durations.quantile(0.5).unwrap_or_default();
    assert!((median - 10.0).abs() <= 0.2, "{median}");
    Ok(())
}

/// Each kind and title is counted apart, and may be asked for alone; nothing of another tenant is there.
pub async fn jobs_are_counted_by_kind_title_and_tenant<S: StatsStore, J: JobStore>(
    subject: &Counted<S, J>,
) -> anyhow::Result<()> {
    let (ours, theirs) = (tenant(), tenant());
    for (tenant, kind, title) in [
        (&ours, None, "site.yml"),
        (&ours, Some("http"), "billing/create"),
        (&ours, Some("http"), "billing/create"),
        (&ours, Some("http"), "billing/get"),
        (&ours, Some("shell"), "etl/run"),
        (&theirs, Some("http"), "billing/create"),
    ] {
        ended(&subject.jobs, tenant, kind, title, taking(1.0)).await?;
    }
    let named = |kind: &str| Some(KindFilter::Named(kind.to_owned()));
    for (kind, title, expected) in [
        (
            None,
            None,
            vec![
                (None, "site.yml", 1),
                (Some("http"), "billing/create", 2),
                (Some("http"), "billing/get", 1),
                (Some("shell"), "etl/run", 1),
            ],
        ),
        (Some(KindFilter::First), None, vec![(None, "site.yml", 1)]),
        (named("shell"), None, vec![(Some("shell"), "etl/run", 1)]),
        (
            None,
            Some(TitleFilter::Below("billing".to_owned())),
            vec![(Some("http"), "billing/create", 2), (Some("http"), "billing/get", 1)],
        ),
        (
            named("http"),
            Some(TitleFilter::Is("billing/get".to_owned())),
            vec![(Some("http"), "billing/get", 1)],
        ),
        (named("shell"), Some(TitleFilter::Below("billing".to_owned())), vec![]),
    ] {
        let query = StatsQuery {
            kind,
            title,
            ..query(&ours)
        };
        let mut tallies = subject.stats.tallies(&query, now()).await?;
        tallies.sort_by(|one, other| (&one.kind, &one.title).cmp(&(&other.kind, &other.title)));
        let told = |tally: &Tally| {
            (
                tally.kind.clone(),
                tally.title.clone().unwrap_or_default(),
                tally.jobs(),
            )
        };
        let found: Vec<_> = tallies.iter().map(told).collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(kind, title, jobs)| (kind.map(str::to_owned), title.to_owned(), jobs))
            .collect();
        assert_eq!(found, expected, "{query:?}");
    }
    let query = StatsQuery {
        since: now() + Duration::from_secs(3600),
        ..query(&ours)
    };
    assert!(subject.stats.tallies(&query, now()).await?.is_empty());
    Ok(())
}
