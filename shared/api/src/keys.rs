//! `/api/v1/keys`: API keys. The key itself is in the answer that makes it, and nowhere else.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use callboard_core::access::keys::{self, KeyError, NewKey};
use callboard_core::access::{ApiKey, KeyId, KeyKind};
use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::secret::Secret;
use callboard_core::base::sentence::sentence;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::List;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::App;
use crate::audit::Made;
use crate::body;
use crate::links::{Links, Query};
use crate::params::Params;
use crate::problem::{Kind, Problem};

const PATH: &str = "/api/v1/keys";
const MAX_OVERLAP_BYTES: usize = 16;

/// An API key. Only the answer that makes or rotates it has the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyView {
    /// The key, to be sent as `Authorization: Bearer KEY`. It is not stored and cannot be shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, nullable = false)]
    key: Option<Secret>,
    /// The public part of the key.
    #[schema(pattern = "^[0-9A-Za-z]{12}$")]
    id: String,
    /// The name of the key.
    name: String,
    /// What it is for: `key`, or `session`, which a browser shows as a cookie.
    #[schema(value_type = String, pattern = "^(key|session)$")]
    kind: &'static str,
    /// The tenant whose things the key opens.
    tenant: String,
    /// What its holder may do.
    scopes: Vec<String>,
    /// When the key was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who made it.
    created_by: String,
    /// Until when the key is accepted; null if it has no end.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When the key was last used, to ten minutes; null if it never was.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// When the key was revoked; null if it was not.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// Until when the secret before the last rotation is accepted; null if there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    former_until: Option<Timestamp>,
}

/// A page of API keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// The keys, ordered by id.
    keys: Vec<KeyView>,
    /// The largest number of items on a page, as requested or by default.
    limit: u32,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// A key to make.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `NewKey` reads")]
pub(crate) struct NewApiKey {
    /// The name of the key, as records and the log have it.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]+$", example = "ci")]
    name: String,
    /// What its holder may do: scopes such as `jobs:read`, bound where that is wanted, as in `jobs:run[playbook=deploy.yml]`.
    #[schema(min_items = 1, max_items = 50, example = json!(["jobs:run[playbook=deploy.yml]", "jobs:read[own]"]))]
    scopes: Vec<String>,
    /// The tenant. Default: the caller's. Only the operator makes keys for other tenants.
    #[schema(max_length = 63, pattern = "^[a-z0-9][a-z0-9-]*$")]
    tenant: Option<String>,
    /// How long the key is accepted: days or hours, such as `90d` or `12h`, or `never`. Default: `90d`.
    #[schema(max_length = 16, pattern = "^([0-9]+[dhm]|never)$", example = "90d")]
    expires: Option<String>,
}

/// How a key is rotated.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `overlap` reads")]
pub(crate) struct KeyRotation {
    /// How long the former secret is still accepted: hours or days, such as `24h`; `0h` ends it at once. Default: `24h`.
    #[schema(max_length = 16, pattern = "^[0-9]+[dhm]$", example = "24h")]
    overlap: Option<String>,
}

impl KeyView {
    /// Makes the view of a key that was just made or rotated, with the text that its holder shows.
    #[must_use]
    pub fn made(key: ApiKey, text: Secret) -> Self {
        Self {
            key: Some(text),
            ..key.into()
        }
    }
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            key: None,
            id: key.id.to_string(),
            kind: key.kind().as_str(),
            name: key.name,
            tenant: key.tenant.as_str().to_owned(),
            scopes: key.scopes.0.iter().map(ToString::to_string).collect(),
            created_at: key.created_at,
            created_by: key.created_by,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            former_until: key.former.map(|former| former.until),
        }
    }
}

/// The key's id in a path. A text that is not an id is answered like an unknown key.
pub(crate) struct PathKey(KeyId);

impl<S: Send + Sync> FromRequestParts<S> for PathKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = text.map_err(|_| no_such_key(""))?;
        text.parse().map(Self).map_err(|_| no_such_key(&text))
    }
}

/// Makes an API key.
///
/// The answer has the key, which is not stored and cannot be shown again. A caller gives at most the scopes that it has.
#[utoipa::path(
    post,
    path = "/api/v1/keys",
    operation_id = "createKey",
    tag = "keys",
    request_body = NewApiKey,
    responses(
        (status = 201, description = "The key was made.", body = KeyView, headers(
            ("Location" = String, description = "The URL of the key."),
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
    let new = NewKey::read(&body.value, &app.submitter.kinds.subjects()).map_err(Problem::fields)?;
    let made = keys::create(&*app.keys, &*app.clock, &by.caller, new).await;
    let (key, text) = made.map_err(|error| problem("", error))?;
    let location = [(header::LOCATION, format!("{PATH}/{}", key.id))];
    let made = Made::of(&key.id);
    Ok((StatusCode::CREATED, location, made, Json(KeyView::made(key, text))).into_response())
}

/// Lists API keys, ordered by id.
///
/// Their secrets are never returned. Sessions are a list of their own.
#[utoipa::path(
    get,
    path = "/api/v1/keys",
    operation_id = "listKeys",
    tag = "keys",
    params(
        ("tenant" = Option<String>, Query, description = "The tenant. Default: the caller's. Only the operator sees the keys of other tenants.", max_length = 63),
        ("kind" = Option<String>, Query, description = "Which to list: `key` or `session`. Default: `key`.", pattern = "^(key|session)$"),
        ("limit" = Option<u32>, Query, description = "The maximum number of items to return. Default: 20.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of keys.", body = KeyList, headers(
            ("Link" = String, description = "Links (RFC 8288) to this page (`self`) and, if there is one, the next page (`next`)."),
        )),
    )
)]
pub(crate) async fn list(State(app): State<App>, Asking(by): Asking, mut params: Params) -> Result<Response, Problem> {
    let (named, tenant) = params.tenant(&by);
    let kind_named = params.text("kind");
    let kind = match kind_named.as_deref() {
        None | Some("key") => KeyKind::Key,
        Some("session") => KeyKind::Session,
        Some(_) => {
            params.refuse("kind", "must be key or session");
            KeyKind::Key
        }
    };
    let (limit, list) = (params.limit(), List::Keys(&tenant, kind));
    let after: Option<KeyId> = params.cursor(|text| String::from_utf8(list.place(text)?).ok()?.parse().ok());
    params.finish()?;
    let page = app.keys.list(&tenant, kind, after.as_ref(), limit).await?;
    let last = page.keys.last().filter(|_| page.has_more);
    let last = last.map(|last| last.id.as_str());
    let same = Query::default()
        .with_some("tenant", named)
        .with_some("kind", kind_named)
        .with("limit", &limit);
    let after = after.as_ref().map(KeyId::as_str);
    let (links, next_cursor) = Links::of_texts(PATH, &same, &list, after, last);
    let body = KeyList {
        keys: page.keys.into_iter().map(KeyView::from).collect(),
        limit,
        next_cursor,
    };
    Ok((links, Json(body)).into_response())
}

/// Returns an API key without its secret.
///
/// The response has its name, its scopes, its dates and when it was last used.
#[utoipa::path(
    get,
    path = "/api/v1/keys/{key_id}",
    operation_id = "getKey",
    tag = "keys",
    params(("key_id" = String, Path, description = "The public part of the key.", pattern = "^[0-9A-Za-z]{12}$")),
    responses((status = 200, description = "The key.", body = KeyView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Asking(by): Asking,
    PathKey(id): PathKey,
    params: Params,
) -> Result<Json<KeyView>, Problem> {
    params.finish()?;
    let found = keys::get(&*app.keys, &by.caller, &id).await;
    found
        .map(KeyView::from)
        .map(Json)
        .map_err(|error| of_store(id.as_str(), error))
}

/// Replaces the secret of an API key.
///
/// The answer has the new key. The former one is accepted for `overlap`, so that its holders can change over.
#[utoipa::path(
    post,
    path = "/api/v1/keys/{key_id}/rotate",
    operation_id = "rotateKey",
    tag = "keys",
    params(("key_id" = String, Path, description = "The public part of the key.", pattern = "^[0-9A-Za-z]{12}$")),
    request_body = Option<KeyRotation>,
    responses((status = 200, description = "The key has a new secret.", body = KeyView))
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    Asking(by): Asking,
    PathKey(id): PathKey,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<KeyView>, Problem> {
    params.finish()?;
    let body = body::read_any(&app, &headers, body).await?;
    let overlap = overlap(&body.value)?;
    let rotated = keys::rotate(&*app.keys, &*app.clock, &by.caller, &id, overlap).await;
    let (key, text) = rotated.map_err(|error| problem(id.as_str(), error))?;
    app.access.changed(&id);
    Ok(Json(KeyView::made(key, text)))
}

/// Revokes an API key.
///
/// It is refused everywhere within five seconds, and stays in lists.
#[utoipa::path(
    delete,
    path = "/api/v1/keys/{key_id}",
    operation_id = "revokeKey",
    tag = "keys",
    params(("key_id" = String, Path, description = "The public part of the key.", pattern = "^[0-9A-Za-z]{12}$")),
    responses((status = 200, description = "The key is revoked.", body = KeyView))
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    Asking(by): Asking,
    PathKey(id): PathKey,
    params: Params,
) -> Result<Json<KeyView>, Problem> {
    params.finish()?;
    let revoked = keys::revoke(&*app.keys, &*app.clock, &by.caller, &id).await;
    app.access.changed(&id);
    revoked
        .map(KeyView::from)
        .map(Json)
        .map_err(|error| problem(id.as_str(), error))
}

fn overlap(body: &Value) -> Result<std::time::Duration, Problem> {
    let mut faults = Faults::default();
    let mut text = None;
    if let Some(mut fields) = Fields::of(body, "", &mut faults) {
        text = fields.text("overlap", MAX_OVERLAP_BYTES, &mut faults);
        fields.finish(&mut faults);
    }
    let overlap = keys::overlap(text).map_err(|detail| faults.add("/overlap", detail));
    let overlap = faults.or(overlap.ok()).map_err(Problem::fields)?;
    overlap.ok_or_else(Problem::internal)
}

fn no_such_key(id: &str) -> Problem {
    Problem::new(Kind::NoSuchKey, format!("There is no API key {id:?}."))
}

fn of_store(id: &str, error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => no_such_key(id),
        StoreError::Conflict => Problem::new(
            Kind::KeyRevoked,
            format!("The API key {id} is revoked, and stays so; make another."),
        ),
        other => other.into(),
    }
}

/// Makes the problem of a key that could not be made or changed.
pub(crate) fn problem(id: &str, error: KeyError) -> Problem {
    match error {
        KeyError::Forbidden(told) => Problem::new(Kind::Forbidden, told),
        taken @ KeyError::NameTaken { .. } => Problem::new(Kind::KeyExists, sentence(&taken.to_string())),
        KeyError::Store(error) => of_store(id, error),
        KeyError::Randomness(error) => {
            tracing::error!(%error, "the system has no randomness");
            Problem::internal()
        }
    }
}
