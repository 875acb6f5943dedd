//! The HTTP API of Callboard. The same router answers in Lambda and in one process.

mod app;
mod body;
mod cancel;
mod events;
mod health;
mod jobs;
mod logs;
mod openapi;
mod params;
mod problem;
mod submit;
mod tail;
mod wire;

use axum::Router;
use axum::routing::{get, post};

pub use app::{AnswerLimits, ApiSettings, App, Caller, Health, HealthCheck};
pub use openapi::document;
pub use wire::JobView;

/// Every route: what changes jobs and what asks about them.
pub fn router(app: App) -> Router {
    let jobs = get(jobs::list).post(submit::submit);
    let job = get(jobs::get).delete(cancel::cancel);
    let routes = routes(jobs, job).route("/api/v1/jobs/{id}/cancel", post(cancel::cancel));
    finish(routes, app)
}

/// Only the routes that ask about jobs.
pub fn query_router(app: App) -> Router {
    finish(routes(get(jobs::list), get(jobs::get)), app)
}

fn routes(jobs: axum::routing::MethodRouter<App>, job: axum::routing::MethodRouter<App>) -> Router<App> {
    Router::new()
        .route("/api/v1/jobs", jobs)
        .route("/api/v1/jobs/{id}", job)
        .route("/api/v1/jobs/{id}/logs", get(logs::logs))
        .route("/api/v1/jobs/{id}/events", get(events::events))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/openapi.json", get(openapi::serve))
}

/// The fallback for methods reaches only the routes that were added before it.
fn finish(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(app)
}
