//! `GET /api/v1/quotas`: how much of its quotas a tenant uses.

use axum::Json;
use axum::extract::State;
use callboard_core::base::id::Tenant;
use callboard_core::base::time::Timestamp;
use callboard_core::run::{QuotaUse, Used};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Asking;
use crate::app::App;
use crate::jobs::all_jobs;
use crate::params::Params;
use crate::problem::Problem;

/// How much of its quotas a tenant uses.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quotas)]
pub struct QuotasView {
    /// The tenant.
    tenant: String,
    /// Jobs that are with the workers at a time.
    running: QuotaView,
    /// Jobs that wait when another is submitted.
    waiting: QuotaView,
    /// Submissions in a minute of the clock, with those that were refused for a quota.
    submissions_per_minute: QuotaView,
    /// Bytes of output that are kept, of jobs that have ended since there is a quota.
    stored_bytes: QuotaView,
    /// When the next minute begins, and `submissions_per_minute` anew.
    #[schema(value_type = String, format = DateTime)]
    next_minute_at: Timestamp,
}

/// How much of one quota is used. All three are null if there is none: what is not limited is not counted.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[schema(as = Quota)]
pub struct QuotaView {
    /// The quota.
    limit: Option<u64>,
    /// How much of it is used.
    used: Option<u64>,
    /// How much is left; 0 if it is used up.
    remaining: Option<u64>,
}

impl QuotasView {
    /// Shows what a tenant uses.
    #[must_use]
    pub fn of(tenant: &Tenant, used: &QuotaUse) -> Self {
        Self {
            tenant: tenant.as_str().to_owned(),
            running: QuotaView::of(used.running),
            waiting: QuotaView::of(used.waiting),
            submissions_per_minute: QuotaView::of(used.submissions_per_minute),
            stored_bytes: QuotaView::of(used.stored_bytes),
            next_minute_at: used.next_minute_at,
        }
    }
}

impl QuotaView {
    fn of(used: Option<Used>) -> Self {
        Self {
            limit: used.map(|used| used.limit),
            used: used.map(|used| used.used),
            remaining: used.map(Used::left),
        }
    }
}

/// Returns how much of its quotas the caller's tenant uses.
///
/// It is counted when it is asked for. The operator sets quotas in the policy.
#[utoipa::path(
    get,
    path = "/api/v1/quotas",
    operation_id = "getQuotas",
    tag = "stats",
    responses((status = 200, description = "What is limited, and what is left.", body = QuotasView))
)]
pub(crate) async fn get(
    State(app): State<App>,
    Asking(by): Asking,
    params: Params,
) -> Result<Json<QuotasView>, Problem> {
    params.finish()?;
    all_jobs(&by)?;
    let used = app.submitter.allowance.used(by.tenant()).await?;
    Ok(Json(QuotasView::of(by.tenant(), &used)))
}
