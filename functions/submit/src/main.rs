//! The submit function: requests, schedules, events and messages become recorded, queued jobs; and the sweep.

mod events;
mod messages;
mod trigger;

use callboard_core::submit::Submitter;
use callboard_core::sweep::{Swept, sweep};
use callboard_lambda::{Parts, Settings, answer, start_logging};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use crate::trigger::Trigger;

/// The function has 29 s.
const SWEEP_LIMIT: Duration = Duration::from_secs(15);

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
        Trigger::Sweep => sweep_all(parts).await?,
    })
}

/// Sweeps until there is nothing left to do, or it is time for the next sweep to go on.
async fn sweep_all(parts: &Parts) -> Result<Value, Error> {
    let (started, mut total) = (Instant::now(), Swept::default());
    loop {
        let swept = sweep(&*parts.store, &*parts.queue, &*parts.clock, Duration::ZERO).await?;
        total.lost += swept.lost;
        total.dispatched += swept.dispatched;
        if swept == Swept::default() || started.elapsed() > SWEEP_LIMIT {
            break;
        }
    }
    tracing::info!(swept.lost = total.lost, swept.dispatched = total.dispatched, "swept");
    Ok(json!({"lost": total.lost, "dispatched": total.dispatched}))
}
