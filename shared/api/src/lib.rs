//! The HTTP API of Callboard. The same router serves Lambda functions and the standalone process.

mod access;
mod app;
mod attempt_log;
mod audit;
mod audit_limits;
mod bodies;
mod body;
mod cancel;
mod credential_schema;
mod credentials;
mod events;
mod gate;
mod health;
mod hosts;
mod jobs;
mod keys;
mod links;
mod list;
mod live;
mod logs;
mod openapi;
mod params;
mod problem;
mod quotas;
mod rate_limit;
mod record;
mod redrive;
mod relaunch;
mod request_id;
mod results;
mod services;
mod session;
mod stats;
mod stream;
mod submit;
mod tail;
mod wanted;
mod wire;

use axum::routing::{get, post};
use axum::{Extension, Router, middleware};

pub use access::{Access, Identity, Transport};
pub use app::{AnswerLimits, ApiSettings, App, Followers, Health, HealthCheck};
pub use audit_limits::AuditLimits;
pub use bodies::Bodies;
pub use gate::{Gate, HostName, Hosts, NotAHostName, NotAnOrigin, Origin};
pub use keys::KeyView;
pub use list::JobListItem;
pub use live::Live;
pub use openapi::document;
pub use problem::Problem;
pub use quotas::{QuotaView, QuotasView};
pub use request_id::REQUEST_ID;
pub use wire::JobView;

/// Returns all routes.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/api/v1/jobs", get(jobs::list).post(submit::submit))
        .route("/api/v1/jobs/redrive", post(redrive::redrive_all))
        .route("/api/v1/jobs/{job_id}", get(jobs::get).delete(cancel::cancel))
        .route("/api/v1/jobs/{job_id}/cancel", post(cancel::cancel))
        .route("/api/v1/jobs/{job_id}/redrive", post(redrive::redrive))
        .route("/api/v1/jobs/{job_id}/relaunch", post(relaunch::relaunch))
        .route("/api/v1/jobs/{job_id}/logs", get(logs::logs))
        .route("/api/v1/jobs/{job_id}/events", get(events::events))
        .merge(routes_of_streams())
        .route("/api/v1/jobs/{job_id}/hosts", get(hosts::list))
        .route("/api/v1/jobs/{job_id}/results", get(results::get))
        .route("/api/v1/credentials", get(credentials::list).post(credentials::create))
        .route(
            "/api/v1/credentials/{name}",
            get(credentials::get)
                .put(credentials::rotate)
                .delete(credentials::remove),
        )
        .route("/api/v1/keys", get(keys::list).post(keys::create))
        .route("/api/v1/keys/{key_id}", get(keys::get).delete(keys::revoke))
        .route("/api/v1/keys/{key_id}/rotate", post(keys::rotate))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/quotas", get(quotas::get))
        .route(
            "/api/v1/session",
            get(session::get).post(session::begin).delete(session::end),
        )
        .route("/api/v1/services", get(services::list))
        .route("/api/v1/services/{service}", get(services::get))
        .route(
            "/api/v1/services/{service}/operations/{operation}",
            get(services::operation),
        )
        .route(
            "/api/v1/services/{service}/operations/{operation}/test",
            post(services::test),
        )
        .route("/api/v1/stats/performance", get(stats::performance))
        .route("/api/v1/stats/resources", get(stats::resources))
        .route("/api/v1/stats/failures", get(stats::failures))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route(
            "/openapi.json",
            get(openapi::serve).layer(Extension(openapi::Made::default())),
        );
    guarded(routes, app)
}

/// Returns the route of streams alone, for a function that does nothing else.
pub fn streams(app: App) -> Router {
    guarded(routes_of_streams(), app)
}

fn routes_of_streams() -> Router<App> {
    Router::new().route("/api/v1/jobs/{job_id}/stream", get(stream::stream))
}

/// Puts before routes what holds for all. The method fallback applies only to the routes that were added before it.
fn guarded(routes: Router<App>, app: App) -> Router {
    let gate = app.gate.clone();
    let routes = routes
        .route_layer(middleware::from_fn_with_state(app.access.clone(), access::ask))
        .route_layer(middleware::from_fn_with_state(app.clone(), audit::record))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(app);
    request_id::identify(gate.guard(routes))
}
