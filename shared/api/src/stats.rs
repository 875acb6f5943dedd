//! `GET /api/v1/stats`: how jobs end, what they use and why they fail, by what they run.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use callboard_core::base::id::Tenant;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{JobStatus, StatsQuery, Tally};
use callboard_core::request::{Kinds, Reason};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::list::Called;
use crate::params::{Given, Params};
use crate::problem::Problem;

const HOUR: Duration = Duration::from_secs(3600);
const DEFAULT_WINDOW: &str = "24h";
const MAX_HOURS: u64 = 366 * 24;

/// Statistics of jobs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stats<T> {
    /// The jobs that are counted were submitted since then, and have ended.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// One entry for each group of jobs, the one with the most jobs first.
    entries: Vec<T>,
}

/// How jobs ended, and how long they took.
#[derive(Serialize, ToSchema)]
pub(crate) struct Performance {
    #[serde(flatten)]
    of: Group,
    /// How many jobs there are.
    jobs: u64,
    /// How many of them were successful.
    successful: u64,
    /// How many of them failed.
    failed: u64,
    /// How many of them were canceled.
    canceled: u64,
    /// The part of the jobs that were not canceled which was successful, from 0 to 1; null if there are none.
    success_rate: Option<f64>,
    /// How often the jobs were started.
    attempts: u64,
    /// How long their last attempts took.
    duration_seconds: Durations,
}

/// How long jobs took, in seconds; null if none is known. Percentiles are within 1 %.
#[derive(Serialize, ToSchema)]
pub(crate) struct Durations {
    /// The mean.
    mean: Option<f64>,
    /// Half of the jobs took no longer.
    p50: Option<f64>,
    /// 95 % of the jobs took no longer.
    p95: Option<f64>,
    /// 99 % of the jobs took no longer.
    p99: Option<f64>,
    /// The longest.
    max: Option<f64>,
}

/// What jobs used: the sum, except where something else is said.
#[derive(Serialize, ToSchema)]
pub(crate) struct Resources {
    #[serde(flatten)]
    of: Group,
    /// How many jobs there are.
    jobs: u64,
    /// The duration of their last attempts, in seconds.
    duration_seconds: f64,
    /// Seconds of processor time on the workers, where it is known.
    cpu_seconds: f64,
    /// The largest peak memory of one job, in bytes, where it is known.
    peak_memory_bytes: u64,
    /// Bytes of output.
    output_bytes: u64,
    /// What they cost, estimated, in US dollars.
    cost_usd: f64,
}

/// The jobs that did not succeed for one reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailurePattern {
    #[serde(flatten)]
    of: Group,
    /// Why they did not succeed.
    reason: Reason,
    /// How many jobs there are.
    jobs: u64,
    /// Which part that is of all the group's jobs, from 0 to 1.
    share: f64,
    /// The last of them.
    #[schema(format = "uuid")]
    last_job_id: String,
    /// When that one ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_finished_at: Option<Timestamp>,
    /// Why it did not succeed, in a sentence of at most 300 characters.
    last_error: Option<String>,
}

/// What a group of jobs has in common; null where it is not grouped by that.
#[derive(Clone, Serialize, ToSchema)]
struct Group {
    /// The kind of the jobs.
    kind: String,
    /// The path of the playbook or the name of the role.
    playbook: Option<String>,
    /// The service that they call.
    service: Option<String>,
    /// The operation that they call.
    operation: Option<String>,
}

/// How jobs are grouped.
#[derive(Clone, Copy, Eq, PartialEq)]
enum By {
    Kind,
    Service,
    Operation,
}

/// Returns how jobs ended, and how long they took.
///
/// Each job counts once, when it has ended, however often it was tried.
#[utoipa::path(
    get,
    path = "/api/v1/stats/performance",
    operation_id = "getPerformance",
    tag = "stats",
    params(
        ("window" = Option<String>, Query, description = "How far back jobs are counted, by the time of their submission: hours or days, such as `24h` (the default) or `7d`.", pattern = "^[1-9][0-9]{0,3}[hd]$", example = "24h"),
        ("by" = Option<String>, Query, description = "How jobs are grouped: by `kind`, by `service`, or by `operation` or playbook (the default).", pattern = "^(kind|service|operation)$"),
        ("kind" = Option<String>, Query, description = "Counts only jobs of this kind.", example = "http"),
        ("service" = Option<String>, Query, description = "Counts only calls of this service.", min_length = 1),
        ("operation" = Option<String>, Query, description = "Counts only calls of this operation of the `service`.", min_length = 1),
    ),
    responses((status = 200, description = "One entry for each group.", body = Stats<Performance>))
)]
pub(crate) async fn performance(State(app): State<App>, params: Params) -> Result<Json<Stats<Performance>>, Problem> {
    let (since, groups) = read(&app, params).await?;
    let entries = groups.into_iter().map(|(of, tally)| performance_of(of, &tally));
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
    params(
        ("window" = Option<String>, Query, description = "How far back jobs are counted, by the time of their submission: hours or days, such as `24h` (the default) or `7d`.", pattern = "^[1-9][0-9]{0,3}[hd]$", example = "24h"),
        ("by" = Option<String>, Query, description = "How jobs are grouped: by `kind`, by `service`, or by `operation` or playbook (the default).", pattern = "^(kind|service|operation)$"),
        ("kind" = Option<String>, Query, description = "Counts only jobs of this kind.", example = "http"),
        ("service" = Option<String>, Query, description = "Counts only calls of this service.", min_length = 1),
        ("operation" = Option<String>, Query, description = "Counts only calls of this operation of the `service`.", min_length = 1),
    ),
    responses((status = 200, description = "One entry for each group.", body = Stats<Resources>))
)]
pub(crate) async fn resources(State(app): State<App>, params: Params) -> Result<Json<Stats<Resources>>, Problem> {
    let (since, groups) = read(&app, params).await?;
    let entries = groups.into_iter().map(|(of, tally)| Resources {
        of,
        jobs: tally.jobs(),
        duration_seconds: tally.durations.sum,
        cpu_seconds: tally.cpu_seconds,
        peak_memory_bytes: tally.peak_memory_bytes,
        output_bytes: tally.output_bytes,
        cost_usd: tally.cost_usd,
    });
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
    params(
        ("window" = Option<String>, Query, description = "How far back jobs are counted, by the time of their submission: hours or days, such as `24h` (the default) or `7d`.", pattern = "^[1-9][0-9]{0,3}[hd]$", example = "24h"),
        ("by" = Option<String>, Query, description = "How jobs are grouped: by `kind`, by `service`, or by `operation` or playbook (the default).", pattern = "^(kind|service|operation)$"),
        ("kind" = Option<String>, Query, description = "Counts only jobs of this kind.", example = "http"),
        ("service" = Option<String>, Query, description = "Counts only calls of this service.", min_length = 1),
        ("operation" = Option<String>, Query, description = "Counts only calls of this operation of the `service`.", min_length = 1),
    ),
    responses((status = 200, description = "One entry for each group and reason.", body = Stats<FailurePattern>))
)]
pub(crate) async fn failures(State(app): State<App>, params: Params) -> Result<Json<Stats<FailurePattern>>, Problem> {
    let (since, groups) = read(&app, params).await?;
    let mut entries: Vec<FailurePattern> = groups.into_iter().flat_map(patterns).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.jobs));
    Ok(Json(Stats { since, entries }))
}

fn performance_of(of: Group, tally: &Tally) -> Performance {
    let ended = |status| tally.ended.get(&status).copied().unwrap_or_default();
    let (successful, failed) = (ended(JobStatus::Successful), ended(JobStatus::Failed));
    let decided = successful + failed;
    let durations = &tally.durations;
    Performance {
        of,
        jobs: tally.jobs(),
        successful,
        failed,
        canceled: ended(JobStatus::Canceled),
        success_rate: (decided > 0).then(|| successful as f64 / decided as f64),
        attempts: tally.attempts,
        duration_seconds: Durations {
            mean: durations.mean(),
            p50: durations.quantile(0.5),
            p95: durations.quantile(0.95),
            p99: durations.quantile(0.99),
            max: (durations.count() > 0).then_some(durations.max),
        },
    }
}

fn patterns((of, tally): (Group, Tally)) -> impl Iterator<Item = FailurePattern> {
    let all = tally.jobs();
    tally
        .failures
        .into_iter()
        .map(move |(reason, failures)| FailurePattern {
            of: of.clone(),
            reason: Reason::of(&reason),
            jobs: failures.count,
            share: failures.count as f64 / all.max(1) as f64,
            last_job_id: failures.last.to_string(),
            last_finished_at: failures.last_at,
            last_error: failures.last_error,
        })
}

/// Reads the query, and the groups of jobs that it asks for.
async fn read(app: &App, mut params: Params) -> Result<(Timestamp, Vec<(Group, Tally)>), Problem> {
    let kinds = &app.submitter.kinds;
    let window = window(&mut params);
    let by = by(&mut params);
    let given = Given::read(&mut params, kinds);
    params.finish()?;
    let now = app.clock.now();
    let filter = given.filter(kinds);
    let query = StatsQuery {
        tenant: Tenant::default(),
        since: now - window,
        kind: filter.kind,
        title: filter.title,
    };
    let tallies = app.stats.tallies(&query, now).await?;
    Ok((query.since, grouped(tallies, by, kinds)))
}

fn grouped(tallies: Vec<Tally>, by: By, kinds: &Kinds) -> Vec<(Group, Tally)> {
    let mut found = BTreeMap::<_, (Group, Tally)>::new();
    for tally in tallies {
        let group = group(&tally, by, kinds);
        let key = (
            group.kind.clone(),
            group.service.clone(),
            group.operation.clone(),
            group.playbook.clone(),
        );
        let (_, whole) = found.entry(key).or_insert_with(|| (group, Tally::default()));
        whole.merge(tally);
    }
    let mut groups: Vec<_> = found.into_values().collect();
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
