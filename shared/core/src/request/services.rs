//! The registered services that jobs may call, as callers see them.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A service that jobs may call.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Service)]
pub struct ServiceView {
    /// The name of the service.
    pub name: String,
    /// What the service is.
    pub description: Option<String>,
    /// What sort of service it is, in the operator's words.
    pub r#type: Option<String>,
    /// What it belongs to, in the operator's words.
    pub category: Option<String>,
    /// How its operations are executed. It is also the kind of their jobs.
    #[schema(value_type = String, example = "http")]
    pub execution_type: &'static str,
    /// What it can be asked to do.
    pub operations: Vec<OperationView>,
}

/// What a service can be asked to do.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Operation)]
pub struct OperationView {
    /// The name of the operation.
    pub name: String,
    /// What the operation does.
    pub description: Option<String>,
    /// The JSON Schema (2020-12) of its input; null if anything may be given.
    #[schema(value_type = Option<Object>)]
    pub input_schema: Option<Value>,
    /// The JSON Schema of its output; null if it may be anything.
    #[schema(value_type = Option<Object>)]
    pub output_schema: Option<Value>,
    /// The time limit of one attempt, in seconds.
    pub timeout: u64,
    /// How often an attempt that failed for a passing reason is repeated.
    pub max_retries: u32,
    /// Whether doing it twice is the same as doing it once.
    pub idempotent: bool,
}

/// The services that are registered now.
#[derive(Clone, Debug, Default)]
pub struct ServiceList {
    /// The revision of the registry.
    pub revision: String,
    /// The services, in the registry's order.
    pub services: Vec<ServiceView>,
}

/// The port to the registered services, which may change while the program runs.
pub trait ServiceCatalog: Send + Sync {
    /// Returns the services that are registered now; `None` if the registry could not be read so far.
    fn services(&self) -> Option<Arc<ServiceList>>;
}
