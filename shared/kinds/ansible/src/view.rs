//! What the record of an Ansible job shows, and its schemas.

use callboard_core::base::object::Object;
use callboard_core::request::{Shown, Told};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::Components;
use utoipa::{OpenApi, ToSchema};

use crate::access::Access;
use crate::detail::{Detail, InventorySummary, PlayProgress};
use crate::event::Event;
use crate::failures::HostFailure;
use crate::inventory::Inventory;
use crate::options::AnsibleOptions;
use crate::request::AnsibleRequest;
use crate::source::{Source, TypedSource};
use crate::stats::{HostStats, Stats};

/// The fields that an Ansible job adds to a record.
#[derive(Serialize, ToSchema)]
struct RecordPart {
    /// The path of the playbook or the name of the role; null if `source` contains the playbook itself.
    playbook: Option<String>,
    /// What the job runs, unless that is a playbook of the playbooks folder.
    source: Option<TypedSource>,
    /// The commit that the job runs, if the source is a Git repository.
    commit: Option<String>,
    #[schema(value_type = callboard_core::request::Variables)]
    extra_vars: Map<String, Value>,
    inventory: Inventory,
    /// References to credentials, never their values.
    credentials: Access,
    options: AnsibleOptions,
}

/// The fields that an Ansible job adds to the result of a record.
#[derive(Default, Serialize, ToSchema)]
struct ResultPart {
    /// The exit code of `ansible-playbook`. If a signal ended it, 128 plus the signal number.
    rc: Option<i32>,
    /// Counts per host: ok, changed, failures, dark, skipped, rescued, ignored, processed.
    #[schema(value_type = Option<BTreeMap<String, HostStats>>)]
    stats: Option<Stats>,
    /// What Ansible read from the inventory.
    inventory: Option<InventorySummary>,
    /// The hosts that failed and why, in the order in which they failed; at most 100.
    failures: Vec<HostFailure>,
    /// What the playbook set with `set_stats` for the run; null if it set nothing, or more than the record keeps.
    #[schema(value_type = Option<Object>)]
    output: Option<Map<String, Value>>,
    /// Whether `output` is absent because it is larger than 64 KiB, or nested more than 64 levels deep; `GET /jobs/{job_id}/results` has it.
    output_truncated: bool,
}

#[derive(OpenApi)]
#[openapi(components(schemas(AnsibleRequest, RecordPart, ResultPart, PlayProgress, Event)))]
struct Schemas;

/// Returns the schemas of requests and of what is shown.
pub(crate) fn schemas() -> Components {
    Schemas::openapi().components.unwrap_or_default()
}

impl RecordPart {
    fn new(request: AnsibleRequest, commit: Option<String>) -> Self {
        Self {
            playbook: request.source.name(),
            source: match request.source {
                Source::Playbook(_) => None,
                Source::Typed(source) => Some(source),
            },
            commit,
            extra_vars: request.extra_vars,
            inventory: request.inventory,
            credentials: request.credentials,
            options: request.options,
        }
    }
}

/// Shows a job. A request that a newer release wrote is shown unchanged; for a request that is gone, its title is shown.
pub(crate) fn show(told: Told<'_>) -> Shown {
    let detail: Detail = told.detail.and_then(|detail| detail.read().ok()).unwrap_or_default();
    let progress: Option<PlayProgress> = told.progress.and_then(|progress| progress.read().ok());
    let commit = match told.detail {
        Some(_) => detail.commit,
        None => progress.and_then(|progress| progress.commit),
    };
    let record = match AnsibleRequest::of(told.request) {
        Ok(request) => Object::of(&RecordPart::new(request, commit)),
        Err(_) => {
            let titled = AnsibleRequest {
                source: Source::Playbook(told.request.title.clone().unwrap_or_default()),
                ..AnsibleRequest::default()
            };
            let mut record = Object::of(&RecordPart::new(titled, commit));
            record.0.extend(told.request.work.0.clone());
            record
        }
    };
    let result = ResultPart {
        rc: detail.rc,
        stats: detail.stats,
        inventory: detail.inventory,
        failures: detail.failures,
        output: detail.output,
        output_truncated: detail.output_truncated,
    };
    Shown {
        record,
        result: Object::of(&result),
    }
}

#[cfg(test)]
mod tests {
    use callboard_core::request::JobRequest;
    use serde_json::json;

    use super::*;

    fn record(title: &str, work: Value) -> Result<Object, serde_json::Error> {
        let request = JobRequest {
            title: Some(title.to_owned()),
            work: serde_json::from_value(work)?,
            ..JobRequest::default()
        };
        let told = Told {
            request: &request,
            progress: None,
            left: None,
            detail: None,
        };
        Ok(show(told).record)
    }

    #[test]
    fn a_record_has_all_its_fields_whatever_is_left_of_the_request() -> Result<(), serde_json::Error> {
        let whole = record("site.yml", json!({"playbook": "site.yml"}))?;
        assert_eq!(record("site.yml", json!({}))?, whole);
        let newer = record(
            "site.yml",
            json!({"playbook": "site.yml", "inventory": {"type": "of tomorrow"}}),
        )?;
        assert_eq!(newer.0["inventory"], json!({"type": "of tomorrow"}));
        assert!(newer.0.keys().eq(whole.0.keys()));
        Ok(())
    }
}
