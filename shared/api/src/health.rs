//! `/health/live` and `/health/ready`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// Shows that the process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Liveness {
    status: Well,
}

/// Whether the service is ready, and what was checked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    status: ServiceState,
    /// The result of each check by its name, such as `store`.
    checks: BTreeMap<&'static str, Check>,
}

/// The state of a live process.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Well {
    /// It answers.
    Ok,
}

/// Whether jobs can be accepted and run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServiceState {
    /// They can.
    Ready,
    /// The service is shutting down.
    Draining,
    /// Something that they need is missing.
    Unavailable,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    status: CheckStatus,
    /// What is wrong, in a sentence; null if the check passed.
    error: Option<String>,
}

/// Whether a check passed.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckStatus {
    /// It is.
    Ok,
    /// It is not.
    Failing,
}

/// Reports that the process is alive.
///
/// Does not contact the stores.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "getLiveness",
    tag = "health",
    responses(
        (status = 200, description = "The process is alive.", body = Liveness),
    )
)]
pub(crate) async fn live() -> Json<Liveness> {
    Json(Liveness { status: Well::Ok })
}

/// Reports whether jobs can be accepted and run.
///
/// Checks the stores, and on a single machine also the Ansible host process.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "getReadiness",
    tag = "health",
    responses(
        (status = 200, description = "Everything that jobs need is available.", body = Readiness),
        (status = 503, description = "Something that jobs need is unavailable, or the service is shutting down.", body = Readiness),
    )
)]
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let checks = app.health.check().await;
    let well = checks.iter().all(|check| check.fault.is_none());
    let status = match (app.health.is_draining(), well) {
        (true, _) => ServiceState::Draining,
        (false, true) => ServiceState::Ready,
        (false, false) => ServiceState::Unavailable,
    };
    let code = match status {
        ServiceState::Ready => StatusCode::OK,
        ServiceState::Draining | ServiceState::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    let checks = checks.into_iter().map(|check| (check.name, Check::from(check.fault)));
    let readiness = Readiness {
        status,
        checks: checks.collect(),
    };
    (code, Json(readiness)).into_response()
}

impl From<Option<String>> for Check {
    fn from(error: Option<String>) -> Self {
        let status = match error {
            None => CheckStatus::Ok,
            Some(_) => CheckStatus::Failing,
        };
        Self { status, error }
    }
}
