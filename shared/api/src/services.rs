//! `GET /api/v1/services`, and trying an operation.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use callboard_core::base::fields::{Faults, Fields};
use callboard_core::request::{OperationView, ServiceList, ServiceView, Variables};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::App;
use crate::audit::Client;
use crate::body::{self, JsonBody};
use crate::params::Params;
use crate::problem::{Kind, Problem};
use crate::submit;
use crate::wire::{Accepted, JobView};

/// The label of jobs that try an operation.
const TEST: &str = "callboard.test";

/// The services that jobs may call.
#[derive(Serialize, ToSchema)]
pub(crate) struct Services {
    /// The revision of the registry. It changes whenever the registry does.
    revision: String,
    /// The services, in the registry's order.
    services: Vec<ServiceView>,
}

/// A call that is tried.
#[derive(ToSchema)]
#[schema(example = json!({"input": {"order": 42}}))]
#[expect(dead_code, reason = "stands for its schema")]
struct TestCall {
    /// What the operation gets.
    input: Option<Variables>,
}

/// Lists the services that jobs may call.
///
/// Each operation has the JSON Schemas of its input and its output. To call one, submit a job with `service`, `operation` and
/// `input`.
#[utoipa::path(
    get,
    path = "/api/v1/services",
    operation_id = "listServices",
    tag = "services",
    responses((status = 200, description = "The services of the registry.", body = Services))
)]
pub(crate) async fn list(State(app): State<App>, params: Params) -> Result<Json<Services>, Problem> {
    params.finish()?;
    let list = registered(&app)?;
    Ok(Json(Services {
        revision: list.revision.clone(),
        services: list.services.clone(),
    }))
}

/// Returns a service.
///
/// It has the JSON Schemas of its operations.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}",
    operation_id = "getService",
    tag = "services",
    params(("service" = String, Path, description = "The name of the service.")),
    responses((status = 200, description = "The service.", body = ServiceView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<ServiceView>, Problem> {
    params.finish()?;
    find(&app, &name).map(Json)
}

/// Returns an operation of a service.
///
/// It has the JSON Schemas of its input and its output.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}/operations/{operation}",
    operation_id = "getOperation",
    tag = "services",
    params(
        ("service" = String, Path, description = "The name of the service."),
        ("operation" = String, Path, description = "The name of the operation."),
    ),
    responses((status = 200, description = "The operation.", body = OperationView))
)]
pub(crate) async fn operation(
    State(app): State<App>,
    Path((service, name)): Path<(String, String)>,
    params: Params,
) -> Result<Json<OperationView>, Problem> {
    params.finish()?;
    find_operation(&app, &service, &name).map(Json)
}

/// Tries an operation.
///
/// The operation is called by a job with the label `callboard.test`, and the request waits for its end,
/// for a limited time.
#[utoipa::path(
    post,
    path = "/api/v1/services/{service}/operations/{operation}/test",
    operation_id = "testOperation",
    tag = "services",
    params(
        ("service" = String, Path, description = "The name of the service."),
        ("operation" = String, Path, description = "The name of the operation."),
    ),
    request_body = Option<TestCall>,
    responses(
        (status = 200, description = "The record of the job, which has ended.", body = JobView, headers(
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
            ("ETag" = String, description = "Identifies the record of a job that has ended. Send it in `If-None-Match`."),
        )),
        (status = 202, description = "The job is still running.", body = Accepted, headers(
            ("Location" = String, description = "The URL of the job's record."),
            ("Link" = String, description = "Links (RFC 8288) to the job's record (`self`), output (`logs`) and events (`events`)."),
        )),
    )
)]
pub(crate) async fn test(
    State(app): State<App>,
    Asking(by): Asking,
    client: Client,
    Path((service, name)): Path<(String, String)>,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    params.finish()?;
    submit::refuse_draining(&app)?;
    find_operation(&app, &service, &name)?;
    let JsonBody { value, room, turn } = body::read_any(&app, &headers, body).await?;
    let mut request =
        json!({"service": service, "operation": name, "options": {"labels": {TEST: "true"}, "max_attempts": 1}});
    if let Some(input) = input(value)? {
        request["input"] = input;
    }
    let body = JsonBody {
        value: request,
        room,
        turn,
    };
    submit::accept(&app, &by, body, Some(client), None).await
}

/// Reads the input of a call that is tried.
fn input(body: Value) -> Result<Option<Value>, Problem> {
    let mut faults = Faults::default();
    if let Some(mut fields) = Fields::of(&body, "", &mut faults) {
        fields.allow("input");
        fields.finish(&mut faults);
    }
    faults.or(()).map_err(Problem::fields)?;
    let Value::Object(mut fields) = body else {
        return Ok(None);
    };
    Ok(fields.remove("input"))
}

fn registered(app: &App) -> Result<Arc<ServiceList>, Problem> {
    let list = app.services.services();
    list.ok_or_else(|| Problem::unavailable("The registry of services cannot be read at the moment; try again later."))
}

fn find(app: &App, name: &str) -> Result<ServiceView, Problem> {
    let list = registered(app)?;
    let found = list.services.iter().find(|service| service.name == name);
    found.cloned().ok_or_else(|| {
        let detail = format!("There is no service {name:?}. GET /api/v1/services lists them.");
        Problem::new(Kind::NoSuchService, detail)
    })
}

fn find_operation(app: &App, service: &str, name: &str) -> Result<OperationView, Problem> {
    let found = find(app, service)?.operations;
    let found = found.into_iter().find(|operation| operation.name == name);
    found.ok_or_else(|| {
        let detail =
            format!("The service {service} has no operation {name:?}. GET /api/v1/services/{service} lists them.");
        Problem::new(Kind::NoSuchOperation, detail)
    })
}
