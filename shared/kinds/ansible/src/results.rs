//! What an Ansible job has brought about.

use std::collections::BTreeMap;

use callboard_core::base::object::Object;
use callboard_core::request::{HostResult, Results, Told};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::detail::Detail;
use crate::failures::HostFailure;

/// The event that has what `set_stats` set, and its name.
const STATS: &str = "playbook_on_stats";

#[derive(Deserialize)]
struct Line {
    event: String,
    event_data: Data,
}

#[derive(Deserialize)]
struct Data {
    artifact_data: Map<String, Value>,
}

/// Returns what a job has brought about.
pub(crate) fn results(told: Told<'_>) -> Results {
    let detail: Detail = told.detail.and_then(|detail| detail.read().ok()).unwrap_or_default();
    let first: BTreeMap<&str, &HostFailure> = detail.failures.iter().map(|told| (told.host.as_str(), told)).collect();
    let hosts = detail.stats.unwrap_or_default().into_iter().map(|(name, counts)| {
        let host = HostResult {
            state: counts.state(),
            counts: Object::of(&counts),
            failure: first.get(name.as_str()).map(Object::of),
        };
        (name, host)
    });
    Results {
        output: detail.output.map(Value::Object),
        output_truncated: detail.output_truncated,
        hosts: hosts.collect(),
        failures: detail.failures.iter().map(Object::of).collect(),
        warnings: detail.warnings,
        deprecations: detail.deprecations,
    }
}

/// Returns what `set_stats` set for the run, if the event has it.
pub(crate) fn whole_output(line: &[u8]) -> Option<Value> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let set = line.event_data.artifact_data;
    (line.event == STATS && !set.is_empty()).then_some(Value::Object(set))
}
