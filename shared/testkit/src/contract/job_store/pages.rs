use anyhow::ensure;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::job::{
    Filter, HistoryPage, HistoryQuery, Job, JobStatus, JobStore, KindFilter, MAX_COUNTED, TitleFilter,
};

use crate::contract::samples::{cancel_by, create_many, ids, job_of, now, query, tenant};

/// Every offset and limit returns its slice of the list, and whether more follows.
pub async fn pages_follow_by_offset(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let all = newest_first(&create_many(store, &tenant, 7).await?);
    for offset in 0..9 {
        for limit in 1..9 {
            let page = store
                .list(
                    &HistoryQuery {
                        offset,
                        limit,
                        ..query(&tenant)
                    },
                    now(),
                )
                .await?;
            let (start, end) = (7.min(offset as usize), 7.min((offset + limit) as usize));
            assert_eq!(ids(&page), all[start..end], "offset {offset}, limit {limit}");
            assert_eq!(
                (page.has_more, page.total),
                (end < 7, 7),
                "offset {offset}, limit {limit}"
            );
        }
    }
    Ok(())
}

/// A walk by cursor sees the jobs that existed when it began, each of them once, and no later ones.
pub async fn a_cursor_sees_each_job_once_while_new_ones_come(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let expected = newest_first(&create_many(store, &tenant, 130).await?);
    let (mut seen, mut total) = (Vec::new(), 130);
    let mut next = HistoryQuery {
        limit: 30,
        ..query(&tenant)
    };
    loop {
        let page = store.list(&next, now()).await?;
        assert_eq!((page.total, page.total_is_exact), (total, true));
        seen.extend(ids(&page));
        ensure!(seen.len() <= 130, "the walk does not end");
        if !page.has_more {
            break;
        }
        next.before = seen.last().copied();
        create_many(store, &tenant, 3).await?;
        total += 3;
    }
    assert_eq!(seen, expected);
    Ok(())
}

/// A filtered walk keeps its filter; an offset counts from the cursor.
pub async fn a_cursor_keeps_to_its_filter(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let jobs = create_many(store, &tenant, 12).await?;
    for job in jobs.iter().step_by(2) {
        store.request_cancel(job.id, cancel_by("ann")).await?;
    }
    let pending: Vec<JobId> = newest_first(&jobs).into_iter().step_by(2).collect();
    let filtered = HistoryQuery {
        filter: Filter {
            status: Some(JobStatus::Pending),
            ..Filter::default()
        },
        limit: 2,
        ..query(&tenant)
    };
    let after = HistoryQuery {
        before: Some(pending[1]),
        ..filtered.clone()
    };
    let page = store.list(&after, now()).await?;
    assert_eq!(
        (ids(&page).as_slice(), page.total, page.has_more),
        (&pending[2..4], 6, true)
    );
    let page = store.list(&HistoryQuery { offset: 2, ..after }, now()).await?;
    assert_eq!(
        (ids(&page).as_slice(), page.total, page.has_more),
        (&pending[4..], 6, false)
    );
    Ok(())
}

/// Up to a thousand jobs are counted exactly; beyond that, the total only says that there are more.
pub async fn totals_are_exact_up_to_a_thousand(store: &dyn JobStore) -> anyhow::Result<()> {
    let tenant = tenant();
    let jobs = create_many(store, &tenant, MAX_COUNTED as usize).await?;
    let first = HistoryQuery {
        limit: 1,
        ..query(&tenant)
    };
    let page = store.list(&first, now()).await?;
    assert_eq!((page.total, page.total_is_exact), (MAX_COUNTED, true));
    create_many(store, &tenant, 2).await?;
    let page = store.list(&first, now()).await?;
    assert_eq!((page.total, page.total_is_exact), (MAX_COUNTED, false));
    store.request_cancel(jobs[0].id, cancel_by("ann")).await?;
    let canceled = HistoryQuery {
        filter: Filter {
            status: Some(JobStatus::Canceled),
            ..Filter::default()
        },
        ..first.clone()
    };
    let page = store.list(&canceled, now()).await?;
    assert_eq!(
        (ids(&page), page.total, page.total_is_exact),
        (vec![jobs[0].id], 1, true)
    );
    let last = HistoryQuery {
        before: Some(jobs[1].id),
        ..first
    };
    let page = store.list(&last, now()).await?;
    assert_eq!((ids(&page), page.total_is_exact), (vec![jobs[0].id], false));
    Ok(())
}

/// A walk through a filtered list sees each job that matches once, newest first, and ends, however many others are between them.
pub async fn a_walk_past_many_jobs_that_do_not_match_finds_each_that_does(store: &dyn JobStore) -> anyhow::Result<()> {
    let (tenant, calls) = sparse_calls(store).await?;
    for (filter, expected) in calls {
        let asked = HistoryQuery {
            filter,
            limit: 2,
            ..query(&tenant)
        };
        let pages = walk(store, asked.clone()).await?;
        let found: Vec<JobId> = pages.iter().flat_map(ids).collect();
        assert_eq!(found, expected, "{:?}", asked.filter);
    }
    Ok(())
}

/// Creates few calls among many other jobs. Returns filters, each with the jobs that match it, newest first.
///
/// # Errors
/// The store refuses a job.
pub async fn sparse_calls(store: &dyn JobStore) -> anyhow::Result<(Tenant, Vec<(Filter, Vec<JobId>)>)> {
    let tenant = tenant();
    let mut made = Vec::new();
    for (kind, title) in [
        ("shell", "etl/run"),
        ("http", "shop/buy"),
        ("http", "shop/look"),
        ("http", "shop/look"),
        ("shell", "etl/run"),
    ] {
        let mut job = job_of(&tenant);
        job.request.kind = Some(kind.to_owned());
        job.request.title = Some(title.to_owned());
        store.create(&job).await?;
        made.insert(0, job.id);
        create_many(store, &tenant, 60).await?;
    }
    let title = |title: TitleFilter| Filter {
        title: Some(title),
        ..Filter::default()
    };
    let kind = Filter {
        kind: Some(KindFilter::Named("shell".to_owned())),
        ..Filter::default()
    };
    let buy = title(TitleFilter::Is("shop/buy".to_owned()));
    let waiting = Filter {
        status: Some(JobStatus::Pending),
        ..buy.clone()
    };
    let shop = title(TitleFilter::Below("shop".to_owned()));
    let filters = vec![
        (kind, vec![made[0], made[4]]),
        (buy, vec![made[3]]),
        (waiting, vec![made[3]]),
        (shop, vec![made[1], made[2], made[3]]),
    ];
    Ok((tenant, filters))
}

/// Reads a list from page to page.
///
/// # Errors
/// The store does not answer, a page is too long, or the walk does not end.
pub async fn walk(store: &dyn JobStore, mut asked: HistoryQuery) -> anyhow::Result<Vec<HistoryPage>> {
    let mut pages = Vec::new();
    loop {
        let page = store.list(&asked, now()).await?;
        ensure!(page.jobs.len() <= asked.limit as usize, "{page:?}");
        let next = page.next();
        ensure!(page.has_more == next.is_some(), "{page:?}");
        pages.push(page);
        ensure!(pages.len() < 1000, "the walk does not end");
        if next.is_none() {
            return Ok(pages);
        }
        asked.before = next;
    }
}

fn newest_first(jobs: &[Job]) -> Vec<JobId> {
    jobs.iter().rev().map(|job| job.id).collect()
}
