//! `GET /api/v1/jobs/{job_id}/hosts`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use callboard_core::access::Action;
use callboard_core::base::object::Object;
use callboard_core::job::{JobStatus, List};
use callboard_core::request::{HostResult, HostState, NotAHostState};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::{App, PathId};
use crate::links::{Links, Query, record};
use crate::params::Params;
use crate::problem::Problem;
use crate::results;

const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1000;

/// A page of the hosts of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostList {
    /// The state of the job.
    status: JobStatus,
    /// The hosts that are in one of the states asked for, ordered by name; none until the job has ended.
    hosts: Vec<HostView>,
    /// The number of hosts in these states, on all pages.
    total: usize,
    /// The largest number of items on a page, as requested or by default.
    limit: u64,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// How a job ended on a host.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostView {
    /// The host's name in the inventory.
    host: String,
    /// The worst that happened there.
    state: HostState,
    /// Ansible's counts.
    #[schema(value_type = HostCounts)]
    counts: Object,
    /// What went wrong there first; null if nothing did, or more than 100 hosts failed before.
    #[schema(value_type = Option<results::Failure>)]
    failure: Option<Object>,
}

/// What is counted on a host, as the job's kind describes it.
#[derive(ToSchema)]
#[schema(as = HostStats)]
#[expect(dead_code, reason = "stands for a schema of the job's kind")]
struct HostCounts(String);

/// One state of hosts, or several separated by commas.
#[derive(ToSchema)]
#[schema(
    example = "failed,unreachable",
    pattern = "^(failed|unreachable|not_reached|changed|ok)(,(failed|unreachable|not_reached|changed|ok))*$"
)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
struct HostStates(String);

impl HostView {
    fn new((name, host): (String, HostResult)) -> Self {
        Self {
            host: name,
            state: host.state,
            counts: host.counts,
            failure: host.failure,
        }
    }
}

/// Lists the hosts of a job, and how it ended on each.
///
/// The state is the worst that happened on the host. `failed` and `unreachable` hosts have their first failure, with the task, its place and
/// the message. Those that a job which was stopped or failed did not come to are `not_reached`.
///
/// Until the job has ended, the list is empty: `GET /api/v1/jobs/{job_id}/events?failed=true` tells what has failed so far. A call of a
/// service has no hosts.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{job_id}/hosts",
    operation_id = "listJobHosts",
    tag = "output",
    params(
        ("job_id" = String, Path, description = "The id of the job.", format = "uuid"),
        ("state" = inline(Option<Vec<HostStates>>), Query, description = "Returns only hosts in these states. Repeat the parameter, or separate the states with commas."),
        ("limit" = Option<u32>, Query, description = "The maximum number of items to return. Default: 100.", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page, which must have been requested with the same states.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of hosts.", body = HostList, headers(
            ("Link" = String, description = "Links (RFC 8288) to this page (`self`) and, if there is one, the next page (`next`)."),
        )),
    )
)]
pub(crate) async fn list(
    State(app): State<App>,
    Asking(by): Asking,
    PathId(id): PathId,
    mut params: Params,
) -> Result<Response, Problem> {
    let states = states(&mut params);
    let limit = params.number("limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
    let named: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let named = named.join(",");
    let which = format!("{id} {named}");
    let list = List::Hosts(by.tenant(), &which);
    let after: Option<String> = params.cursor(|text| String::from_utf8(list.place(text)?).ok());
    params.finish()?;
    let job = app.job(&by, Action::JobsRead, id).await?;
    let wanted = |state| states.is_empty() || states.contains(&state);
    let mut hosts = results::of(&app.submitter.kinds, &job).hosts;
    hosts.retain(|_, host| wanted(host.state));
    let total = hosts.len();
    let mut rest = hosts
        .into_iter()
        .skip_while(|(name, _)| after.as_ref().is_some_and(|after| name <= after));
    let page: Vec<HostView> = rest
        .by_ref()
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .map(HostView::new)
        .collect();
    let last = page.last().filter(|_| rest.next().is_some());
    let last = last.map(|last| last.host.as_str());
    let same = Query::default()
        .with_some("state", Some(&named).filter(|named| !named.is_empty()))
        .with("limit", &limit);
    let (links, next_cursor) = Links::of_texts(&format!("{}/hosts", record(id)), &same, &list, after.as_deref(), last);
    let body = HostList {
        status: job.state.status,
        hosts: page,
        total,
        limit,
        next_cursor,
    };
    Ok((links, Json(body)).into_response())
}

/// Takes the parameter `state`; without it, hosts of every state are wanted.
fn states(params: &mut Params) -> BTreeSet<HostState> {
    let mut states = BTreeSet::new();
    for text in params.texts("state").iter().filter(|text| !text.is_empty()) {
        match text.parse() {
            Ok(state) => drop(states.insert(state)),
            Err(error) => params.refuse("state", NotAHostState::to_string(&error)),
        }
    }
    states
}
