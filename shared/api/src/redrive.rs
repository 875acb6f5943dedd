//! `POST /api/v1/jobs/{job_id}/redrive` and `POST /api/v1/jobs/redrive`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use callboard_core::access::{Action, Requester};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::care::{DeadLetters, Redriver};
use callboard_core::job::MAX_LIMIT;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::{App, PathId};
use crate::audit::Unchanged;
use crate::params::Params;
use crate::problem::{Kind, Problem};
use crate::submit::accepted;
use crate::wire::Accepted;

/// The jobs that a call has redriven.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RedrivenJobs {
    /// The ids of the jobs that were queued again, newest first.
    #[schema(value_type = Vec<String>)]
    redriven: Vec<JobId>,
    /// The cursor of the jobs that this call did not examine; null if there are none.
    next_cursor: Option<String>,
}

/// Queues a waiting job again.
///
/// Use this for a job that has a `dead_letter` in its record. It is harmless for other waiting jobs.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{job_id}/redrive",
    operation_id = "redriveJob",
    tag = "jobs",
    params(("job_id" = String, Path, description = "The id of the job.", format = "uuid")),
    responses(
        (status = 202, description = "The job was queued again.", body = Accepted, headers(
            ("Location" = String, description = "The URL of the job's record."),
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
        )),
    )
)]
pub(crate) async fn redrive(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    by.caller.may_always(Action::JobsRun).map_err(Problem::forbidden)?;
    match redriver(&app, &by).job(by.tenant(), id).await {
        Ok(job) => Ok(accepted(&job, Accepted::new(&job, false))),
        Err(StoreError::Conflict) => {
            let found = app.store.get(id, app.clock.now()).await;
            let job = found.map_err(|error| Problem::of_job(id, error))?;
            let status = job.state.status;
            let detail = format!("Only a job that waits can be redriven; this one is {status}.");
            Err(Problem::new(Kind::JobNotWaiting, detail))
        }
        Err(error) => Err(Problem::of_job(id, error)),
    }
}

/// Queues all dead-lettered jobs again.
///
/// These are the jobs that a list with `dead_letter=true` returns, newest first. One call examines at most `limit` of them. If
/// there are older ones, pass `next_cursor` as `cursor` to continue. Repeating a call is harmless.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/redrive",
    operation_id = "redriveJobs",
    tag = "jobs",
    params(
        ("playbook" = Option<String>, Query, description = "Queues only jobs of this playbook or role, named as in lists of jobs.", min_length = 1),
        ("limit" = Option<u32>, Query, description = "The maximum number of jobs to examine. Default: 100.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the previous call.", min_length = 1),
    ),
    responses(
        (status = 200, description = "The jobs that were queued again.", body = RedrivenJobs),
    )
)]
pub(crate) async fn redrive_all(
    State(app): State<App>,
    Asking(by): Asking,
    mut params: Params,
) -> Result<Response, Problem> {
    by.caller.may_always(Action::JobsRun).map_err(Problem::forbidden)?;
    let wanted = read(&mut params, by.tenant());
    params.finish()?;
    let redriven = redriver(&app, &by).dead_letters(&wanted).await?;
    let query = wanted.query();
    let next_cursor = redriven.next.map(|job| query.list().cursor(job.as_bytes()));
    let has_changed = !redriven.jobs.is_empty();
    let body = RedrivenJobs {
        redriven: redriven.jobs,
        next_cursor,
    };
    Ok(match has_changed {
        true => Json(body).into_response(),
        false => (Extension(Unchanged), Json(body)).into_response(),
    })
}

fn read(params: &mut Params, tenant: &Tenant) -> DeadLetters {
    let playbook = params.name("playbook");
    let limit = params.number("limit", 1, MAX_LIMIT.into());
    let mut wanted = DeadLetters {
        tenant: tenant.clone(),
        title: playbook,
        limit: limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(MAX_LIMIT),
        before: None,
    };
    let query = wanted.query();
    wanted.before = params.cursor(|text| query.list().job(text));
    wanted
}

fn redriver<'a>(app: &'a App, by: &'a Requester) -> Redriver<'a> {
    Redriver {
        store: &*app.store,
        clock: &*app.clock,
        dispatcher: Some(&app.submitter.dispatcher),
        by: &by.caller.name,
    }
}
