//! DynamoDB behind a network that loses answers: each call has its effect, and every other one is told that it failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use callboard_aws::SdkConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fake::config;

/// The network; it is gone when dropped.
pub(crate) struct Lossy {
    address: String,
    calls: Calls,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Calls {
    endpoint: String,
    http: reqwest::Client,
    count: Arc<AtomicUsize>,
}

impl Lossy {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let calls = Calls {
            endpoint: std::env::var("AWS_ENDPOINT_URL_DYNAMODB").context("AWS_ENDPOINT_URL_DYNAMODB")?,
            http: callboard_testkit::http::client(),
            count: Arc::default(),
        };
        let router = Router::new().route("/", post(pass)).with_state(calls.clone());
        let server = tokio::spawn(async { drop(axum::serve(listener, router).await) });
        Ok(Self { address, calls, server })
    }

    /// Returns the settings of clients that go through this network.
    pub(crate) async fn config(&self) -> SdkConfig {
        config(&self.address, Duration::from_secs(5)).await
    }

    /// Returns how many answers were lost.
    pub(crate) fn lost(&self) -> usize {
        self.calls.count.load(Ordering::SeqCst).div_ceil(2)
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(State(calls): State<Calls>, headers: HeaderMap, body: Bytes) -> Response {
    let request = calls.http.post(&calls.endpoint).headers(headers).body(body);
    let Ok(answer) = request.send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    if calls.count.fetch_add(1, Ordering::SeqCst) % 2 == 0 {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"__type": "InternalServerError"}"#,
        )
            .into_response();
    }
    let (status, headers) = (answer.status(), answer.headers().clone());
    match answer.bytes().await {
        Ok(body) => (status, headers, body).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
