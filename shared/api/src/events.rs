//! `GET /api/v1/jobs/{job_id}/events`: ansible-runner's events, in order, with filters and long poll.

mod filter;
mod scan;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use callboard_core::access::{Action, Requester};
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Job, JobStatus};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use self::filter::{EventNames, Filter};
use self::scan::{Found, Scan};
use crate::access::Asking;
use crate::app::{App, PathId};
use crate::links::{Links, Query, record};
use crate::live;
use crate::params::Params;
use crate::problem::Problem;
use crate::wanted::Wanted;

const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1000;
const MAX_WAIT_SECONDS: u64 = 25;
/// More events than any job has.
const MAX_AFTER: u64 = 2_147_483_647;

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventPage {
    /// The events, ordered by counter, with ansible-runner's fields.
    #[schema(value_type = Vec<AnyEvent>)]
    events: Vec<Box<RawValue>>,
    /// The `after` of the attempt's next page. With a filter, a page may be empty although more events follow.
    next_after: u64,
    /// The place after the page, from which the next page, the job's stream and its followed output go on.
    cursor: String,
    /// The attempt that the events and `next_after` belong to; 0 before the first attempt.
    attempt: u32,
    /// The next attempt, once every event of this one has been read; its events start at `after=0`. Otherwise null.
    next_attempt: Option<u32>,
    /// The state of the job.
    status: JobStatus,
    /// True if the job has ended and no event follows, neither in this attempt nor in another.
    complete: bool,
}

/// An event, as its job's kind defines it.
#[derive(ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "stands for the schemas of the kinds")]
struct AnyEvent(String);

/// What a request asks for.
struct Asked {
    job: JobId,
    /// The attempt; 0 stands for the time before the first one.
    wanted: Wanted,
    filter: Filter,
    after: u64,
    cursor: Option<live::Place>,
    limit: u64,
    wait: u64,
}

/// Where a page begins or reading continues.
#[derive(Clone, Copy)]
struct Place {
    attempt: u32,
    /// The `after` value that the page began with.
    from: u64,
    /// The counter of the last event that was examined.
    after: u64,
}

impl Place {
    fn start(attempt: u32, after: u64) -> Self {
        Self {
            attempt,
            from: after,
            after,
        }
    }
}

/// Lists the events of a job.
///
/// These are ansible-runner's events, ordered by counter. With `wait`, a request that finds no event waits for one. With a
/// filter, one request scans at most 4 MiB of events, or 20,000 events: as long as `complete` is false, a page may be empty
/// although more events follow.
///
/// If a job starts again, its events are counted from 1 again. To follow a job, send the page's `attempt` and `next_after` back
/// as `attempt` and `after`. If the page has a `next_attempt`, continue with that attempt and `after=0`. The `next` link does
/// this for you. So does the page's `cursor`, sent back as `cursor`.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/events",
    operation_id = "listJobEvents",
    tag = "output",
    params(
        ("job_id" = String, Path, description = "The id of the job.", format = "uuid"),
        ("after" = Option<u32>, Query, description = "Returns only events with a greater counter. Default: 0. Once the job has been started again, `attempt` must be given as well.", minimum = 0, maximum = 2_147_483_647),
        ("cursor" = Option<String>, Query, description = "Returns only events after this place: the `cursor` of a page, or the `id` of a message of the job's stream. Cannot be combined with `after`.", min_length = 1),
        ("limit" = Option<u32>, Query, description = "The maximum number of events to return. Default: 100.", minimum = 1, maximum = 1000),
        ("wait" = Option<u32>, Query, description = "Waits up to this many seconds for an event. Default: 0.", minimum = 0, maximum = 25),
        ("attempt" = Option<u32>, Query, description = "Returns the events of this attempt. Default: the last attempt. 0, which pages have before the first attempt, starts with the first attempt.", minimum = 0),
        ("event" = inline(Option<Vec<EventNames>>), Query, description = "Returns only events of these kinds, such as `runner_on_failed`. Repeat the parameter, or separate the kinds with commas."),
        ("host" = Option<String>, Query, description = "Returns only events of this host.", min_length = 1),
        ("failed" = Option<bool>, Query, description = "If true, returns only failed tasks and unreachable hosts that were neither rescued nor ignored."),
    ),
    responses(
        (status = 200, description = "A page of events.", body = EventPage, headers(
            ("Link" = String, description = "Links (RFC 8288) to this page (`self`) and, unless this is the last page, the next page (`next`)."),
        )),
    )
)]
pub(crate) async fn events(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    mut params: Params,
) -> Result<Response, Problem> {
    let wanted = Wanted::take(&mut params, 0);
    if params.is_given("after") && params.is_given("cursor") {
        params.refuse("cursor", "cannot be combined with `after`");
    }
    let asked = Asked {
        job: id,
        cursor: live::Place::take(&mut params, id, wanted.0.filter(|wanted| *wanted > 0)),
        wanted,
        filter: Filter::take(&mut params, &app.submitter.kinds),
        after: params.number("after", 0, MAX_AFTER).unwrap_or(0),
        limit: params.number("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT),
        wait: params.number("wait", 0, MAX_WAIT_SECONDS).unwrap_or(0),
    };
    params.finish()?;
    let (page, from) = asked.page(&app, &by).await?;
    Ok((asked.links(&page, from), Json(page)).into_response())
}

impl Asked {
    /// Waits for a matching event; without `wait`, it looks only once. Also returns the `after` value that the page begins with.
    async fn page(&self, app: &App, by: &Requester) -> Result<(EventPage, u64), Problem> {
        let deadline = Instant::now() + Duration::from_secs(self.wait);
        let _waiting = if self.wait > 0 {
            Some(app.followers.admit()?)
        } else {
            None
        };
        let mut place = None;
        loop {
            let job = app.job(by, Action::JobsRead, self.job).await?;
            let here = place.map_or_else(|| self.start(&job), Ok)?;
            let found = self.scan(app, &job, here).await;
            let found = found.map_err(|error| Problem::of_job(self.job, error))?;
            if let Some(next) = self.moves_on(&found) {
                place = Some(Place::start(next, 0));
                continue;
            }
            if found.is_an_answer() || Instant::now() >= deadline {
                return Ok((show(&job, here, found), here.from));
            }
            if found.last == here.after {
                sleep(app.settings.poll).await;
            }
            place = Some(Place {
                after: found.last,
                ..here
            });
        }
    }

    /// Finds the place to begin. Once a job has been restarted, `after` alone is ambiguous because each attempt counts from 1.
    fn start(&self, job: &Job) -> Result<Place, Problem> {
        self.wanted.check(job)?;
        if let Some(cursor) = self.cursor {
            cursor.check_parameter(job)?;
            return Ok(Place::start(cursor.attempt, cursor.event));
        }
        let last = job.state.attempt;
        if self.wanted.0.is_none() && self.after > 0 && last > 1 {
            let why = format!(
                "is needed with `after`: the job was started {last} times, and each attempt counts its events from 1; \
                 send the `attempt` of the page that `after` was taken from"
            );
            return Err(Problem::parameters(vec![("attempt".to_owned(), why)]));
        }
        Ok(Place::start(self.wanted.number(job), self.after))
    }

    async fn scan(&self, app: &App, job: &Job, place: Place) -> Result<Found, StoreError> {
        let kinds = &app.submitter.kinds;
        let scan = Scan {
            logs: &*app.logs,
            job,
            attempt: place.attempt,
            filter: &self.filter,
            kind: kinds.of(&job.request).unwrap_or(kinds.first()),
            limit: self.limit,
        };
        scan.after(place.after).await
    }

    /// Returns the attempt to continue with. A request that names no attempt moves on when it found no events in this one.
    fn moves_on(&self, found: &Found) -> Option<u32> {
        let free = self.wanted.0.unwrap_or(0) == 0;
        found.next_attempt.filter(|_| free && found.events.is_empty())
    }

    /// Returns links that follow the counters of one attempt, and lead from its end to the beginning of the next attempt.
    fn links(&self, page: &EventPage, from: u64) -> Links {
        let query = |attempt: u32, after| {
            let query = Query::default().with("after", &after).with("limit", &self.limit);
            let query = query.with_some("wait", Some(self.wait).filter(|wait| *wait > 0));
            self.filter.write(query.with("attempt", &attempt))
        };
        let next = match page.next_attempt {
            Some(attempt) => Some(query(attempt, 0)),
            None if page.complete => None,
            None => Some(query(page.attempt, page.next_after)),
        };
        let this = query(page.attempt, from);
        Links::of_page(&format!("{}/events", record(self.job)), &this, next.as_ref())
    }
}

fn show(job: &Job, place: Place, found: Found) -> EventPage {
    EventPage {
        events: found.events,
        next_after: found.last,
        cursor: live::Place {
            event: found.last,
            ..live::Place::start(place.attempt)
        }
        .cursor(job.id),
        attempt: place.attempt,
        next_attempt: found.next_attempt,
        status: job.state.status,
        complete: found.complete,
    }
}
