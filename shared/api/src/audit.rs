//! `GET /api/v1/audit`, and what is written to the audit log for each request.

mod trail;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use callboard_core::audit::{ActionFilter, AuditFilter, AuditOutcome, AuditQuery, Entry};
use callboard_core::base::time::Timestamp;
use callboard_core::job::List;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::trail::{Client, Made, Unchanged, record};
use crate::access::Asking;
use crate::app::App;
use crate::links::{Links, Query};
use crate::params::Params;
use crate::problem::Problem;

const PATH: &str = "/api/v1/audit";

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditList {
    /// The entries, newest first.
    entries: Vec<Entry>,
    /// The largest number of items on a page, as requested or by default.
    limit: u32,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Lists the audit log, newest first.
///
/// It has who changed what, who was refused, and what failed. A page that is restricted may have fewer entries than `limit`, even none, and still a
/// `next_cursor`: on AWS, a request looks at a limited number of entries. Go on until `next_cursor` is null.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "listAudit",
    tag = "audit",
    params(
        ("action" = Option<String>, Query, description = "Returns only this action, such as `job.cancel`, or all of a sort, such as `key.*`.", example = "job.cancel"),
        ("by" = Option<String>, Query, description = "Returns only what the caller with this name or subject has done.", min_length = 1, example = "key:ci"),
        ("outcome" = Option<AuditOutcome>, Query, description = "Returns only what was done, what was refused, or what failed in the service."),
        ("object" = Option<String>, Query, description = "Returns only what was done to this: the id of a job or an API key, the name of a credential, or `SERVICE/OPERATION`.", min_length = 1),
        ("since" = Option<String>, Query, description = "Returns only entries of this instant or later.", format = DateTime),
        ("until" = Option<String>, Query, description = "Returns only entries before this instant.", format = DateTime),
        ("tenant" = Option<String>, Query, description = "The tenant. Default: the caller's. Only the operator sees the entries of other tenants.", max_length = 63),
        ("limit" = Option<u32>, Query, description = "The maximum number of items to return. Default: 20.", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page, which must have been requested with the same filters.", min_length = 1),
    ),
    responses(
        (status = 200, description = "A page of the audit log.", body = AuditList, headers(
            ("Link" = String, description = "Links (RFC 8288) to this page (`self`) and, if there is one, the next page (`next`)."),
        )),
    )
)]
pub(crate) async fn list(State(app): State<App>, Asking(by): Asking, mut params: Params) -> Result<Response, Problem> {
    let (named, tenant) = params.tenant(&by);
    let filter = AuditFilter {
        action: params.parsed("action"),
        by: params.name("by"),
        outcome: params.parsed("outcome"),
        object: params.name("object"),
        since: params.parsed("since"),
        until: params.parsed("until"),
    };
    let (limit, list) = (params.limit(), List::Audit(&tenant, &filter));
    let after = params.cursor(|text| String::from_utf8(list.place(text)?).ok());
    params.finish()?;
    let query = AuditQuery {
        tenant: tenant.clone(),
        filter: filter.clone(),
        limit,
        after,
    };
    let page = app.audit.page(&query).await?;
    let same = Query::default()
        .with_some("action", filter.action.as_ref().map(ActionFilter::as_str))
        .with_some("by", filter.by.as_deref())
        .with_some("outcome", filter.outcome.map(AuditOutcome::as_str))
        .with_some("object", filter.object.as_deref())
        .with_some("since", filter.since.map(|since: Timestamp| since.to_string()))
        .with_some("until", filter.until.map(|until: Timestamp| until.to_string()))
        .with_some("tenant", named)
        .with("limit", &limit);
    let (links, next_cursor) = Links::of_texts(PATH, &same, &list, query.after.as_deref(), page.next.as_deref());
    let body = AuditList {
        entries: page.entries,
        limit,
        next_cursor,
    };
    Ok((links, Json(body)).into_response())
}
