//! The caller function: executes the jobs of an SQS batch that call something and wait for its answer, all at once.

use std::sync::Arc;

use callboard_calls::{Breakers, Calls};
use callboard_core::credential::Secrets;
use callboard_core::request::Lane;
use callboard_core::run::{Runner, Runners};
use callboard_lambda::{Parts, Settings, start_logging};
use callboard_runner_ecs::EcsRunner;
use callboard_runner_function::FunctionRunner;
use callboard_runner_http::HttpRunner;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let parts = Parts::connect(Settings::from_env()?).await;
    let breakers = Breakers::new(parts.breakers.clone(), parts.clock.clone());
    let runners = Calls::of(runners(Arc::new(parts.secrets()?))?, breakers, parts.clock.clone());
    let batches = &parts.batches(Lane::Calls, Runners::without_first(runners))?;
    let function = |event: LambdaEvent<_>| async move {
        let deadline = event.context.deadline();
        Ok::<_, Error>(batches.execute(&event.payload, deadline).await)
    };
    lambda_runtime::run(service_fn(function)).await
}

/// Lists the runners of what goes on elsewhere: calls, and containers as tasks.
fn runners(secrets: Arc<dyn Secrets>) -> Result<Vec<Arc<dyn Runner>>, Error> {
    let clouds = callboard_runner_function::Settings::from_environment();
    Ok(vec![
        Arc::new(HttpRunner::new(secrets.clone())),
        Arc::new(FunctionRunner::new(secrets.clone(), clouds)?),
        Arc::new(EcsRunner::new(
            secrets,
            callboard_runner_ecs::Settings::from_environment(),
        )?),
    ])
}
