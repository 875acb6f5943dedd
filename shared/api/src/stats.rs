//! `GET /api/v1/stats`: how jobs end, what they use and why they fail, by what they run.

mod entries;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use callboard_core::access::Requester;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{StatsQuery, Tally};
use callboard_core::request::Kinds;

use self::entries::{FailurePattern, Group, Performance, Resources, Stats};
use crate::access::Asking;
use crate::app::App;
use crate::jobs::all_jobs;
use crate::list::Called;
use crate::params::{Given, Params};
use crate::problem::Problem;

const HOUR: Duration = Duration::from_secs(3600);
const DEFAULT_WINDOW: &str = "24h";
const MAX_HOURS: u64 = 366 * 24;

/// How jobs are grouped.
#[derive(Clone, Copy, Eq, PartialEq)]
enum By {
    Kind,
    Service,
    Operation,
}

/// The query that all statistics take.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "stands for its schema")]
struct Asked {
    /// How far back jobs are counted, by the time of their submission: hours or days, such as `24h` (the default) or `7d`.
    #[param(pattern = "^[1-9][0-9]{0,3}[hd]$", example = "24h")]
    window: Option<String>,
    /// How jobs are grouped: by `kind`, by `service`, or by `operation` or playbook (the default).
    #[param(pattern = "^(kind|service|operation)$")]
    by: Option<String>,
    /// Counts only jobs of this kind.
    #[param(example = "http")]
    kind: Option<String>,
    /// Counts only calls of this service.
    #[param(min_length = 1)]
    service: Option<String>,
    /// Counts only calls of this operation of the `service`.
    #[param(min_length = 1)]
    operation: Option<String>,
}

/// Returns how jobs ended, and how long they took.
///
/// Each job counts once, when it has ended, however often it was tried.
#[utoipa::path(
    get,
    path = "/api/v1/stats/performance",
    operation_id = "getPerformance",
    tag = "stats",
    params(Asked),
    responses((status = 200, description = "One entry for each group.", body = Stats<Performance>))
)]
pub(crate) async fn performance(
    State(app): State<App>,
    Asking(by): Asking,
    params: Params,
) -> Result<Json<Stats<Performance>>, Problem> {
    let (since, groups) = read(&app, &by, params).await?;
    let entries = groups.into_iter().map(|(of, tally)| Performance::of(of, &tally));
    Ok(Json(Stats {
        since,
        entries: entries.collect(),
    }))
}

/// Returns what jobs used.
///
/// Each job counts once, when it has ended, with its last attempt.
#[utoipa::path(
    get,
    path = "/api/v1/stats/resources",
    operation_id = "getResources",
    tag = "stats",
    params(Asked),
    responses((status = 200, description = "One entry for each group.", body = Stats<Resources>))
)]
pub(crate) async fn resources(
    State(app): State<App>,
    Asking(by): Asking,
    params: Params,
) -> Result<Json<Stats<Resources>>, Problem> {
    let (since, groups) = read(&app, &by, params).await?;
    let entries = groups.into_iter().map(|(of, tally)| Resources::of(of, &tally));
    Ok(Json(Stats {
        since,
        entries: entries.collect(),
    }))
}

/// Returns why jobs did not succeed.
///
/// Each job that failed or was canceled counts once, with its final reason. There is one entry for each group and reason, the most
/// frequent first.
#[utoipa::path(
    get,
    path = "/api/v1/stats/failures",
    operation_id = "getFailures",
    tag = "stats",
    params(Asked),
    responses((status = 200, description = "One entry for each group and reason.", body = Stats<FailurePattern>))
)]
pub(crate) async fn failures(
    State(app): State<App>,
    Asking(by): Asking,
    params: Params,
) -> Result<Json<Stats<FailurePattern>>, Problem> {
    let (since, groups) = read(&app, &by, params).await?;
    let mut entries: Vec<FailurePattern> = groups.into_iter().flat_map(FailurePattern::of).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.jobs));
    Ok(Json(Stats { since, entries }))
}

/// Reads the query, and the groups of jobs that it asks for.
async fn read(app: &App, asking: &Requester, mut params: Params) -> Result<(Timestamp, Vec<(Group, Tally)>), Problem> {
    all_jobs(asking)?;
    let kinds = &app.submitter.kinds;
    let window = window(&mut params);
    let by = by(&mut params);
    let given = Given::read(&mut params, kinds);
    params.finish()?;
    let now = app.clock.now();
    let filter = given.filter(kinds);
    let query = StatsQuery {
        tenant: asking.tenant().clone(),
        since: now - window,
        kind: filter.kind,
        title: filter.title,
    };
    let tallies = app.stats.tallies(&query, now).await?;
    Ok((query.since, grouped(tallies, by, kinds)))
}

fn grouped(tallies: Vec<Tally>, by: By, kinds: &Kinds) -> Vec<(Group, Tally)> {
    let mut found = BTreeMap::<Group, Tally>::new();
    for tally in tallies {
        found.entry(group(&tally, by, kinds)).or_default().merge(tally);
    }
    let mut groups: Vec<_> = found.into_iter().collect();
    groups.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.jobs()));
    groups
}

fn group(tally: &Tally, by: By, kinds: &Kinds) -> Group {
    let called = Called::of(tally.kind.as_deref(), tally.title.clone());
    Group {
        kind: kinds.name_of(tally.kind.as_deref()).to_owned(),
        playbook: called.playbook.filter(|_| by == By::Operation),
        service: called.service.filter(|_| by != By::Kind),
        operation: called.operation.filter(|_| by == By::Operation),
    }
}

fn by(params: &mut Params) -> By {
    match params.text("by").as_deref() {
        None | Some("operation") => By::Operation,
        Some("service") => By::Service,
        Some("kind") => By::Kind,
        Some(_) => {
            params.refuse("by", "must be kind, service or operation");
            By::Operation
        }
    }
}

fn window(params: &mut Params) -> Duration {
    let text = params.text("window");
    let text = text.as_deref().unwrap_or(DEFAULT_WINDOW);
    let hours = match (text.strip_suffix('h'), text.strip_suffix('d')) {
        (Some(hours), _) => hours.parse().ok(),
        (_, Some(days)) => days.parse::<u64>().ok().and_then(|days| days.checked_mul(24)),
        _ => None,
    };
    match hours.filter(|hours| (1..=MAX_HOURS).contains(hours)) {
        Some(hours) => HOUR * u32::try_from(hours).unwrap_or(u32::MAX),
        None => {
            params.refuse(
                "window",
                "must be a number of hours or days, up to a year, such as 24h or 7d",
            );
            HOUR
        }
    }
}
