//! `/api/v1/credentials`: what jobs get at hosts with. A value goes in and never comes out.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::credential::{Credential, CredentialSummary, parse_name};
use callboard_core::fields::Faults;
use callboard_core::id::Tenant;
use callboard_core::ports::StoreError;
use callboard_core::reference::check_name;
use serde_json::Value;

use crate::app::App;
use crate::body;
use crate::credential_schema::{CredentialFields, NewCredential};
use crate::params::Params;
use crate::problem::Problem;
use crate::wire::CredentialList;

/// The name of a path; what is no name names no credential.
pub(crate) struct PathName(String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = name.map_err(|_| problem("", StoreError::NotFound))?;
        if check_name(&name, "", &mut Faults::default()) {
            Ok(Self(name))
        } else {
            Err(problem(&name, StoreError::NotFound))
        }
    }
}

/// Stores a credential.
#[utoipa::path(
    post,
    path = "/api/v1/credentials",
    tag = "credentials",
    request_body = NewCredential,
    responses(
        (status = 201, description = "It is stored; `Location` leads to what is shown of it.", body = CredentialSummary),
        (status = 400, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is a credential of that name.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong; each is named.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Try again later.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    State(app): State<App>,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    params.finish()?;
    let body = body::read(&headers, body, app.settings.max_body_bytes).await?;
    let (name, credential) = parse_new(&body)?;
    let (tenant, now) = (Tenant::default(), app.clock.now());
    let created = app.credentials.create(&tenant, &name, &credential, now).await;
    let summary = created.map_err(|error| match error {
        StoreError::Conflict => taken(&name),
        other => problem(&name, other),
    })?;
    tracing::info!(credential.name = name, credential.kind = %summary.kind, "a credential is stored");
    let location = [(header::LOCATION, format!("/api/v1/credentials/{name}"))];
    Ok((StatusCode::CREATED, location, Json(summary)).into_response())
}

/// Lists the credentials by name; never what they hold.
#[utoipa::path(
    get,
    path = "/api/v1/credentials",
    tag = "credentials",
    responses((status = 200, description = "All of them.", body = CredentialList))
)]
pub(crate) async fn list(State(app): State<App>, params: Params) -> Result<Json<CredentialList>, Problem> {
    params.finish()?;
    let credentials = app.credentials.list(&Tenant::default()).await?;
    Ok(Json(CredentialList { credentials }))
}

/// Returns name, kind and dates of a credential.
#[utoipa::path(
    get,
    path = "/api/v1/credentials/{name}",
    tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.")),
    responses(
        (status = 200, description = "What is shown of it.", body = CredentialSummary),
        (status = 404, description = "There is no such credential.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    PathName(name): PathName,
    params: Params,
) -> Result<Json<CredentialSummary>, Problem> {
    params.finish()?;
    let found = app.credentials.describe(&Tenant::default(), &name).await;
    found.map(Json).map_err(|error| problem(&name, error))
}

/// Gives a credential a new value of the same kind. Jobs that start later get that one.
#[utoipa::path(
    put,
    path = "/api/v1/credentials/{name}",
    tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.")),
    request_body = CredentialFields,
    responses(
        (status = 200, description = "It has the new value.", body = CredentialSummary),
        (status = 400, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such credential.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The credential is of another kind.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong; each is named.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Try again later.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    PathName(name): PathName,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CredentialSummary>, Problem> {
    params.finish()?;
    let body = body::read(&headers, body, app.settings.max_body_bytes).await?;
    let credential = parse_value(&name, &body)?;
    let (tenant, now) = (Tenant::default(), app.clock.now());
    let rotated = app.credentials.rotate(&tenant, &name, &credential, now).await;
    let summary = rotated.map_err(|error| match error {
        StoreError::Conflict => other_kind(&name, &credential),
        other => problem(&name, other),
    })?;
    tracing::info!(credential.name = name, credential.kind = %summary.kind, "a credential has a new value");
    Ok(Json(summary))
}

/// Forgets a credential. Jobs that name it and have not started fail with `credential_unavailable`.
#[utoipa::path(
    delete,
    path = "/api/v1/credentials/{name}",
    tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such credential.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn remove(
    State(app): State<App>,
    PathName(name): PathName,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.finish()?;
    let removed = app.credentials.remove(&Tenant::default(), &name).await;
    removed.map_err(|error| problem(&name, error))?;
    tracing::info!(credential.name = name, "a credential is removed");
    Ok(StatusCode::NO_CONTENT)
}

fn parse_new(body: &Value) -> Result<(String, Credential), Problem> {
    let mut faults = Faults::default();
    let name = body.is_object().then(|| parse_name(body, &mut faults)).flatten();
    let credential = Credential::parse(body, &mut faults);
    complete(name.zip(credential), faults)
}

/// A body may repeat the name that is in the path.
fn parse_value(name: &str, body: &Value) -> Result<Credential, Problem> {
    let mut faults = Faults::default();
    if body.get("name").is_some_and(|other| other != name) {
        faults.add("/name", "is not the name in the path; a credential keeps its name");
    }
    let credential = Credential::parse(body, &mut faults);
    complete(credential, faults)
}

fn complete<T>(parsed: Option<T>, faults: Faults) -> Result<T, Problem> {
    let parsed = faults.or(parsed).map_err(Problem::fields)?;
    parsed.ok_or_else(Problem::internal)
}

fn taken(name: &str) -> Problem {
    let how = format!("PUT to /api/v1/credentials/{name} gives it a new value");
    Problem::new(
        StatusCode::CONFLICT,
        format!("There is a credential {name:?} already; {how}."),
    )
}

fn other_kind(name: &str, given: &Credential) -> Problem {
    let kind = given.kind();
    let how = "delete it first, or choose another name";
    Problem::new(
        StatusCode::CONFLICT,
        format!("The credential {name:?} is not of kind {kind}, and cannot become it; {how}."),
    )
}

fn problem(name: &str, error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::new(StatusCode::NOT_FOUND, format!("There is no credential {name:?}.")),
        other => other.into(),
    }
}
