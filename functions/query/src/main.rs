//! The query function: answers the API Gateway requests that ask about jobs, and the event `{"callboard": "doctor"}`.

use axum::Router;
use callboard_lambda::{Parts, Settings, answer, start_logging};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let parts = Parts::connect(Settings::from_env()?).await;
    parts.services.refresh().await;
    let router = callboard_api::router(parts.app()?);
    let function = |event: LambdaEvent<Value>| handle(&parts, router.clone(), event.payload);
    lambda_runtime::run(service_fn(function)).await
}

/// Answers a request, or tells what is wrong with the deployment.
async fn handle(parts: &Parts, router: Router, event: Value) -> Result<Value, Error> {
    if event == json!({"callboard": "doctor"}) {
        return Ok(serde_json::to_value(parts.doctor().await)?);
    }
    parts.services.refresh().await;
    Ok(answer(router, event).await?)
}
