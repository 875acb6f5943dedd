//! The OpenAPI document, made from the handlers.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Callboard",
        description = "Runs Ansible playbooks as jobs: submit one, watch it run, read its output and its record."
    ),
    paths(
        crate::submit::submit,
        crate::jobs::list,
        crate::jobs::get,
        crate::cancel::delete,
        crate::cancel::cancel,
        crate::redrive::redrive,
        crate::logs::logs,
        crate::events::events,
        crate::credentials::create,
        crate::credentials::list,
        crate::credentials::get,
        crate::credentials::rotate,
        crate::credentials::remove,
        crate::health::live,
        crate::health::ready,
    )
)]
struct Document;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    Document::openapi()
        .to_pretty_json()
        .map(|text| text + "\n")
        .unwrap_or_default()
});

/// Returns the OpenAPI document of the API, as JSON; `infra/openapi.json` is a copy of it.
#[must_use]
pub fn document() -> &'static str {
    &DOCUMENT
}

/// `GET /openapi.json`.
pub(crate) async fn serve() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document())
}
