//! Events in ansible-runner's form, with its own field names.

use callboard_core::request::EventFacts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The kinds of events that ansible-runner has, and those of what else Ansible displays.
pub const EVENT_KINDS: [&str; 32] = [
    "debug",
    "deprecated",
    "error",
    "playbook_on_import_for_host",
    "playbook_on_include",
    "playbook_on_no_hosts_matched",
    "playbook_on_no_hosts_remaining",
    "playbook_on_not_import_for_host",
    "playbook_on_notify",
    "playbook_on_play_start",
    "playbook_on_setup",
    "playbook_on_start",
    "playbook_on_stats",
    "playbook_on_task_start",
    "playbook_on_vars_prompt",
    "runner_item_on_failed",
    "runner_item_on_ok",
    "runner_item_on_skipped",
    "runner_on_async_failed",
    "runner_on_async_ok",
    "runner_on_async_poll",
    "runner_on_failed",
    "runner_on_file_diff",
    "runner_on_no_hosts",
    "runner_on_ok",
    "runner_on_skipped",
    "runner_on_start",
    "runner_on_unreachable",
    "runner_retry",
    "system_warning",
    "verbose",
    "warning",
];

/// An event of a job, with ansible-runner's fields. `event_data` is returned as Ansible's callback wrote it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Event {
    /// The id of the event: a UUID, or derived from one.
    pub uuid: String,
    /// The number of the event in its attempt: 1, 2, 3, without gaps.
    pub counter: u64,
    /// The text that Ansible printed for the event, at most 64 KiB. The log has the complete text.
    pub stdout: String,
    /// True if `stdout` is not the complete text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stdout_truncated: bool,
    /// The line of the log where the text starts, counted from 0.
    pub start_line: u64,
    /// The line of the log after the end of the text, counted from 0.
    pub end_line: u64,
    /// The id of the job, under ansible-runner's name for it.
    pub runner_ident: String,
    /// The kind of event, such as `runner_on_ok` or `playbook_on_stats`.
    #[schema(example = "runner_on_ok")]
    pub event: String,
    /// True for a failure that a rescue block handled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rescued: bool,
    /// The id of the process that reported the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pid: Option<i64>,
    /// When the event was created, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created: Option<String>,
    /// The `uuid` of the event that this one belongs to: the task's for a result, the play's for a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parent_uuid: Option<String>,
    /// The verbosity level of a message that Ansible prints with `-v`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub verbosity: Option<i64>,
    /// The data of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = callboard_core::request::Variables)]
    pub event_data: Option<Box<RawValue>>,
}

/// The fields of a stored event that decide whether it is wanted.
#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    rescued: bool,
    #[serde(default)]
    event_data: Option<Data>,
}

/// If an event was too large, a value may not be the one that ansible-runner wrote.
#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    host: Value,
    #[serde(default)]
    ignore_errors: Value,
    #[serde(default)]
    ignore_unreachable: Value,
}

/// Reads the facts by which events are selected; a failure is one that was neither rescued nor ignored.
pub(crate) fn facts(line: &[u8]) -> Result<EventFacts, serde_json::Error> {
    let line: Line = serde_json::from_slice(line)?;
    let data = line.event_data.unwrap_or_default();
    let failed = match line.event.as_str() {
        "runner_on_failed" => !line.rescued && data.ignore_errors != true,
        "runner_on_unreachable" => data.ignore_unreachable != true,
        _ => false,
    };
    Ok(EventFacts {
        name: line.event,
        host: data.host.as_str().map(str::to_owned),
        failed,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_is_one_that_was_neither_rescued_nor_ignored() -> Result<(), serde_json::Error> {
        for (event, wanted) in [
            (
                json!({"event": "runner_on_failed", "event_data": {"host": "a", "ignore_errors": null}}),
                true,
            ),
            (
                json!({"event": "runner_on_failed", "event_data": {"host": "a", "ignore_errors": {}}}),
                true,
            ),
            (
                json!({"event": "runner_on_failed", "event_data": {"host": "a", "ignore_errors": true}}),
                false,
            ),
            (
                json!({"event": "runner_on_failed", "rescued": true, "event_data": {"host": "a"}}),
                false,
            ),
            (
                json!({"event": "runner_on_unreachable", "event_data": {"host": "a"}}),
                true,
            ),
            (
                json!({"event": "runner_on_unreachable", "event_data": {"ignore_unreachable": true}}),
                false,
            ),
            (
                json!({"event": "runner_item_on_failed", "event_data": {"host": "a"}}),
                false,
            ),
            (json!({"event": "runner_on_ok", "event_data": {"host": "a"}}), false),
            (json!({"event": "verbose"}), false),
        ] {
            assert_eq!(facts(event.to_string().as_bytes())?.failed, wanted, "{event}");
        }
        Ok(())
    }
}
