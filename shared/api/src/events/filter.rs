//! Which events a request wants.

use std::collections::BTreeSet;

use callboard_core::event::EVENT_KINDS;
use callboard_core::ports::StoreError;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::links::Query;
use crate::params::Params;

/// One kind of event, or several with commas between them.
#[derive(ToSchema)]
#[schema(
    pattern = "^(debug|deprecated|error|playbook_on_import_for_host|playbook_on_include|playbook_on_no_hosts_matched|playbook_on_no_hosts_remaining|playbook_on_not_import_for_host|playbook_on_notify|playbook_on_play_start|playbook_on_setup|playbook_on_start|playbook_on_stats|playbook_on_task_start|playbook_on_vars_prompt|runner_item_on_failed|runner_item_on_ok|runner_item_on_skipped|runner_on_async_failed|runner_on_async_ok|runner_on_async_poll|runner_on_failed|runner_on_file_diff|runner_on_no_hosts|runner_on_ok|runner_on_skipped|runner_on_start|runner_on_unreachable|runner_retry|system_warning|verbose|warning)(,(debug|deprecated|error|playbook_on_import_for_host|playbook_on_include|playbook_on_no_hosts_matched|playbook_on_no_hosts_remaining|playbook_on_not_import_for_host|playbook_on_notify|playbook_on_play_start|playbook_on_setup|playbook_on_start|playbook_on_stats|playbook_on_task_start|playbook_on_vars_prompt|runner_item_on_failed|runner_item_on_ok|runner_item_on_skipped|runner_on_async_failed|runner_on_async_ok|runner_on_async_poll|runner_on_failed|runner_on_file_diff|runner_on_no_hosts|runner_on_ok|runner_on_skipped|runner_on_start|runner_on_unreachable|runner_retry|system_warning|verbose|warning))*$",
    example = "runner_on_failed"
)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) struct EventNames(String);

/// What an event must be; without anything set, any is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Filter {
    /// One of these kinds, unless there are none.
    names: BTreeSet<String>,
    /// Of this host.
    host: Option<String>,
    /// A failure that was neither rescued nor ignored.
    failed: bool,
}

/// What of a stored event tells whether it is wanted.
#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    rescued: bool,
    #[serde(default)]
    event_data: Option<Data>,
}

/// Where an event was too large, a value may be another one than ansible-runner's.
#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    host: Value,
    #[serde(default)]
    ignore_errors: Value,
    #[serde(default)]
    ignore_unreachable: Value,
}

impl Filter {
    /// Takes the parameters `event`, `host` and `failed`.
    pub(super) fn take(params: &mut Params) -> Self {
        let filter = Self {
            names: params.texts("event"),
            host: params.text("host"),
            failed: params.boolean("failed"),
        };
        let unknown = filter.names.iter().find(|name| !EVENT_KINDS.contains(&name.as_str()));
        if let Some(name) = unknown.filter(|name| !name.is_empty()) {
            params.refuse("event", format!("{name:?} is none of {}", EVENT_KINDS.join(", ")));
        }
        if filter.host.as_deref() == Some("") {
            params.refuse("host", "must not be empty");
        }
        filter
    }

    /// Tells whether every event is wanted.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether an event is wanted, as it is stored.
    pub(super) fn wants(&self, line: &[u8]) -> Result<bool, StoreError> {
        if self.is_empty() {
            return Ok(true);
        }
        let line: Line = serde_json::from_slice(line).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        let of_host = |host: &String| line.event_data.as_ref().is_some_and(|data| data.host == host.as_str());
        Ok((self.names.is_empty() || self.names.contains(&line.event))
            && self.host.as_ref().is_none_or(of_host)
            && (!self.failed || line.is_failed()))
    }

    /// Adds the parameters to a query.
    pub(super) fn write(&self, query: Query) -> Query {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let names = Some(names.join(",")).filter(|names| !names.is_empty());
        let query = query.with_some("event", names).with_some("host", self.host.as_ref());
        query.with_some("failed", self.failed.then_some(true))
    }
}

impl Line {
    fn is_failed(&self) -> bool {
        let is_set = |value: fn(&Data) -> &Value| self.event_data.as_ref().is_some_and(|data| *value(data) == true);
        match self.event.as_str() {
            "runner_on_failed" => !self.rescued && !is_set(|data| &data.ignore_errors),
            "runner_on_unreachable" => !is_set(|data| &data.ignore_unreachable),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_is_one_that_was_neither_rescued_nor_ignored() -> Result<(), StoreError> {
        let failed = Filter {
            failed: true,
            ..Filter::default()
        };
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
            assert_eq!(failed.wants(event.to_string().as_bytes())?, wanted, "{event}");
        }
        Ok(())
    }
}
