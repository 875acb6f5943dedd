//! `GET /api/v1/jobs` and `GET /api/v1/jobs/{job_id}`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use callboard_core::base::id::Tenant;
use callboard_core::job::{HistoryQuery, JobStatus, MAX_OFFSET};

use crate::app::{App, PathId};
use crate::links::{Links, Query};
use crate::list::JobList;
use crate::params::Params;
use crate::problem::Problem;
use crate::record::Record;
use crate::wire::JobView;

const PATH: &str = "/api/v1/jobs";

/// Returns the record of a job.
///
/// It has the request as it was read, how far the job has come while it runs, and what came of it. The record of a job that
/// has ended never changes: it has an `ETag`, and a request with that in `If-None-Match` is answered with 304.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}",
    operation_id = "getJob",
    tag = "jobs",
    params(
        ("job_id" = String, Path, description = "The job's id.", format = "uuid"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of a record that the client has."),
    ),
    responses(
        (status = 200, description = "The record.", body = JobView, headers(
            ("Link" = String, description = "The record (`self`), what the job printed (`logs`) and its events (`events`); RFC 8288."),
            ("ETag" = String, description = "Stands for the record of a job that has ended; for `If-None-Match`."),
        )),
        (status = 304, description = "The client has this very record.", headers(
            ("Link" = String, description = "The record (`self`), what the job printed (`logs`) and its events (`events`); RFC 8288."),
            ("ETag" = String, description = "Stands for the record of a job that has ended; for `If-None-Match`."),
        )),
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    PathId(id): PathId,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.finish()?;
    let problem = |error| Problem::of_job(id, error);
    let job = app.job(id).await.map_err(problem)?;
    let record = Record::read(&app.submitter.kinds, &*app.logs, job)
        .await
        .map_err(problem)?;
    Ok(record.unless_known(&headers))
}

/// Lists jobs, newest first.
///
/// Pages are reached by `cursor`, the `next_cursor` of the page before, to any depth, and see each job once while others come;
/// or by `offset`, to 1000. `total` counts to 1000.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    operation_id = "listJobs",
    tag = "jobs",
    params(
        ("status" = Option<JobStatus>, Query, description = "Only jobs in this state."),
        ("dead_letter" = Option<bool>, Query, description = "If true, only jobs that wait although the queue has given them up."),
        ("limit" = Option<u32>, Query, description = "At most this many; 20 if absent.", minimum = 1, maximum = 100),
        ("offset" = Option<u32>, Query, description = "Leaves out this many; not with `cursor`.", minimum = 0, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before, with the same `status` and `dead_letter`.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of jobs.", body = JobList, headers(
            ("Link" = String, description = "This page (`self`) and the next one (`next`), if there is one; RFC 8288."),
        )),
    )
)]
pub(crate) async fn list(State(app): State<App>, mut params: Params) -> Result<Response, Problem> {
    let query = read(&mut params);
    params.finish()?;
    let page = app.store.list(&query, app.clock.now()).await?;
    let page = JobList::new(page, &query);
    let (list, offset) = (query.list(), Some(query.offset));
    let cursor = query.before.map(|job| list.cursor(job.as_bytes()));
    let same = Query::default()
        .with_some("status", query.status)
        .with_some("dead_letter", query.dead_letter.then_some(true))
        .with("limit", &query.limit);
    let this = same.clone().with_some("offset", offset.filter(|offset| *offset > 0));
    let this = this.with_some("cursor", cursor);
    let next = page.next_cursor.as_ref().map(|cursor| same.with("cursor", cursor));
    Ok((Links::of_page(PATH, &this, next.as_ref()), Json(page)).into_response())
}

fn read(params: &mut Params) -> HistoryQuery {
    let status = params.text("status").and_then(|text| {
        let status = text.parse::<JobStatus>();
        status.map_err(|error| params.refuse("status", error.to_string())).ok()
    });
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
        tenant: Tenant::default(),
        status,
        dead_letter,
        limit,
        offset: u32::try_from(offset).unwrap_or(0),
        before: None,
    };
    query.before = params.cursor(|text| query.list().job(text));
    query
}
