//! The query function: answers the API Gateway requests that ask about jobs.

use callboard_lambda::{Parts, Settings, answer, start_logging};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let parts = Parts::connect(Settings::from_env()?).await;
    let router = callboard_api::router(parts.app());
    let function = |event: LambdaEvent<Value>| {
        let answer = answer(router.clone(), event.payload);
        async { answer.await.map_err(Error::from) }
    };
    lambda_runtime::run(service_fn(function)).await
}
