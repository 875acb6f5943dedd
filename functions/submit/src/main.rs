//! The submit function: requests, schedules, events and messages become recorded, queued jobs; and the sweep.

mod events;
mod messages;
mod trigger;

use callboard_core::submit::Submitter;
use callboard_core::sweep::sweep;
use callboard_lambda::{Parts, Settings, answer, start_logging};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::time::Duration;

use crate::trigger::Trigger;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let parts = Parts::connect(Settings::from_env()?).await;
    let router = callboard_api::router(parts.app());
    let submitter = parts.submitter();
    let function = |event: LambdaEvent<Value>| handle(&parts, &submitter, router.clone(), event.payload);
    lambda_runtime::run(service_fn(function)).await
}

/// Answers each kind of event in the way that its sender understands.
async fn handle(parts: &Parts, submitter: &Submitter, router: axum::Router, event: Value) -> Result<Value, Error> {
    Ok(match Trigger::of(event)? {
        Trigger::Http(event) => answer(router, event).await?,
        Trigger::Event(event) => events::accept(submitter, event).await?,
        Trigger::Messages(batch) => messages::accept(submitter, batch).await?,
        Trigger::Sweep => {
            let swept = sweep(&*parts.store, &*parts.queue, &*parts.clock, Duration::ZERO).await?;
            tracing::info!(swept.lost, swept.dispatched, "swept");
            json!({"lost": swept.lost, "dispatched": swept.dispatched})
        }
    })
}
