//! What the record of an Ansible job shows, and the schemas of it.

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

/// The fields that it adds to a record.
#[derive(Serialize, ToSchema)]
struct RecordPart {
    /// The playbook's path or the role's name; null where `source` holds the playbook itself.
    playbook: Option<String>,
    /// What it runs, where that is not a playbook of the playbooks folder.
    source: Option<TypedSource>,
    /// The commit that runs, where the source is a Git repository.
    commit: Option<String>,
    #[schema(value_type = callboard_core::request::Variables)]
    extra_vars: Map<String, Value>,
    inventory: Inventory,
    /// References to credentials; never their values.
    credentials: Access,
    options: AnsibleOptions,
}

/// The fields that it adds to a record's result.
#[derive(Default, Serialize, ToSchema)]
struct ResultPart {
    /// Exit code of `ansible-playbook`; if a signal ended it, 128 plus the signal's number.
    rc: Option<i32>,
    /// Counts per host: ok, changed, failures, dark, skipped, rescued, ignored, processed.
    #[schema(value_type = Option<BTreeMap<String, HostStats>>)]
    stats: Option<Stats>,
    /// What Ansible made of the inventory.
    inventory: Option<InventorySummary>,
    /// What went wrong, by host, in the order in which it happened; at most 100.
    failures: Vec<HostFailure>,
}

#[derive(OpenApi)]
#[openapi(components(schemas(AnsibleRequest, RecordPart, ResultPart, PlayProgress, Event)))]
struct Schemas;

/// Returns the schemas of what is shown, and of requests.
pub(crate) fn schemas() -> Components {
    Schemas::openapi().components.unwrap_or_default()
}

/// Shows a job. What a newer release wrote is shown as it is.
pub(crate) fn show(told: Told<'_>) -> Shown {
    let detail: Detail = told.detail.and_then(|detail| detail.read().ok()).unwrap_or_default();
    let progress: Option<PlayProgress> = told.progress.and_then(|progress| progress.read().ok());
    let commit = match told.detail {
        Some(_) => detail.commit,
        None => progress.and_then(|progress| progress.commit),
    };
    let mut record = match AnsibleRequest::of(told.request) {
        Ok(request) => Object::of(&RecordPart {
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
        }),
        Err(_) => told.request.work.clone(),
    };
    let result = ResultPart {
        rc: detail.rc,
        stats: detail.stats,
        inventory: detail.inventory,
        failures: detail.failures,
    };
    record.0.entry("options").or_insert_with(|| Value::Object(Map::new()));
    Shown {
        record,
        result: Object::of(&result),
    }
}
