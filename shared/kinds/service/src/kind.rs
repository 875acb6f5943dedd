//! The kind `service`: calls of registered operations.

use std::sync::Arc;

use callboard_core::access::{Use, Uses};
use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::object::Object;
use callboard_core::policy::Policy;
use callboard_core::request::{Again, EventFacts, Kind, Lane, Reason, Results, Shown, Told, Work};
use serde_json::{Value, json};
use utoipa::openapi::Components;

use crate::detail::REASONS;
use crate::event;
use crate::execution_type::ExecutionType;
use crate::in_force::InForce;
use crate::request::{Call, ServiceRequest};
use crate::view;

/// The kind's own name, which only refused requests have; others have the name of their execution type.
pub const NAME: &str = "service";
/// How many characters of a name are kept if a request is refused.
const MAX_TITLE_CHARS: usize = 200;
/// How often a job may be started.
const MAX_ATTEMPTS: u32 = 10;
const UNREAD: &str =
    "The registry of services cannot be read at the moment, so that no service can be called; try again later.";

/// Calls of services.
pub struct Services {
    registry: Arc<InForce>,
    every: Arc<Policy>,
    containers: Lane,
}

impl Services {
    /// Makes the kind from the registry in force and from what the operator allows every job.
    #[must_use]
    pub fn new(registry: Arc<InForce>, every: Arc<Policy>) -> Self {
        Self {
            registry,
            every,
            containers: ExecutionType::Container.lane(),
        }
    }

    /// Has other workers take the jobs of containers: those that wait for answers, where containers run as tasks elsewhere.
    #[must_use]
    pub fn with_containers_in(self, containers: Lane) -> Self {
        Self { containers, ..self }
    }

    fn lane(&self, kind: ExecutionType) -> Lane {
        match kind {
            ExecutionType::Container => self.containers,
            other => other.lane(),
        }
    }
}

const SUBJECT: &str = "service";
/// What requests use, as scopes have it: an operation, `SERVICE/OPERATION`.
pub const SUBJECTS: &[&str] = &[SUBJECT];

/// Returns how often a job may be started that does not say so itself, if more than once does no harm.
fn max_attempts(call: &Call) -> Option<u32> {
    let retries = call.retry.max_retries.saturating_add(1).min(MAX_ATTEMPTS);
    call.may_be_started_again().then_some(retries)
}

impl Kind for Services {
    fn name(&self) -> &'static str {
        NAME
    }

    fn names(&self) -> Vec<&'static str> {
        vec![NAME, "http", "shell", "container", "function"]
    }

    fn markers(&self) -> &'static [&'static str] {
        &["service"]
    }

    fn lacking(&self) -> Option<&'static str> {
        self.registry.is_unread().then_some(UNREAD)
    }

    fn read(&self, fields: &mut Fields<'_>, options: &mut Fields<'_>, faults: &mut Faults) -> Option<Work> {
        let registry = self.registry.current();
        let request = ServiceRequest::read(fields, options, &registry, faults)?;
        if faults.count() == 0 {
            let secrets = request
                .call
                .with_fallbacks()
                .flat_map(|call| call.runner_config.secrets());
            for (credential, _) in secrets {
                self.every.check_reference(credential, "/operation", faults);
            }
        }
        Some(Work {
            title: Some(format!("{}/{}", request.service, request.operation)),
            // the registry, and no caller, says with which credentials a service is called
            uses: Uses(vec![Use {
                subject: SUBJECT,
                name: Some(format!("{}/{}", request.service, request.operation)),
                pointer: "/operation".to_owned(),
                ..Use::default()
            }]),
            secrets: request.credential_uses(),
            kind: Some(request.call.runner_config.execution_type().as_str()),
            lane: self.lane(request.call.runner_config.execution_type()),
            max_attempts: max_attempts(&request.call),
            body: Object::of(&request),
            missing: None,
        })
    }

    fn subjects(&self) -> &'static [&'static str] {
        SUBJECTS
    }

    fn again(&self, told: Told<'_>, _changes: &mut Fields<'_>, _faults: &mut Faults) -> Again {
        // what the registry says of the operation by now is what the new job does
        let mut body = told.request.work.clone();
        let call = body
            .0
            .shift_remove("call")
            .and_then(|call| serde_json::from_value(call).ok());
        let set = call.as_ref().and_then(max_attempts);
        Again {
            body,
            sets_max_attempts: set == told.request.options.max_attempts,
            note: None,
        }
    }

    fn outline(&self, title: Option<&str>) -> Object {
        let (service, operation) = title.and_then(|title| title.split_once('/')).unwrap_or_default();
        Object::of(&json!({"service": service, "operation": operation}))
    }

    fn title_of(&self, body: &Value) -> Option<String> {
        let (service, operation) = (
            body["service"].as_str()?,
            body["operation"].as_str().unwrap_or_default(),
        );
        Some(format!("{service}/{operation}").chars().take(MAX_TITLE_CHARS).collect())
    }

    fn show(&self, told: Told<'_>) -> Shown {
        view::show(told)
    }

    fn results(&self, told: Told<'_>) -> Results {
        view::results(told)
    }

    fn reasons(&self) -> &'static [Reason] {
        REASONS
    }

    fn event_names(&self) -> &'static [&'static str] {
        &event::NAMES
    }

    fn event(&self, line: &[u8]) -> Result<EventFacts, serde_json::Error> {
        event::facts(line)
    }

    fn schemas(&self) -> Components {
        view::schemas()
    }
}

#[cfg(test)]
mod tests;
