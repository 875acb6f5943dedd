//! Options that jobs of every kind honour.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::fields::{Faults, Fields};
use crate::base::json::escape;

/// The longest `timeout` and `idle_timeout`, in seconds: one week.
pub const MAX_TIMEOUT_SECONDS: u64 = 7 * 24 * 3600;
const MAX_ATTEMPTS: u64 = 10;
const MAX_URL_BYTES: usize = 2048;
const MAX_CONCURRENCY_KEY_BYTES: usize = 255;
const MAX_LABELS: usize = 50;
const MAX_LABEL_BYTES: usize = 63;
const MAX_LABEL_VALUE_BYTES: usize = 255;

/// The options of every job: its limits and its labels.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct JobOptions {
    /// Stops the job after it has run for this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800)]
    pub timeout: Option<u64>,
    /// Stops the job after it has printed nothing for this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800)]
    pub idle_timeout: Option<u64>,
    /// How many times the job may be started if its worker is lost. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10)]
    pub max_attempts: Option<u32>,
    /// The caller's own labels, stored with the job and shown in lists. Their names consist of letters, digits, `.`, `_`, `-` and `/`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"team": "web"}))]
    pub labels: BTreeMap<String, String>,
    /// A name that stands for what the job changes, such as a host. Of a tenant's jobs with the same key, one at a time is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255, pattern = "^[!-~]+$", example = "host:db1")]
    pub concurrency_key: Option<String>,
    /// What the job does if another one has its `concurrency_key`. Default: `queue`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_policy: Option<ConcurrencyPolicy>,
    /// The URL to notify when the job ends. It is stored with the job, but nothing is sent to it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048, pattern = "^https?://", example = "https://ci.example.com/done")]
    pub callback_url: Option<String>,
}

/// What a job does if another one has its concurrency key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrencyPolicy {
    /// It waits until the other one has ended, and those that waited before it.
    #[default]
    Queue,
    /// It ends at once, as `canceled`, and is never started.
    Skip,
    /// It cancels the other one, and those that wait, as far as its submitter may cancel them, and waits until they have ended.
    CancelRunning,
}

impl ConcurrencyPolicy {
    /// The words that denote them.
    const WORDS: [(&'static str, Self); 3] = [
        ("queue", Self::Queue),
        ("skip", Self::Skip),
        ("cancel_running", Self::CancelRunning),
    ];
}

impl JobOptions {
    /// The names of these options among a request's options.
    pub(super) const NAMES: [&'static str; 7] = [
        "timeout",
        "idle_timeout",
        "max_attempts",
        "labels",
        "concurrency_key",
        "concurrency_policy",
        "callback_url",
    ];

    /// Reads these options from a request's `options`; adds every fault with its pointer.
    pub fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        Self {
            timeout: fields.integer("timeout", 1, MAX_TIMEOUT_SECONDS, faults),
            idle_timeout: fields.integer("idle_timeout", 1, MAX_TIMEOUT_SECONDS, faults),
            max_attempts: fields
                .integer("max_attempts", 1, MAX_ATTEMPTS, faults)
                .and_then(|number| u32::try_from(number).ok()),
            labels: read_labels(fields, faults),
            concurrency_key: read_concurrency_key(fields, faults),
            concurrency_policy: read_concurrency_policy(fields, faults),
            callback_url: read_callback_url(fields, faults),
        }
    }

    /// Returns the time limit of the job, if it has one.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs)
    }

    /// Returns how long the job may be silent, if that is limited.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout.map(Duration::from_secs)
    }

    /// Returns what the job does if another one has its concurrency key.
    #[must_use]
    pub fn concurrency_policy(&self) -> ConcurrencyPolicy {
        self.concurrency_policy.unwrap_or_default()
    }

    /// Returns how often the job may be started.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts.unwrap_or(1)
    }
}

fn read_labels(fields: &mut Fields<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let pointer = fields.pointer("labels");
    let labels = fields.line_map("labels", MAX_LABEL_VALUE_BYTES, faults);
    if labels.len() > MAX_LABELS {
        faults.add(pointer.as_str(), format!("must have at most {MAX_LABELS} labels"));
    }
    for name in labels.keys() {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        if name.is_empty() || name.len() > MAX_LABEL_BYTES || !name.bytes().all(good) {
            let pointer = format!("{pointer}/{}", escape(name));
            faults.add(
                pointer,
                format!("must be named by 1 to {MAX_LABEL_BYTES} letters, digits, `.`, `_`, `-` or `/`"),
            );
        }
    }
    labels
}

fn read_concurrency_key(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<String> {
    let key = fields.line("concurrency_key", MAX_CONCURRENCY_KEY_BYTES, faults)?;
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = "must consist of visible ASCII characters, without spaces";
        faults.add(fields.pointer("concurrency_key"), detail);
    }
    Some(key.to_owned())
}

fn read_concurrency_policy(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<ConcurrencyPolicy> {
    let words = ConcurrencyPolicy::WORDS.map(|(word, _)| word);
    let word = fields.line("concurrency_policy", MAX_CONCURRENCY_KEY_BYTES, faults)?;
    let pointer = fields.pointer("concurrency_policy");
    if fields.get("concurrency_key").is_none() {
        faults.add(pointer.as_str(), "needs a concurrency_key");
    }
    let found = ConcurrencyPolicy::WORDS.iter().find(|(known, _)| *known == word);
    if found.is_none() {
        faults.add(pointer, format!("must be one of {}", words.join(", ")));
    }
    found.map(|(_, policy)| *policy)
}

fn read_callback_url(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<String> {
    let url = fields.line("callback_url", MAX_URL_BYTES, faults)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    if host.is_none_or(str::is_empty) || url.contains(char::is_whitespace) {
        faults.add(
            fields.pointer("callback_url"),
            "must be an address that begins with https:// or http://",
        );
    } else if host.is_some_and(|host| host.contains('@')) {
        faults.add(fields.pointer("callback_url"), "must not hold a user or a password");
    }
    Some(url.to_owned())
}
