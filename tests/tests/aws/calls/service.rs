//! A service that jobs call, and the registry that names it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The service. It stops with its test.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    asked: Arc<[AtomicUsize; 3]>,
    /// How many slow calls may be answered.
    pub(crate) released: Arc<Semaphore>,
}

/// The operations, in the order of their counts.
const OPERATIONS: [&str; 3] = ["echo", "slow", "busy"];

impl Service {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let service = Self {
            address: listener.local_addr()?,
            asked: Arc::default(),
            released: Arc::new(Semaphore::new(0)),
        };
        let router = Router::new()
            .route("/{operation}", post(answer))
            .with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(service)
    }

    /// Returns a registry of this service. `busy` is repeated at once.
    pub(crate) fn registry(&self, name: &str) -> String {
        let operation = |operation: &str| json!({"name": operation, "timeout": 600, "runner_config": {"path": format!("/{operation}")}});
        let mut operations = OPERATIONS.map(operation);
        operations[2]["max_retries"] = 2.into();
        operations[2]["retry"] = json!({"initial_interval": 0});
        operations[2]["runner_config"]["idempotency_header"] = "Idempotency-Key".into();
        let base = json!({"base_url": format!("http://{}", self.address), "first_byte_timeout": 600});
        let service = json!({
            "name": name, "security_policy": {"network": "private"}, "runner_config": base, "operations": operations,
        });
        json!({"services": [service]}).to_string()
    }

    /// Returns how often an operation was asked for.
    pub(crate) fn asked(&self, operation: &str) -> usize {
        let at = OPERATIONS.iter().position(|known| *known == operation);
        at.map_or(0, |at| self.asked[at].load(Ordering::SeqCst))
    }
}

async fn answer(State(service): State<Service>, Path(operation): Path<String>, Json(input): Json<Value>) -> Response {
    let Some(at) = OPERATIONS.iter().position(|known| *known == operation) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let before = service.asked[at].fetch_add(1, Ordering::SeqCst);
    match operation.as_str() {
        "busy" if before == 0 => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "slow" => {
            if let Ok(permit) = service.released.acquire().await {
                permit.forget();
            }
        }
        _ => {}
    }
    Json(json!({"got": input})).into_response()
}
