//! `GET /api/v1/jobs` and `GET /api/v1/jobs/{job_id}`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use callboard_core::access::{Action, Requester};
use callboard_core::base::id::Tenant;
use callboard_core::job::{Filter, HistoryQuery, JobStatus, MAX_OFFSET};

use crate::access::Asking;
use crate::app::{App, PathId};
use crate::links::{Links, Query};
use crate::list::JobList;
use crate::params::{Given, Params};
use crate::problem::{Kind, Problem};
use crate::record::Record;
use crate::wire::JobView;

const PATH: &str = "/api/v1/jobs";

/// Returns the record of a job.
///
/// The record contains the request as it was read, the progress of the job, and its result once it has ended. The record of a
/// job that has ended changes only if the job is repeated (`relaunched_as`): it has an `ETag`, and a request with that value in `If-None-Match`
/// gets a 304 response.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}",
    operation_id = "getJob",
    tag = "jobs",
    params(
        ("job_id" = String, Path, description = "The id of the job.", format = "uuid"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the record that the client already has."),
    ),
    responses(
        (status = 200, description = "The record of the job.", body = JobView, headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
            ("ETag" = String, description = "Identifies the record of a job that has ended. Send it in `If-None-Match`."),
        )),
        (status = 304, description = "The client's copy of the record is current.", headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
            ("ETag" = String, description = "Identifies the record of a job that has ended. Send it in `If-None-Match`."),
        )),
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.finish()?;
    let job = app.job(&by, Action::JobsRead, id).await?;
    let record = Record::read(&app.submitter.kinds, &*app.logs, job, app.clock.now()).await;
    let record = record.map_err(|error| Problem::of_job(id, error))?;
    Ok(record.unless_known(&headers))
}

/// Lists jobs, newest first.
///
/// Page with `cursor` (the `next_cursor` of the previous page), which reaches any depth and shows each job once even while jobs
/// are added, or with `offset`, up to 1000. `total` counts up to 1000 jobs.
///
/// A page that is restricted by `kind`, `service` or `operation` may have fewer jobs than `limit`, even none, and still a
/// `next_cursor`: on AWS, a request looks at a limited number of jobs. Go on until `next_cursor` is null.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    operation_id = "listJobs",
    tag = "jobs",
    params(
        ("status" = Option<JobStatus>, Query, description = "Returns only jobs in this state."),
        ("dead_letter" = Option<bool>, Query, description = "If true, returns only jobs that are still waiting although the queue has given them up."),
        ("kind" = Option<String>, Query, description = "Returns only jobs of this kind.", example = "http"),
        ("service" = Option<String>, Query, description = "Returns only calls of this service.", min_length = 1),
        ("operation" = Option<String>, Query, description = "Returns only calls of this operation of the `service`.", min_length = 1),
        ("limit" = Option<u32>, Query, description = "The maximum number of items to return. Default: 20.", minimum = 1, maximum = 100),
        ("offset" = Option<u32>, Query, description = "Skips this many jobs. Cannot be combined with `cursor`.", minimum = 0, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page, which must have been requested with the same filters.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of jobs.", body = JobList, headers(
            ("Link" = String, description = "Links (RFC 8288) to this page (`self`) and, if there is one, the next page (`next`)."),
        )),
    )
)]
pub(crate) async fn list(State(app): State<App>, Asking(by): Asking, mut params: Params) -> Result<Response, Problem> {
    let given = Given::read(&mut params, &app.submitter.kinds);
    all_jobs(&by)?;
    let query = read(&mut params, by.tenant(), given.filter(&app.submitter.kinds));
    params.finish()?;
    let page = app.store.list(&query, app.clock.now()).await?;
    let page = JobList::new(page, &query, &app.submitter.kinds);
    let (list, offset) = (query.list(), Some(query.offset));
    let cursor = query.before.map(|job| list.cursor(job.as_bytes()));
    let same = Query::default()
        .with_some("status", query.filter.status)
        .with_some("dead_letter", query.filter.dead_letter.then_some(true))
        .with_some("kind", given.kind.as_deref())
        .with_some("service", given.service.as_deref())
        .with_some("operation", given.operation.as_deref())
        .with("limit", &query.limit);
    let this = same.clone().with_some("offset", offset.filter(|offset| *offset > 0));
    let this = this.with_some("cursor", cursor);
    let next = page.next_cursor.as_ref().map(|cursor| same.with("cursor", cursor));
    Ok((Links::of_page(PATH, &this, next.as_ref()), Json(page)).into_response())
}

/// Checks that the caller may read all jobs of its tenant.
pub(crate) fn all_jobs(by: &Requester) -> Result<(), Problem> {
    if !by.caller.is_held_to_own(Action::JobsRead) {
        return Ok(());
    }
    let detail = "The caller may read only jobs that it has submitted, each by its id; lists, statistics and quotas need the scope jobs:read.";
    Err(Problem::new(Kind::Forbidden, detail))
}

fn read(params: &mut Params, tenant: &Tenant, filter: Filter) -> HistoryQuery {
    let status: Option<JobStatus> = params.parsed("status");
    let dead_letter = params.boolean("dead_letter");
    if dead_letter && status.is_some_and(|status| status != JobStatus::Pending) {
        params.refuse(
            "dead_letter",
            "cannot be combined with this status: such jobs are pending",
        );
    }
    let limit = params.limit();
    let offset = params.number("offset", 0, MAX_OFFSET.into()).unwrap_or(0);
    if offset > 0 && params.is_given("cursor") {
        params.refuse("offset", "cannot be combined with a cursor");
    }
    let mut query = HistoryQuery {
        tenant: tenant.clone(),
        filter: Filter {
            status,
            dead_letter,
            ..filter
        },
        limit,
        offset: u32::try_from(offset).unwrap_or(0),
        before: None,
    };
    query.before = params.cursor(|text| query.list().job(text));
    query
}
