use callboard_core::base::id::{JobId, Tenant};
use callboard_core::job::{
    Filter, HistoryQuery, Job, JobStatus, JobStore, JobSummary, KindFilter, Outcome, TitleFilter,
};
use callboard_core::request::Reason;

use crate::contract::samples::{
    HOUR, cancel_by, create_many, dead_letter, ids, job_of, lease, now, query, redrive_by, success, tenant,
};

/// A list shows the same facts about each job as its record does, newest job first.
pub async fn a_list_is_newest_first_and_tells_what_became_of_each(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    for status in JobStatus::ALL {
        create_in(store, &tenant, status).await?;
    }
    let page = store.list(&query(&tenant), now()).await?;
    let mut newest_first = ids(&page);
    newest_first.sort();
    newest_first.reverse();
    assert_eq!(ids(&page), newest_first);
    assert_eq!(
        (page.jobs.len(), page.total, page.total_is_exact, page.has_more),
        (5, 5, true, false)
    );
    for summary in page.jobs {
        assert!(summary.error.as_ref().is_none_or(|error| error.chars().count() <= 300));
        assert_eq!(summary, summary_of(&store.get(summary.id, now()).await?));
    }
    Ok(())
}

/// A filtered list has exactly the jobs that have that status at the time of the query.
pub async fn a_list_is_filtered_by_status(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let mut created = Vec::new();
    for status in JobStatus::ALL.into_iter().chain(JobStatus::ALL) {
        created.push((status, create_in(store, &tenant, status).await?));
    }
    for wanted in JobStatus::ALL {
        let newest_first = created.iter().rev();
        let expected: Vec<JobId> = newest_first
            .filter(|(status, _)| *status == wanted)
            .map(|(_, id)| *id)
            .collect();
        let filtered = HistoryQuery {
            filter: Filter {
                status: Some(wanted),
                ..Filter::default()
            },
            ..query(&tenant)
        };
        let page = store.list(&filtered, now()).await?;
        assert_eq!(ids(&page), expected);
        assert_eq!((page.total, page.total_is_exact), (2, true));
    }
    Ok(())
}

/// Kinds, services and operations restrict a list, alone and together, and with a status.
pub async fn a_list_is_filtered_by_kind_and_by_what_is_called(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let mut made = Vec::new();
    for (kind, title) in [
        (None, "billing/create"),
        (Some("http"), "billing/create"),
        (Some("http"), "billing/get"),
        (Some("http"), "billing-old/create"),
        (Some("shell"), "etl/run"),
        (Some("http"), "billing/create"),
    ] {
        let mut job = job_of(&tenant);
        job.request.kind = kind.map(str::to_owned);
        job.request.title = Some(title.to_owned());
        store.create(&job).await?;
        made.push(job.id);
    }
    store.request_cancel(made[1], cancel_by("ann")).await?;
    let below = |title: &str| Some(TitleFilter::Below(title.to_owned()));
    let is = |title: &str| Some(TitleFilter::Is(title.to_owned()));
    let named = |kind: &str| Some(KindFilter::Named(kind.to_owned()));
    for (kind, title, status, expected) in [
        (Some(KindFilter::First), None, None, vec![0]),
        (named("http"), None, None, vec![5, 3, 2, 1]),
        (named("function"), None, None, vec![]),
        (None, below("billing"), None, vec![5, 2, 1]),
        (None, is("billing/create"), None, vec![5, 1]),
        (named("shell"), below("billing"), None, vec![]),
        (named("http"), is("billing/create"), Some(JobStatus::Canceled), vec![1]),
        (None, below("billing"), Some(JobStatus::Pending), vec![5, 2]),
    ] {
        let filter = Filter {
            status,
            kind,
            title,
            ..Filter::default()
        };
        let query = HistoryQuery {
            filter,
            ..query(&tenant)
        };
        let page = store.list(&query, now()).await?;
        let expected: Vec<JobId> = expected.into_iter().map(|at: usize| made[at]).collect();
        assert_eq!(ids(&page), expected, "{:?}", query.filter);
        assert_eq!(page.total as usize, expected.len(), "{:?}", query.filter);
    }
    let called = store.list(&query(&tenant), now()).await?.jobs;
    assert_eq!(called[1].kind.as_deref(), Some("shell"));
    assert_eq!(called[5].kind, None);
    Ok(())
}

/// A list of dead letters has the jobs that the queue has given up, until they are redriven, started or ended. Until then
/// they count as waiting jobs.
pub async fn dead_letters_are_listed_and_wait_like_others(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let mut jobs = create_many(store, &tenant, 6).await?;
    jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
    let theirs = create_many(store, &Tenant::from(format!("{}-other", tenant.as_str())), 1).await?;
    for job in jobs[..5].iter().chain(&theirs) {
        store.bury(job.id, dead_letter()).await?;
    }
    store.redrive(jobs[0].id, redrive_by("ann")).await?;
    store.claim(jobs[1].id, lease(), now()).await?;
    store.request_cancel(jobs[2].id, cancel_by("ann")).await?;
    let dead = HistoryQuery {
        filter: Filter {
            dead_letter: true,
            ..Filter::default()
        },
        ..query(&tenant)
    };
    let page = store.list(&dead, now()).await?;
    assert_eq!(ids(&page), [jobs[3].id, jobs[4].id]);
    assert_eq!((page.total, page.total_is_exact), (2, true));
    for (status, expected) in [
        (JobStatus::Pending, 2),
        (JobStatus::Running, 0),
        (JobStatus::Canceled, 0),
    ] {
        let filtered = HistoryQuery {
            filter: Filter {
                status: Some(status),
                ..dead.filter.clone()
            },
            ..dead.clone()
        };
        assert_eq!(store.list(&filtered, now()).await?.jobs.len(), expected);
    }
    let first = store
        .list(
            &HistoryQuery {
                limit: 1,
                ..dead.clone()
            },
            now(),
        )
        .await?;
    assert_eq!((ids(&first), first.has_more), (vec![jobs[3].id], true));
    let before = Some(jobs[3].id);
    let rest = store.list(&HistoryQuery { before, ..dead }, now()).await?;
    assert_eq!((ids(&rest), rest.has_more), (vec![jobs[4].id], false));

    let pending = HistoryQuery {
        filter: Filter {
            status: Some(JobStatus::Pending),
            ..Filter::default()
        },
        ..query(&tenant)
    };
    let waiting = [jobs[0].id, jobs[3].id, jobs[4].id, jobs[5].id];
    assert_eq!(ids(&store.list(&pending, now()).await?), waiting);
    let mut long = store.pending_since(now() + HOUR, 10).await?;
    long.retain(|id| waiting.contains(id));
    assert_eq!(long.len(), waiting.len());
    assert!(store.running(10).await?.iter().any(|(id, _)| *id == jobs[1].id));
    Ok(())
}

/// A tenant sees and counts only its own jobs.
pub async fn a_list_shows_one_tenant(store: &dyn JobStore) -> anyhow::Result<()> {
    let (ours, theirs) = (tenant(), tenant());
    create_many(store, &theirs, 3).await?;
    let mine = create_many(store, &ours, 1).await?;
    let page = store.list(&query(&ours), now()).await?;
    assert_eq!((ids(&page), page.total), (vec![mine[0].id], 1));
    let pending = HistoryQuery {
        filter: Filter {
            status: Some(JobStatus::Pending),
            ..Filter::default()
        },
        ..query(&ours)
    };
    assert_eq!(store.list(&pending, now()).await?.total, 1);
    let page = store.list(&query(&tenant()), now()).await?;
    assert_eq!((page.jobs.len(), page.total, page.total_is_exact), (0, 0, true));
    Ok(())
}

/// Expired jobs leave no gap in a page and are not counted in the total.
pub async fn an_expired_job_is_not_counted(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let mut kept = Vec::new();
    for number in 0..6 {
        let mut job = job_of(&tenant);
        if number % 2 == 0 {
            job.retention = HOUR * 2;
            kept.insert(0, job.id);
        }
        store.create(&job).await?;
        store.request_cancel(job.id, cancel_by("ann")).await?;
    }
    let small = HistoryQuery {
        limit: 2,
        ..query(&tenant)
    };
    let page = store.list(&small, now() + HOUR + HOUR / 2).await?;
    assert_eq!(
        (ids(&page).as_slice(), page.total, page.has_more),
        (&kept[..2], 3, true)
    );
    let rest = HistoryQuery { offset: 2, ..small };
    let page = store.list(&rest, now() + HOUR + HOUR / 2).await?;
    assert_eq!(
        (ids(&page).as_slice(), page.total, page.has_more),
        (&kept[2..], 3, false)
    );
    Ok(())
}

/// Creates a job with labels; a failed one has an error that is too long for a list.
async fn create_in(store: &dyn JobStore, tenant: &Tenant, status: JobStatus) -> anyhow::Result<JobId> {
    let (mut job, lease) = (job_of(tenant), lease());
    job.request.options.labels = [("team".to_owned(), "ünï".to_owned())].into();
    store.create(&job).await?;
    let outcome = match status {
        JobStatus::Pending => return Ok(job.id),
        JobStatus::Canceled => return Ok(store.request_cancel(job.id, cancel_by("ann")).await?.id),
        JobStatus::Running => None,
        JobStatus::Successful => Some(success()),
        JobStatus::Failed => Some(Outcome::failed(Reason::RUNNER_ERROR, "It failed. ".repeat(100))),
    };
    store.claim(job.id, lease, now()).await?;
    if let Some(outcome) = outcome {
        store.finish(job.id, lease.token, outcome, now()).await?;
    }
    Ok(job.id)
}

fn summary_of(job: &Job) -> JobSummary {
    JobSummary::new(
        job.id,
        job.request.kind.clone(),
        job.request.title.clone(),
        job.request.options.labels.clone(),
        job.created_at,
        &job.state,
    )
}
