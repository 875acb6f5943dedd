//! `/api/v1/credentials`: the credentials that jobs use to log in to hosts. Values can be written but never read.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::base::causes::causes;
use callboard_core::base::fields::Faults;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::{Credential, CredentialSummary, check_name, parse_name};
use callboard_core::job::List;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::credential_schema::{CredentialFields, NewCredential};
use crate::links::{Links, Query};
use crate::params::Params;
use crate::problem::{Kind, Problem};

const PATH: &str = "/api/v1/credentials";

/// The credential name in a path. A text that is not a name is answered like an unknown credential.
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
///
/// Its value is sealed and never shown again. Jobs refer to it by its name.
#[utoipa::path(
    post,
    path = "/api/v1/credentials",
    operation_id = "createCredential",
    tag = "credentials",
    request_body = NewCredential,
    responses(
        (status = 201, description = "It is stored.", body = CredentialSummary, headers(
            ("Location" = String, description = "What is shown of it."),
        )),
    )
)]
pub(crate) async fn create(
    State(app): State<App>,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    params.finish()?;
    let body = body::read(&app, &headers, body).await?;
    let (name, credential) = parse_new(&body.value)?;
    let (tenant, now) = (Tenant::default(), app.clock.now());
    let created = app.credentials.create(&tenant, &name, &credential, now).await;
    let summary = created.map_err(|error| match error {
        StoreError::Conflict => taken(&name),
        other => problem(&name, other),
    })?;
    tracing::info!(credential.name = name, credential.kind = %summary.kind, "a credential is stored");
    let location = [(header::LOCATION, format!("{PATH}/{name}"))];
    Ok((StatusCode::CREATED, location, Json(summary)).into_response())
}

/// Lists the credentials by name.
///
/// What they hold is not shown.
#[utoipa::path(
    get,
    path = "/api/v1/credentials",
    operation_id = "listCredentials",
    tag = "credentials",
    params(
        ("limit" = Option<u32>, Query, description = "At most this many; 20 if absent.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of credentials.", body = CredentialList, headers(
            ("Link" = String, description = "This page (`self`) and the next one (`next`), if there is one; RFC 8288."),
        )),
    )
)]
pub(crate) async fn list(State(app): State<App>, mut params: Params) -> Result<Response, Problem> {
    let tenant = Tenant::default();
    let (limit, list) = (params.limit(), List::Credentials(&tenant));
    let after = params.cursor(|text| String::from_utf8(list.place(text)?).ok());
    params.finish()?;
    let page = app.credentials.list(&tenant, after.as_deref(), limit).await?;
    let last = page.credentials.last().filter(|_| page.has_more);
    let next_cursor = last.map(|last| list.cursor(last.name.as_bytes()));
    let (same, this) = (
        Query::default().with("limit", &limit),
        after.map(|name| list.cursor(name.as_bytes())),
    );
    let next = next_cursor.as_ref().map(|cursor| same.clone().with("cursor", cursor));
    let links = Links::of_page(PATH, &same.with_some("cursor", this), next.as_ref());
    let body = CredentialList {
        credentials: page.credentials,
        limit,
        next_cursor,
    };
    Ok((links, Json(body)).into_response())
}

/// A page of credentials, as far as they are shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialList {
    /// By name.
    credentials: Vec<CredentialSummary>,
    limit: u32,
    /// Leads to the next page; null on the last.
    next_cursor: Option<String>,
}

/// Returns what is shown of a credential.
///
/// That is its name, its kind and its dates.
#[utoipa::path(
    get,
    path = "/api/v1/credentials/{name}",
    operation_id = "getCredential",
    tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.", max_length = 128, pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$")),
    responses(
        (status = 200, description = "What is shown of it.", body = CredentialSummary),
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

/// Gives a credential a new value.
///
/// It is of the same kind. Jobs that start later get the new one.
#[utoipa::path(
    put,
    path = "/api/v1/credentials/{name}",
    operation_id = "rotateCredential",
    tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.", max_length = 128, pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$")),
    request_body = CredentialFields,
    responses(
        (status = 200, description = "It has the new value.", body = CredentialSummary),
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
    let body = body::read(&app, &headers, body).await?;
    let credential = parse_value(&name, &body.value)?;
    let (tenant, now) = (Tenant::default(), app.clock.now());
    let rotated = app.credentials.rotate(&tenant, &name, &credential, now).await;
    let summary = rotated.map_err(|error| match error {
        StoreError::Conflict => other_kind(&name, &credential),
        other => problem(&name, other),
    })?;
    tracing::info!(credential.name = name, credential.kind = %summary.kind, "a credential has a new value");
    Ok(Json(summary))
}

/// Forgets a credential.
///
/// Jobs that name it and have not started fail with `credential_unavailable`.
#[utoipa::path(
    delete,
    path = "/api/v1/credentials/{name}",
    operation_id = "deleteCredential",
    tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.", max_length = 128, pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$")),
    responses(
        (status = 204, description = "It is gone."),
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

/// Parses a credential's new value. The body may repeat the name from the path.
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
        Kind::CredentialExists,
        format!("There is a credential {name:?} already; {how}."),
    )
}

fn other_kind(name: &str, given: &Credential) -> Problem {
    let kind = given.kind();
    let how = "delete it first, or choose another name";
    Problem::new(
        Kind::CredentialKindDiffers,
        format!("The credential {name:?} is not of kind {kind}, and cannot become it; {how}."),
    )
}

fn problem(name: &str, error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::new(Kind::NoSuchCredential, format!("There is no credential {name:?}.")),
        StoreError::Corrupt(_) => {
            tracing::error!(credential.name = name, error = %causes(&error), "what is kept of a credential is damaged");
            let detail = format!("The stored credential {name:?} cannot be read. Delete it, and store it again.");
            Problem::new(Kind::Damaged, detail)
        }
        other => other.into(),
    }
}
