//! `GET /api/v1/jobs/{job_id}/events`: ansible-runner's events, in order, with filters and long poll.

mod filter;
mod scan;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use callboard_core::base::id::JobId;
use callboard_core::job::{Job, JobStatus};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use self::filter::{EventNames, Filter};
use self::scan::{Found, Scan};
use crate::app::{App, PathId};
use crate::links::{Links, Query, record};
use crate::params::Params;
use crate::problem::Problem;
use crate::wanted::Wanted;

const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1000;
const MAX_WAIT_SECONDS: u64 = 25;
/// More than any job has events.
const MAX_AFTER: u64 = 2_147_483_647;

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    /// The events, ordered by counter, with the fields that ansible-runner gives them.
    #[schema(value_type = Vec<AnyEvent>)]
    events: Vec<Box<RawValue>>,
    /// The `after` of the next page. Where a filter leaves events out, a page may be empty and others follow.
    next_after: u64,
    /// The attempt whose events these are; 0 before the first.
    attempt: u32,
    /// Where the job stands.
    status: JobStatus,
    /// True when the job has ended, or the attempt that was asked for, and no event follows.
    complete: bool,
}

/// An event, in the words of its job's kind.
#[derive(ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "stands for the schemas of the kinds")]
struct AnyEvent(String);

/// What a request asks for.
struct Asked {
    job: JobId,
    wanted: Wanted,
    filter: Filter,
    after: u64,
    limit: u64,
    wait: u64,
}

/// Lists the events of a job.
///
/// They are ansible-runner's, ordered by counter. With `wait`, a request for which there is none yet waits for one. A filter is
/// applied to at most 4 MiB of events a request: a page may be empty and others follow, as long as `complete` is false.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/events",
    operation_id = "listJobEvents",
    tag = "output",
    params(
        ("job_id" = String, Path, description = "The job's id.", format = "uuid"),
        ("after" = Option<u32>, Query, description = "Only events with a greater counter; 0 if absent.", minimum = 0, maximum = 2_147_483_647),
        ("limit" = Option<u32>, Query, description = "At most this many; 100 if absent.", minimum = 1, maximum = 1000),
        ("wait" = Option<u32>, Query, description = "Waits up to this many seconds for an event.", minimum = 0, maximum = 25),
        ("attempt" = Option<u32>, Query, description = "The events of one attempt; by default of the last.", minimum = 1),
        ("event" = inline(Option<Vec<EventNames>>), Query, description = "Only events of these kinds, such as `runner_on_failed`: given several times, or once with commas."),
        ("host" = Option<String>, Query, description = "Only events of this host.", min_length = 1),
        ("failed" = Option<bool>, Query, description = "Only failures of tasks, and hosts that were not reached, which nothing rescued or ignored."),
    ),
    responses(
        (status = 200, description = "The events.", body = EventPage, headers(
            ("Link" = String, description = "This page (`self`) and the next one (`next`), unless this is the last; RFC 8288."),
        )),
    )
)]
pub(crate) async fn events(
    State(app): State<App>,
    PathId(id): PathId,
    mut params: Params,
) -> Result<Response, Problem> {
    let asked = Asked {
        job: id,
        wanted: Wanted::take(&mut params),
        filter: Filter::take(&mut params, &app.submitter.kinds),
        after: params.number("after", 0, MAX_AFTER).unwrap_or(0),
        limit: params.number("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT),
        wait: params.number("wait", 0, MAX_WAIT_SECONDS).unwrap_or(0),
    };
    params.finish()?;
    let (page, last) = asked.page(&app).await?;
    Ok((asked.links(&page, last), Json(page)).into_response())
}

impl Asked {
    /// Waits for an event that is wanted; one look is all there is without `wait`. Returns the job's last attempt, too.
    async fn page(&self, app: &App) -> Result<(EventPage, u32), Problem> {
        let deadline = Instant::now() + Duration::from_secs(self.wait);
        let _waiting = if self.wait > 0 {
            Some(app.followers.admit()?)
        } else {
            None
        };
        let (mut after, mut attempt) = (self.after, None);
        loop {
            let job = app
                .job(self.job)
                .await
                .map_err(|error| Problem::of_job(self.job, error))?;
            self.wanted.check(&job)?;
            let present = self.wanted.number(&job);
            if attempt
                .replace(present)
                .is_some_and(|before| before > 0 && before != present)
            {
                // events of another attempt are counted anew
                after = 0;
            }
            let found = self.scan(app, &job).after(after).await;
            let found = found.map_err(|error| Problem::of_job(self.job, error))?;
            if !found.events.is_empty() || found.complete || Instant::now() >= deadline {
                return Ok((self.show(&job, found), job.state.attempt));
            }
            if found.last == after {
                sleep(app.settings.poll).await;
            }
            after = found.last;
        }
    }

    fn scan<'a>(&'a self, app: &'a App, job: &'a Job) -> Scan<'a> {
        Scan {
            logs: &*app.logs,
            job,
            wanted: self.wanted,
            filter: &self.filter,
            kind: app
                .submitter
                .kinds
                .of(&job.request)
                .unwrap_or(app.submitter.kinds.first()),
            limit: self.limit,
        }
    }

    fn show(&self, job: &Job, found: Found) -> EventPage {
        EventPage {
            events: found.events,
            next_after: found.last,
            attempt: self.wanted.number(job),
            status: job.state.status,
            complete: found.complete,
        }
    }

    /// Leads on by the counters of one attempt, and from its end to the beginning of the one that followed.
    fn links(&self, page: &EventPage, last: u32) -> Links {
        let query = |attempt: u32, after| {
            let query = Query::default().with("after", &after).with("limit", &self.limit);
            let query = query.with_some("wait", Some(self.wait).filter(|wait| *wait > 0));
            self.filter
                .write(query.with_some("attempt", Some(attempt).filter(|number| *number > 0)))
        };
        let next = match page.complete {
            false => Some(query(page.attempt, page.next_after)),
            true if page.attempt < last => Some(query(page.attempt + 1, 0)),
            true => None,
        };
        let this = query(page.attempt, self.after);
        Links::of_page(&format!("{}/events", record(self.job)), &this, next.as_ref())
    }
}
