//! `GET /api/v1/jobs` and `GET /api/v1/jobs/{id}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use callboard_core::history::{Cursor, DEFAULT_LIMIT, HistoryQuery, MAX_LIMIT, MAX_OFFSET};
use callboard_core::id::Tenant;
use callboard_core::job::JobStatus;

use crate::app::{App, PathId};
use crate::params::Params;
use crate::problem::Problem;
use crate::wire::{JobList, JobView};

/// Returns the record of a job.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}",
    tag = "jobs",
    params(("id" = String, Path, description = "The job's id.")),
    responses(
        (status = 200, description = "The record.", body = JobView),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(State(app): State<App>, PathId(id): PathId, params: Params) -> Result<Json<JobView>, Problem> {
    params.finish()?;
    let job = app.job(id).await?;
    Ok(Json(JobView::read(&*app.logs, job).await?))
}

/// Lists jobs, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    tag = "jobs",
    params(
        ("status" = Option<JobStatus>, Query, description = "Only jobs in this state."),
        ("limit" = Option<u32>, Query, description = "At most this many; 20 if absent.", minimum = 1, maximum = 100),
        ("offset" = Option<u32>, Query, description = "Leaves out this many.", minimum = 0, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before, with the same `status`."),
    ),
    responses(
        (status = 200, description = "A page of jobs.", body = JobList),
        (status = 400, description = "The cursor is not one of this list.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(State(app): State<App>, params: Params) -> Result<Json<JobList>, Problem> {
    let tenant = Tenant::default();
    let query = parse(params, &tenant)?;
    let page = app.store.list(&query, app.clock.now()).await?;
    Ok(Json(JobList::new(page, &query, &tenant)))
}

fn parse(mut params: Params, tenant: &Tenant) -> Result<HistoryQuery, Problem> {
    let status = params.text("status").and_then(|text| {
        let status = text.parse::<JobStatus>();
        status.map_err(|error| params.refuse("status", error.to_string())).ok()
    });
    let limit = params.number("limit", 1, MAX_LIMIT.into(), DEFAULT_LIMIT.into());
    let offset = params.number("offset", 0, MAX_OFFSET.into(), 0);
    let cursor = params.text("cursor");
    if cursor.is_some() && offset > 0 {
        params.refuse("offset", "cannot be combined with a cursor");
    }
    params.finish()?;
    let before = cursor
        .map(|text| Cursor::decode(&text, tenant, status).ok_or_else(bad_cursor))
        .transpose()?;
    Ok(HistoryQuery {
        tenant: tenant.clone(),
        status,
        limit: u32::try_from(limit).unwrap_or(DEFAULT_LIMIT),
        offset: u32::try_from(offset).unwrap_or(0),
        before: before.map(|Cursor(id)| id),
    })
}

fn bad_cursor() -> Problem {
    let detail = "is not a `next_cursor` of this list; ask for the first page again, without it";
    Problem::parameters(StatusCode::BAD_REQUEST, vec![("cursor".to_owned(), detail.to_owned())])
}
