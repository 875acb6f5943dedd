//! The submit function: records and queues jobs from requests, schedules, events and messages; it also sweeps.

mod dead_letters;
mod events;
mod keys;
mod messages;
mod metrics;

use std::time::{Duration, Instant};

use callboard_core::care::{Sweeper, Swept};
use callboard_core::submit::Submitter;
use callboard_lambda::{Parts, Settings, answer, start_logging};
use callboard_submit::trigger::Trigger;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

/// How long a sweep may go on. The next sweep begins a minute after this one did. While jobs are watched, a sweep keeps looking until
/// then, because a worker counts as lost once its lease has been unchanged for long enough.
const SWEEP_LIMIT: Duration = Duration::from_secs(52);
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logging();
    let parts = Parts::connect(Settings::from_env()?).await;
    parts.services.refresh().await;
    let router = callboard_api::router(parts.app()?);
    let submitter = parts.submitter();
    let sweeper = parts.sweeper();
    let dead_letters = std::env::var("CALLBOARD_DEAD_LETTERS_ARN").unwrap_or_default();
    let function = |event: LambdaEvent<Value>| {
        handle(
            &parts,
            &submitter,
            &sweeper,
            &dead_letters,
            router.clone(),
            event.payload,
        )
    };
    lambda_runtime::run(service_fn(function)).await
}

/// Answers each kind of event in the way that its sender expects.
async fn handle(
    parts: &Parts,
    submitter: &Submitter,
    sweeper: &Sweeper,
    dead_letters: &str,
    router: axum::Router,
    event: Value,
) -> Result<Value, Error> {
    let trigger = Trigger::of(event)?;
    if !matches!(trigger, Trigger::Sweep) {
        parts.services.refresh().await;
    }
    Ok(match trigger {
        Trigger::Http(event) => answer(router, event).await?,
        Trigger::Event(event) => events::accept(submitter, &parts.of_events(), event).await?,
        Trigger::CreateKey(body) => keys::create(parts, &body).await?,
        Trigger::Messages(batch) if dead_letters::are_in(&batch, dead_letters) => {
            dead_letters::note(submitter, &parts.of_messages(), batch).await?
        }
        Trigger::Messages(batch) => messages::accept(submitter, &parts.of_messages(), batch).await?,
        Trigger::Sweep => {
            let swept = sweep_all(sweeper).await?;
            metrics::log(&*parts.store, &function_name(), parts.clock.now()).await?;
            swept
        }
    })
}

/// Returns the name of this Lambda function.
fn function_name() -> String {
    std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default()
}

/// Sweeps until nothing is left to do and no job is watched, or until the next sweep is about to take over.
async fn sweep_all(sweeper: &Sweeper) -> Result<Value, Error> {
    let (started, mut total) = (Instant::now(), Swept::default());
    loop {
        let swept = sweeper.sweep().await?;
        total.lost += swept.lost;
        total.dispatched += swept.dispatched;
        total.abandoned += swept.abandoned;
        if started.elapsed() + LOOK_EVERY > SWEEP_LIMIT || !(swept.did_something() || swept.watched > 0) {
            break;
        }
        if !swept.did_something() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    let Swept {
        lost,
        dispatched,
        abandoned,
        ..
    } = total;
    tracing::info!(
        swept.lost = lost,
        swept.dispatched = dispatched,
        swept.abandoned = abandoned,
        "swept"
    );
    Ok(json!({"lost": lost, "dispatched": dispatched, "abandoned": abandoned}))
}
