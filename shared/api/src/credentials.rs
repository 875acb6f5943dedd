//! `/api/v1/credentials`: the credentials that jobs use to log in to hosts. Values can be written but never read.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::access::{Action, Requester};
use callboard_core::base::causes::causes;
use callboard_core::base::fields::Faults;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::{Credential, CredentialPage, CredentialSummary, check_name, parse_name};
use callboard_core::job::List;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::App;
use crate::audit::Made;
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
/// The value is encrypted and never returned. Jobs refer to the credential by its name.
#[utoipa::path(
    post,
    path = "/api/v1/credentials",
    operation_id = "createCredential",
    tag = "credentials",
    request_body = NewCredential,
    responses(
        (status = 201, description = "The credential was stored.", body = CredentialSummary, headers(
            ("Location" = String, description = "The URL of the credential."),
        )),
    )
)]
pub(crate) async fn create(
    State(app): State<App>,
    Asking(by): Asking,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    params.finish()?;
    let body = body::read(&app, &headers, body).await?;
    let (name, credential) = parse_new(&body.value)?;
    covers(&by, Action::CredentialsWrite, &name)?;
    let created = app
        .credentials
        .create(by.tenant(), &name, &credential, app.clock.now())
        .await;
    let summary = created.map_err(|error| match error {
        StoreError::Conflict => taken(&name),
        other => problem(&name, other),
    })?;
    tracing::info!(credential.name = name, credential.kind = %summary.kind, "a credential is stored");
    let location = [(header::LOCATION, format!("{PATH}/{name}"))];
    Ok((StatusCode::CREATED, location, Made::of(&name), Json(summary)).into_response())
}

/// Lists credentials, ordered by name.
///
/// Their values are never returned.
#[utoipa::path(
    get,
    path = "/api/v1/credentials",
    operation_id = "listCredentials",
    tag = "credentials",
    params(
        ("limit" = Option<u32>, Query, description = "The maximum number of items to return. Default: 20.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of credentials.", body = CredentialList, headers(
            ("Link" = String, description = "Links (RFC 8288) to this page (`self`) and, if there is one, the next page (`next`)."),
        )),
    )
)]
pub(crate) async fn list(State(app): State<App>, Asking(by): Asking, mut params: Params) -> Result<Response, Problem> {
    let tenant = by.tenant();
    let (limit, list) = (params.limit(), List::Credentials(tenant));
    let after = params.cursor(|text| String::from_utf8(list.place(text)?).ok());
    params.finish()?;
    let page = covered(&app, &by, after.clone(), limit).await?;
    let last = page.credentials.last().filter(|_| page.has_more);
    let last = last.map(|last| last.name.as_str());
    let same = Query::default().with("limit", &limit);
    let (links, next_cursor) = Links::of_texts(PATH, &same, &list, after.as_deref(), last);
    let body = CredentialList {
        credentials: page.credentials,
        limit,
        next_cursor,
    };
    Ok((links, Json(body)).into_response())
}

/// Returns a page of those credentials that the caller may read. Where it begins and ends tells of no other.
async fn covered(
    app: &App,
    by: &Requester,
    mut after: Option<String>,
    limit: u32,
) -> Result<CredentialPage, StoreError> {
    let mut found = Vec::new();
    loop {
        let page = app.credentials.list(by.tenant(), after.as_deref(), limit).await?;
        after = page.credentials.last().map(|last| last.name.clone());
        let may = |found: &CredentialSummary| covers(by, Action::CredentialsRead, &found.name).is_ok();
        found.extend(page.credentials.into_iter().filter(may));
        // one more than the page has tells that more follow
        if !page.has_more || found.len() > limit as usize {
            return Ok(CredentialPage::new(found, limit));
        }
    }
}

/// A page of credentials, without their values.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialList {
    /// The credentials, ordered by name.
    credentials: Vec<CredentialSummary>,
    /// The largest number of items on a page, as requested or by default.
    limit: u32,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Returns a credential without its value.
///
/// The response has its name, its kind and its dates.
#[utoipa::path(
    get,
    path = "/api/v1/credentials/{name}",
    operation_id = "getCredential",
    tag = "credentials",
    params(("name" = String, Path, description = "The name of the credential.", max_length = 128, pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$")),
    responses(
        (status = 200, description = "The credential, without its value.", body = CredentialSummary),
    )
)]
pub(crate) async fn get(
    State(app): State<App>,
    Asking(by): Asking,
    PathName(name): PathName,
    params: Params,
) -> Result<Json<CredentialSummary>, Problem> {
    params.finish()?;
    covers(&by, Action::CredentialsRead, &name)?;
    let found = app.credentials.describe(by.tenant(), &name).await;
    found.map(Json).map_err(|error| problem(&name, error))
}

/// Replaces the value of a credential.
///
/// The new value must be of the same kind. Jobs that start later use it.
#[utoipa::path(
    put,
    path = "/api/v1/credentials/{name}",
    operation_id = "rotateCredential",
    tag = "credentials",
    params(("name" = String, Path, description = "The name of the credential.", max_length = 128, pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$")),
    request_body = CredentialFields,
    responses(
        (status = 200, description = "The credential has the new value.", body = CredentialSummary),
    )
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    Asking(by): Asking,
    PathName(name): PathName,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CredentialSummary>, Problem> {
    params.finish()?;
    covers(&by, Action::CredentialsWrite, &name)?;
    let body = body::read(&app, &headers, body).await?;
    let credential = parse_value(&name, &body.value)?;
    let now = app.clock.now();
    let rotated = app.credentials.rotate(by.tenant(), &name, &credential, now).await;
    let summary = rotated.map_err(|error| match error {
        StoreError::Conflict => other_kind(&name, &credential),
        other => problem(&name, other),
    })?;
    tracing::info!(credential.name = name, credential.kind = %summary.kind, "a credential has a new value");
    Ok(Json(summary))
}

/// Deletes a credential.
///
/// Jobs that use it and have not started yet fail with `credential_unavailable`.
#[utoipa::path(
    delete,
    path = "/api/v1/credentials/{name}",
    operation_id = "deleteCredential",
    tag = "credentials",
    params(("name" = String, Path, description = "The name of the credential.", max_length = 128, pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$")),
    responses(
        (status = 204, description = "The credential was deleted."),
    )
)]
pub(crate) async fn remove(
    State(app): State<App>,
    Asking(by): Asking,
    PathName(name): PathName,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.finish()?;
    covers(&by, Action::CredentialsWrite, &name)?;
    let removed = app.credentials.remove(by.tenant(), &name).await;
    removed.map_err(|error| problem(&name, error))?;
    tracing::info!(credential.name = name, "a credential is removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Checks that the caller may do something with a credential of some name.
fn covers(by: &Requester, action: Action, name: &str) -> Result<(), Problem> {
    let covers = by.caller.may_with_credential(action, name);
    covers.map_err(Problem::forbidden)
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
        format!("The credential {name:?} is not of kind {kind}, and its kind cannot be changed; {how}."),
    )
}

fn problem(name: &str, error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::new(Kind::NoSuchCredential, format!("There is no credential {name:?}.")),
        StoreError::Corrupt(_) => {
            tracing::error!(credential.name = name, error = %causes(&error), "a stored credential is damaged");
            let detail = format!("The stored credential {name:?} cannot be read. Delete it, and store it again.");
            Problem::new(Kind::Damaged, detail)
        }
        other => other.into(),
    }
}
