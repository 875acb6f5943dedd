//! The query function: answers the API Gateway requests that ask about jobs, and the event `{"callboard": "doctor"}`. Where its responses are
//! streamed, it answers requests for streams of jobs, and nothing else.

use axum::Router;
use callboard_lambda::{Answers, Parts, Settings, answer, start_logging, stream};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let settings = Settings::from_env()?;
    let answers = settings.answers;
    let parts = Parts::connect(settings).await;
    match answers {
        Answers::Whole => {
            parts.services.refresh().await;
            let router = callboard_api::router(parts.app()?);
            let function = |event: LambdaEvent<Value>| handle(&parts, router.clone(), event.payload);
            run(service_fn(function)).await
        }
        Answers::Streamed => {
            let router = callboard_api::streams(parts.app()?);
            let function =
                async |event: LambdaEvent<Value>| Ok::<_, Error>(stream(router.clone(), event.payload).await?);
            run(service_fn(function)).await
        }
    }
}

/// Answers a request, or tells what is wrong with the deployment.
async fn handle(parts: &Parts, router: Router, event: Value) -> Result<Value, Error> {
    if event == json!({"callboard": "doctor"}) {
        return Ok(serde_json::to_value(parts.doctor().await)?);
    }
    parts.services.refresh().await;
    Ok(answer(router, event).await?)
}
