//! The HTTP API of Callboard. The same router answers in Lambda and in one process.

mod app;
mod body;
mod cancel;
mod credential_schema;
mod credentials;
mod events;
mod health;
mod jobs;
mod logs;
mod openapi;
mod params;
mod problem;
mod redrive;
mod submit;
mod tail;
mod wire;

use axum::Router;
use axum::routing::{MethodRouter, get, post};

pub use app::{AnswerLimits, ApiSettings, App, Caller, Followers, Health, HealthCheck};
pub use openapi::document;
pub use wire::{JobListItem, JobView};

/// Every route: what changes jobs and credentials, and what asks about them.
pub fn router(app: App) -> Router {
    let routes = Routes {
        jobs: get(jobs::list).post(submit::submit),
        job: get(jobs::get).delete(cancel::cancel),
        credentials: get(credentials::list).post(credentials::create),
        credential: get(credentials::get)
            .put(credentials::rotate)
            .delete(credentials::remove),
    };
    let router = routes
        .router()
        .route("/api/v1/jobs/{id}/cancel", post(cancel::cancel))
        .route("/api/v1/jobs/{id}/redrive", post(redrive::redrive));
    finish(router, app)
}

/// Only the routes that ask.
pub fn query_router(app: App) -> Router {
    let routes = Routes {
        jobs: get(jobs::list),
        job: get(jobs::get),
        credentials: get(credentials::list),
        credential: get(credentials::get),
    };
    finish(routes.router(), app)
}

/// What differs between the routers.
struct Routes {
    jobs: MethodRouter<App>,
    job: MethodRouter<App>,
    credentials: MethodRouter<App>,
    credential: MethodRouter<App>,
}

impl Routes {
    fn router(self) -> Router<App> {
        Router::new()
            .route("/api/v1/jobs", self.jobs)
            .route("/api/v1/jobs/{id}", self.job)
            .route("/api/v1/jobs/{id}/logs", get(logs::logs))
            .route("/api/v1/jobs/{id}/events", get(events::events))
            .route("/api/v1/credentials", self.credentials)
            .route("/api/v1/credentials/{name}", self.credential)
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/openapi.json", get(openapi::serve))
    }
}

/// The fallback for methods reaches only the routes that were added before it.
fn finish(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(app)
}
