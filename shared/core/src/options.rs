//! Execution options: what `ansible-playbook` takes as flags, and the limits of a job.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::{Faults, Fields};

/// The longest `timeout` and `idle_timeout`, in seconds: one week.
pub const MAX_TIMEOUT_SECONDS: u64 = 7 * 24 * 3600;
const MAX_FORKS: u64 = 1000;
const MAX_ATTEMPTS: u64 = 10;
const MAX_PATTERN_BYTES: usize = 4096;

/// How a playbook is run. Every field has the meaning of the `ansible-playbook` flag of its name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Predicts changes and makes none (`--check`).
    #[serde(skip_serializing_if = "is_false")]
    pub check: bool,
    /// Shows the differences in changed files and templates (`--diff`).
    #[serde(skip_serializing_if = "is_false")]
    pub diff: bool,
    /// Runs only plays and tasks with one of these tags (`--tags`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Leaves out plays and tasks with one of these tags (`--skip-tags`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip_tags: Vec<String>,
    /// Restricts the hosts to a pattern (`--limit`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub limit: Option<String>,
    /// How much Ansible tells, from 0 to 4 (`-v` to `-vvvv`).
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(minimum = 0, maximum = 4)]
    pub verbosity: u8,
    /// How many hosts are worked on at once (`--forks`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub forks: Option<u32>,
    /// Ends the job when it has run this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800)]
    pub timeout: Option<u64>,
    /// Ends the job when it has printed nothing for this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800)]
    pub idle_timeout: Option<u64>,
    /// How often the job may be started when its worker is lost; by default once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10)]
    pub max_attempts: Option<u32>,
    /// Lets Ansible evaluate templates in `extra_vars`; by default they are data.
    #[serde(skip_serializing_if = "is_false")]
    pub template_extra_vars: bool,
}

impl Options {
    /// Reads options from a request; every fault is added with its pointer.
    pub fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Self {
        let Some(mut fields) = Fields::of(value, pointer, faults) else {
            return Self::default();
        };
        let options = Self {
            check: fields.boolean("check", faults),
            diff: fields.boolean("diff", faults),
            tags: fields.lines("tags", MAX_PATTERN_BYTES, faults),
            skip_tags: fields.lines("skip_tags", MAX_PATTERN_BYTES, faults),
            limit: fields.line("limit", MAX_PATTERN_BYTES, faults).map(str::to_owned),
            verbosity: narrow(fields.integer("verbosity", 0, 4, faults)).unwrap_or(0),
            forks: narrow(fields.integer("forks", 1, MAX_FORKS, faults)),
            timeout: fields.integer("timeout", 1, MAX_TIMEOUT_SECONDS, faults),
            idle_timeout: fields.integer("idle_timeout", 1, MAX_TIMEOUT_SECONDS, faults),
            max_attempts: narrow(fields.integer("max_attempts", 1, MAX_ATTEMPTS, faults)),
            template_extra_vars: fields.boolean("template_extra_vars", faults),
        };
        options.refuse_files(&fields, faults);
        fields.finish(faults);
        options
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

    /// Returns how often the job may be started.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts.unwrap_or(1)
    }

    /// Ansible reads a limit of the form `@file` from the worker's disk, which is no place for a caller.
    fn refuse_files(&self, fields: &Fields<'_>, faults: &mut Faults) {
        let names_file = |pattern: &str| pattern.split([',', ':', ';']).any(|part| part.trim().starts_with('@'));
        if self.limit.as_deref().is_some_and(names_file) {
            faults.add(fields.pointer("limit"), "must not name a file (`@...`); list the hosts");
        }
    }
}

fn narrow<T: TryFrom<u64>>(number: Option<u64>) -> Option<T> {
    number.and_then(|number| T::try_from(number).ok())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &u8) -> bool {
    *value == 0
}
