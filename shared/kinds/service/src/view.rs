//! What the record of a call shows, and its schemas.

use callboard_core::base::object::Object;
use callboard_core::request::{Results, Shown, Told};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::Components;
use utoipa::{OpenApi, ToSchema};

use crate::detail::{CallProgress, Detail};
use crate::event::Event;
use crate::request::{CallOptions, ServiceRequest};

/// A request to call an operation of a service.
#[derive(ToSchema)]
#[schema(as = JobRequest, example = json!({"service": "billing", "operation": "create_invoice", "input": {"order": 42}}))]
#[expect(dead_code, reason = "stands for its schema")]
struct Request {
    /// The name of a service of the registry.
    service: String,
    /// The name of one of its operations.
    operation: String,
    /// What the operation gets: an object that satisfies its `input_schema`.
    #[schema(value_type = Option<callboard_core::request::Variables>)]
    input: Option<Map<String, Value>>,
    /// The options of the call.
    options: Option<CallOptions>,
}

/// The fields that a call adds to a record.
#[derive(Serialize, ToSchema)]
struct RecordPart {
    /// The name of the service.
    service: String,
    /// The name of the operation.
    operation: String,
    /// How the operation is executed: `http`, `shell`, `container` or `function`.
    execution_type: String,
    /// What the operation gets.
    #[schema(value_type = callboard_core::request::Variables)]
    input: Map<String, Value>,
    /// The revision of the registry when the job was submitted.
    registry_revision: String,
    /// How the operation is executed, as the registry said then. Secrets are named, not shown.
    #[schema(value_type = callboard_core::request::Variables)]
    runner_config: Value,
    /// What the execution may do, as the registry said then.
    #[schema(value_type = callboard_core::request::Variables)]
    security_context: Value,
    options: CallOptions,
}

#[derive(OpenApi)]
#[openapi(components(schemas(Request, RecordPart, Detail, CallProgress, CallOptions, Event)))]
struct Schemas;

/// Returns the schemas of requests and of what is shown.
pub(crate) fn schemas() -> Components {
    Schemas::openapi().components.unwrap_or_default()
}

/// Shows a call. A request that a newer release wrote is shown unchanged.
pub(crate) fn show(told: Told<'_>) -> Shown {
    let record = match ServiceRequest::of(told.request) {
        Ok(request) => Object::of(&RecordPart {
            service: request.service,
            operation: request.operation,
            execution_type: request.call.runner_config.execution_type().to_string(),
            input: request.input,
            registry_revision: request.call.registry_revision,
            runner_config: serde_json::to_value(&request.call.runner_config).unwrap_or_default(),
            security_context: serde_json::to_value(&request.call.security_policy).unwrap_or_default(),
            options: request.options,
        }),
        Err(_) => told.request.work.clone(),
    };
    Shown {
        record,
        result: Object::of(&detail(told)),
    }
}

/// Returns what a call has brought about.
pub(crate) fn results(told: Told<'_>) -> Results {
    let detail = detail(told);
    Results {
        output: detail.output,
        output_truncated: detail.output_truncated,
        ..Results::default()
    }
}

fn detail(told: Told<'_>) -> Detail {
    told.detail.and_then(|detail| detail.read().ok()).unwrap_or_default()
}
