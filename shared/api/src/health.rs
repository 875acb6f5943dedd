//! `/health/live` and `/health/ready`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// That the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Liveness {
    status: Well,
}

/// Whether the service can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    status: ServiceState,
    /// Each thing that was checked, such as `store`.
    checks: BTreeMap<&'static str, Check>,
}

/// The state of a process that lives.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Well {
    /// It answers.
    Ok,
}

/// Whether jobs can be taken and run.
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

/// What was found of one thing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    status: CheckStatus,
    /// What is wrong, in a sentence.
    error: Option<String>,
}

/// Whether a thing is as it should be.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckStatus {
    /// It is.
    Ok,
    /// It is not.
    Failing,
}

/// Tells that the process lives.
///
/// It asks nothing of the stores.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "getLiveness",
    tag = "health",
    responses(
        (status = 200, description = "The process lives.", body = Liveness),
    )
)]
pub(crate) async fn live() -> Json<Liveness> {
    Json(Liveness { status: Well::Ok })
}

/// Tells whether jobs can be taken and run.
///
/// It asks the stores, and on one machine the Ansible host as well.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "getReadiness",
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
