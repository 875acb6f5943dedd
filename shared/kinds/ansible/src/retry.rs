//! Jobs that are tried again by themselves after they have failed.

use std::time::Duration;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::object::Object;
use callboard_core::job::{Job, JobStatus};
use callboard_core::request::Reason;
use callboard_core::run::Ended;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::detail::{Detail, HOSTS_UNREACHABLE, INVENTORY_INVALID, PLAYBOOK_FAILED};
use crate::stats::limit_to;

const MAX_COUNT: u64 = 10;
const MAX_PAUSE_SECONDS: u64 = 24 * 3600;
/// How long the names of hosts may be that an attempt leaves to the next: records keep them of each attempt.
const MAX_LEFT_BYTES: usize = 16 * 1024;
/// What an attempt leaves to the next: the hosts that it is limited to.
const LIMIT: &str = "limit";

/// When and how a job that has failed is tried again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often at most.
    #[schema(minimum = 1, maximum = 10)]
    pub count: u32,
    /// After how many seconds. Default: 60.
    #[serde(default = "default_pause")]
    #[schema(minimum = 0, maximum = 86_400)]
    pub pause: u64,
    /// After which reasons. Default: `playbook_failed`, `hosts_unreachable` and `source_unavailable`.
    #[serde(default = "default_reasons")]
    #[schema(value_type = Vec<RetryReason>)]
    pub on: Vec<Reason>,
    /// On which hosts. Default: `all`.
    #[serde(default)]
    pub hosts: RetryHosts,
}

/// The hosts on which a job is tried again.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RetryHosts {
    /// All that it is for.
    #[default]
    All,
    /// Those where it failed, that were unreachable, or that it did not reach.
    Failed,
}

/// The reasons after which a job may be tried again.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes what is read elsewhere")]
enum RetryReason {
    PlaybookFailed,
    HostsUnreachable,
    InventoryInvalid,
    SourceUnavailable,
    CredentialUnavailable,
    OutOfMemory,
    RunnerError,
}

/// The reasons after which a job may be tried again.
const REASONS: &[Reason] = &[
    PLAYBOOK_FAILED,
    HOSTS_UNREACHABLE,
    INVENTORY_INVALID,
    Reason::SOURCE_UNAVAILABLE,
    Reason::CREDENTIAL_UNAVAILABLE,
    Reason::OUT_OF_MEMORY,
    Reason::RUNNER_ERROR,
];

fn default_pause() -> u64 {
    60
}

fn default_reasons() -> Vec<Reason> {
    vec![PLAYBOOK_FAILED, HOSTS_UNREACHABLE, Reason::SOURCE_UNAVAILABLE]
}

impl Retry {
    /// Reads the option `retry`; adds each fault with its pointer.
    pub(crate) fn read(options: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let pointer = options.pointer("retry");
        let mut fields = Fields::of(options.get("retry")?, &pointer, faults)?;
        let count = fields.integer("count", 1, MAX_COUNT, faults);
        if fields.get("count").is_none() {
            faults.add(
                fields.pointer("count"),
                "is missing: how often the job is tried again at most",
            );
        }
        let pause = fields.integer("pause", 0, MAX_PAUSE_SECONDS, faults);
        let on = read_reasons(&mut fields, faults);
        let hosts = match fields.get("hosts") {
            Some(_) => fields.variant("hosts", &["all", "failed"], faults),
            None => None,
        };
        fields.finish(faults);
        Some(Self {
            count: count.and_then(|count| u32::try_from(count).ok())?,
            pause: pause.unwrap_or_else(default_pause),
            on: on.unwrap_or_else(default_reasons),
            hosts: match hosts {
                Some("failed") => RetryHosts::Failed,
                _ => RetryHosts::All,
            },
        })
    }

    /// Reads it from the work of a recorded request.
    #[must_use]
    pub fn of(work: &Object) -> Option<Self> {
        let retry = work.0.get("options")?.get("retry")?;
        serde_json::from_value(retry.clone()).ok()
    }

    /// Limits an attempt to what the ones before have left to it.
    pub fn narrow(&self, job: &Job, work: &mut Object) {
        let left = job.state.given_up.iter().rev();
        if let Some(Some(limit)) = left.map(|attempt| &attempt.left).find_map(limit_left)
            && let Some(Value::Object(options)) = work.0.get_mut("options")
        {
            options.insert(LIMIT.to_owned(), json!(limit));
        }
    }

    /// Has a job tried again that has ended as this option says.
    #[must_use]
    pub fn judge(&self, job: &Job, ended: Ended) -> Ended {
        let outcome = &ended.outcome;
        let is_for = outcome.reason.as_ref().is_some_and(|reason| self.on.contains(reason));
        let failed = outcome.status == JobStatus::Failed && !ended.stopped && !ended.short;
        if !is_for || !failed || job.retries() >= self.count {
            return ended;
        }
        Ended {
            left: self.left(&Detail::of(outcome)),
            again: Some(Duration::from_secs(self.pause)),
            ..ended
        }
    }

    /// Returns what an attempt leaves to the next. One that did not come to any host leaves what was left to it, by saying nothing.
    fn left(&self, detail: &Detail) -> Object {
        let limit = detail.unfinished.as_deref().map(limit_to);
        if self.hosts == RetryHosts::All || limit.is_none() && detail.stats.is_none() {
            return Object::default();
        }
        Object::of(&json!({LIMIT: limit.filter(|limit| limit.len() <= MAX_LEFT_BYTES)}))
    }
}

/// Reads the limit that an attempt has left, if it has said: `None` stands for all hosts.
pub(crate) fn limit_left(left: &Object) -> Option<Option<String>> {
    let limit = left.0.get(LIMIT)?;
    Some(limit.as_str().map(str::to_owned))
}

/// Reads the reasons; `None` if there are none.
fn read_reasons(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Vec<Reason>> {
    fields.get("on")?;
    let pointer = fields.pointer("on");
    let words = fields.lines("on", 64, faults);
    let reasons: Vec<Reason> = words.iter().map(|word| Reason::of(word)).collect();
    let known: Vec<&str> = REASONS.iter().map(Reason::as_str).collect();
    for (index, _) in reasons
        .iter()
        .enumerate()
        .filter(|(_, reason)| !REASONS.contains(reason))
    {
        let detail = format!("is not a reason to try a job again; these are: {}", known.join(", "));
        faults.add(format!("{pointer}/{index}"), detail);
    }
    if words.is_empty() {
        faults.add(pointer, "must name a reason; leave it out for the usual ones");
    }
    Some(reasons)
}
