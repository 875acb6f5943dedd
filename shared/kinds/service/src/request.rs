//! A request to call an operation of a service, with what the registry said of it then.

use std::time::Duration;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::object::Object;
use callboard_core::credential::CredentialUse;
use callboard_core::request::{JobRequest, Reason};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::config::RunnerConfig;
use crate::operation::Operation;
use crate::registry::Registry;
use crate::retry::Retry;
use crate::security::SecurityPolicy;
use crate::service::{CircuitBreaker, Service};

const MAX_NAME_BYTES: usize = 255;

/// A request to call an operation of a service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRequest {
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// What the operation gets.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub input: Map<String, Value>,
    /// The options that only calls have.
    #[serde(default, skip_serializing_if = "CallOptions::is_empty")]
    pub options: CallOptions,
    /// What the registry said of the operation when the job was submitted, so that every attempt does the same.
    pub call: Call,
}

/// The options that only calls of services have.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = Options)]
#[serde(default, deny_unknown_fields)]
pub struct CallOptions {
    /// What the call belongs to, such as an order. It is shown, and sent to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub correlation_id: Option<String>,
    /// The sort of thing that the call is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub entity_type: Option<String>,
    /// The key of that thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub entity_pk: Option<String>,
}

/// An operation as it was when a job was submitted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The registry's revision.
    pub registry_revision: String,
    /// How it is executed.
    pub runner_config: RunnerConfig,
    /// What it may do.
    pub security_policy: SecurityPolicy,
    /// The time limit of one try, in seconds.
    pub timeout: u64,
    /// How often it is tried again, and when.
    pub retry: Retry,
    /// Whether doing it twice is the same as doing it once.
    pub idempotent: bool,
    /// What its output must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// When the service is not called because it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// What is called instead if it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Box<FallbackCall>>,
}

/// An operation that stands in for another, as it was when a job was submitted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackCall {
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// What the registry said of it.
    pub call: Call,
}

impl FallbackCall {
    /// Returns its name, as lists show it.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}/{}", self.service, self.operation)
    }
}

impl ServiceRequest {
    /// Reads a request, and resolves its operation in a registry.
    pub(crate) fn read(
        fields: &mut Fields<'_>,
        options: &mut Fields<'_>,
        registry: &Registry,
        faults: &mut Faults,
    ) -> Option<Self> {
        let service = fields.required_line("service", MAX_NAME_BYTES, faults);
        let operation = fields.required_line("operation", MAX_NAME_BYTES, faults);
        let none = Map::new();
        let input = match fields.get("input") {
            None => Some(&none),
            Some(_) => fields.object("input", faults),
        };
        let own = CallOptions::read(options, faults);
        let (service, operation) = find(registry, service?, operation?, faults)?;
        let input = input?;
        check_input(operation, input, "", faults);
        let mut next = fallback_of(registry, operation);
        while let Some((service, operation)) = next {
            let whose = format!("the fallback {}/{}: ", service.name, operation.name);
            check_input(operation, input, &whose, faults);
            next = fallback_of(registry, operation);
        }
        let call = Call::of(registry, service, operation);
        let attempts = options.get("max_attempts").and_then(Value::as_u64);
        if attempts.is_some_and(|attempts| attempts > 1) && !call.may_be_started_again() {
            faults.add(
                options.pointer("max_attempts"),
                format!(
                    "must be 1: {}/{}, or what stands in for it, is not idempotent, so it is not started again",
                    service.name, operation.name
                ),
            );
        }
        Some(Self {
            service: service.name.clone(),
            operation: operation.name.clone(),
            input: input.clone(),
            options: own,
            call,
        })
    }

    /// Reads the work of a recorded request.
    ///
    /// # Errors
    /// A newer release wrote it, and this release does not know everything in it.
    pub fn of_work(work: Object) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::Object(work.0))
    }

    /// Reads a recorded request.
    ///
    /// # Errors
    /// As for [`ServiceRequest::of_work`].
    pub fn of(request: &JobRequest) -> Result<Self, serde_json::Error> {
        request.work.read()
    }

    /// Returns the stored credentials that the call needs.
    pub(crate) fn credential_uses(&self) -> Vec<CredentialUse> {
        let mut uses = Vec::new();
        for call in self.call.with_fallbacks() {
            for (credential, kinds) in call.runner_config.secrets() {
                credential.uses("/operation", kinds, &mut uses);
            }
        }
        uses
    }
}

impl CallOptions {
    /// Returns whether no option is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let mut line = |name| fields.line(name, MAX_NAME_BYTES, faults).map(str::to_owned);
        Self {
            correlation_id: line("correlation_id"),
            entity_type: line("entity_type"),
            entity_pk: line("entity_pk"),
        }
    }
}

impl Call {
    /// Returns whether the job may be started again if its worker is lost: the call and those that stand in for it are idempotent.
    pub(crate) fn may_be_started_again(&self) -> bool {
        self.with_fallbacks().all(|call| call.idempotent)
    }

    /// Returns the call and those that stand in for it, in this order.
    pub(crate) fn with_fallbacks(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |call| {
            call.fallback.as_deref().map(|fallback| &fallback.call)
        })
    }

    /// Returns after which pause a call that failed for a passing reason is tried again; `None` if it is not. `begun` says whether
    /// its effect may have happened, and `asked` what the service asks to wait.
    #[must_use]
    pub fn again(&self, retries: u32, reason: &Reason, begun: bool, asked: Option<Duration>) -> Option<Duration> {
        let retry = &self.retry;
        let may = retries < retry.max_retries
            && (self.idempotent || !begun)
            && !retry.non_retryable.iter().any(|known| known == reason.as_str());
        may.then(|| retry.pause(retries + 1, asked))
    }

    fn of(registry: &Registry, service: &Service, operation: &Operation) -> Self {
        Self {
            registry_revision: registry.revision.clone(),
            runner_config: operation.runner_config.clone(),
            security_policy: service.security_policy.clone(),
            timeout: operation.timeout,
            retry: operation.retry.clone(),
            idempotent: operation.idempotent,
            output_schema: operation.output_schema.as_ref().map(|schema| schema.text().clone()),
            circuit_breaker: service.circuit_breaker,
            fallback: fallback_of(registry, operation).map(|(service, operation)| {
                Box::new(FallbackCall {
                    service: service.name.clone(),
                    operation: operation.name.clone(),
                    call: Self::of(registry, service, operation),
                })
            }),
        }
    }
}

/// Finds an operation; what is not there is a fault that names what is.
fn find<'a>(
    registry: &'a Registry,
    service: &str,
    operation: &str,
    faults: &mut Faults,
) -> Option<(&'a Service, &'a Operation)> {
    let Some(found) = registry.service(service) else {
        let names = registry.services.iter().map(|service| service.name.as_str());
        let known = known(names, "no service is registered");
        faults.add(
            "/service",
            format!("is not the name of a service ({service:?}); {known}"),
        );
        return None;
    };
    let Some(operation) = found.operation(operation) else {
        let names = found.operations.iter().map(|operation| operation.name.as_str());
        let known = known(names, "it has no operation");
        faults.add(
            "/operation",
            format!("is not an operation of {service} ({operation:?}); {known}"),
        );
        return None;
    };
    Some((found, operation))
}

fn known<'a>(names: impl Iterator<Item = &'a str>, none: &str) -> String {
    const MOST: usize = 20;
    let names: Vec<&str> = names.collect();
    match names.len() {
        0 => none.to_owned(),
        many if many > MOST => format!("known are {} and {} more", names[..MOST].join(", "), many - MOST),
        _ => format!("known are {}", names.join(", ")),
    }
}

/// Returns the operation that stands in for another one. The registry leads to none a second time.
fn fallback_of<'a>(registry: &'a Registry, operation: &Operation) -> Option<(&'a Service, &'a Operation)> {
    let fallback = operation.fallback.as_ref()?;
    registry.operation(&fallback.service, &fallback.operation)
}

/// The input must satisfy the schema, and have every field that the call is made of. `whose` tells of which operation, where it is not
/// the one that the request names.
fn check_input(operation: &Operation, input: &Map<String, Value>, whose: &str, faults: &mut Faults) {
    let mut found = Faults::default();
    if let Some(schema) = &operation.input_schema {
        schema.check(&Value::Object(input.clone()), "/input", &mut found);
    }
    if found.count() == 0 {
        for field in operation.runner_config.input_fields() {
            check_field(field, input.get(field), &mut found);
        }
        operation.runner_config.check_input(input, &mut found);
    }
    for fault in found.into_inner() {
        faults.add(fault.pointer, format!("{whose}{}", fault.detail));
    }
}

fn check_field(field: &str, value: Option<&Value>, faults: &mut Faults) {
    let pointer = format!("/input/{field}");
    match value {
        Some(Value::String(text)) if text.contains('\0') => faults.add(pointer, "must not hold NUL"),
        Some(Value::String(_) | Value::Number(_) | Value::Bool(_)) => {}
        Some(_) => faults.add(pointer, "must be a string, a number or a boolean"),
        None => faults.add(pointer, "is missing"),
    }
}
