//! `/health/live` and `/health/ready`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// Whether the service can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`, `draining` while it shuts down, or `unavailable`.
    status: &'static str,
    /// `ok`, or what is wrong, for each thing that was checked.
    #[schema(value_type = Object)]
    checks: BTreeMap<&'static str, String>,
}

/// Answers as long as the process lives.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, description = "The process lives.")))]
pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "ok"}))
}

/// Tells whether jobs can be taken and run.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "Everything that a job needs is there.", body = Readiness),
        (status = 503, description = "Something is missing, or the service is shutting down.", body = Readiness),
    )
)]
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let checks = app.health.check().await;
    let well = checks.iter().all(|check| check.fault.is_none());
    let status = match (app.health.is_draining(), well) {
        (true, _) => "draining",
        (false, true) => "ready",
        (false, false) => "unavailable",
    };
    let code = if status == "ready" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let checks = checks
        .into_iter()
        .map(|check| (check.name, check.fault.unwrap_or_else(|| "ok".to_owned())));
    (
        code,
        Json(Readiness {
            status,
            checks: checks.collect(),
        }),
    )
        .into_response()
}
