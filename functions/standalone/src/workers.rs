//! The loops of `serve`: workers that take jobs from the queue, and the sweep.

use std::sync::Arc;
use std::time::Duration;

use callboard_ansible::AnsibleRunner;
use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_core::care::Sweeper;
use callboard_core::job::{DeadLetter, JobStore};
use callboard_core::run::{Limits, Worker};
use callboard_embedded::{Forgetter, Message};
use callboard_kind_service::execution_type::ExecutionType;
use callboard_kind_service::in_force::InForce;
use callboard_runner_container::ContainerRunner;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::parts::Parts;
use crate::services::Source;

/// How long a received message stays hidden; a job that runs longer is protected by its lease.
const VISIBILITY: Duration = Duration::from_secs(60);
const FAULT_PAUSE: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const REAP_EVERY: Duration = Duration::from_secs(30);
/// A message is given up after it was received this often without success, as SQS does.
const MAX_RECEIVES: u32 = 5;

/// Takes and executes jobs, one at a time, until `draining` is set.
pub(crate) async fn work(parts: Parts, worker: Worker, mut draining: watch::Receiver<bool>, limits: Limits) {
    loop {
        tokio::select! {
            biased;
            () = set(&mut draining) => return,
            received = parts.queue.receive(worker.lane, VISIBILITY) => match received {
                Ok(message) => execute(&parts, &worker, message, limits.clone()).await,
                Err(error) => {
                    report(&error, "the queue does not answer");
                    sleep(FAULT_PAUSE).await;
                }
            },
        }
    }
}

/// Takes and executes jobs, up to `at_once` at a time, until `draining` is set; then waits for them.
pub(crate) async fn call(
    parts: Parts,
    worker: Worker,
    at_once: usize,
    mut draining: watch::Receiver<bool>,
    limits: Limits,
) {
    let room = Arc::new(Semaphore::new(at_once));
    let mut calls = JoinSet::new();
    while let Ok(place) = room.clone().acquire_owned().await {
        while calls.try_join_next().is_some() {}
        let received = tokio::select! {
            biased;
            () = set(&mut draining) => break,
            received = parts.queue.receive(worker.lane, VISIBILITY) => received,
        };
        match received {
            Ok(message) => {
                let (parts, worker, limits) = (parts.clone(), worker.clone(), limits.clone());
                calls.spawn(async move {
                    execute(&parts, &worker, message, limits).await;
                    drop(place);
                });
            }
            Err(error) => {
                report(&error, "the queue does not answer");
                sleep(FAULT_PAUSE).await;
            }
        }
    }
    calls.join_all().await;
}

async fn set(flag: &mut watch::Receiver<bool>) {
    drop(flag.wait_for(|set| *set).await);
}

/// Executes the job of a message and acknowledges the message. If the job could not be claimed or ended, the message is delivered
/// again until it is given up; faults of the store never cause that. A panic costs one attempt, not the worker.
async fn execute(parts: &Parts, worker: &Worker, message: Message, limits: Limits) {
    let worker = worker.clone();
    let ticket = message.ticket.clone();
    let executed = tokio::spawn(async move { worker.execute(&ticket, limits).await });
    let (error, of_store) = match executed.await {
        Ok(Ok(_)) => (None, false),
        Ok(Err(error)) => (Some(causes(&error).to_string()), error.is_retryable()),
        Err(panic) => (Some(causes(&panic).to_string()), false),
    };
    if let Some(error) = error {
        tracing::error!(job.id = %message.ticket.id, message.receives, error, "the job could not be claimed or ended");
        if of_store || message.receives < MAX_RECEIVES || !bury(parts, &message, &error).await {
            return;
        }
    }
    if let Err(error) = parts.queue.acknowledge(message).await {
        report(&error, "a message could not be acknowledged");
    }
}

/// Records in the job that its message is given up; returns whether the message may be deleted.
async fn bury(parts: &Parts, message: &Message, error: &str) -> bool {
    let letter = DeadLetter {
        at: parts.clock.now(),
        receives: message.receives,
        error: format!("No worker could begin the job: {error}."),
    };
    match parts.store.bury(message.ticket.id, letter).await {
        Ok(()) => {
            tracing::error!(job.id = %message.ticket.id, "the message is given up; `callboard redrive` brings the job back");
            true
        }
        // a damaged record cannot be changed, and delivering the message again would not repair it
        Err(StoreError::Conflict | StoreError::NotFound | StoreError::Corrupt(_)) => true,
        Err(error) => {
            report(&error, "a message could not be given up");
            false
        }
    }
}

/// Sweeps forever, and reads the services again when they have changed.
pub(crate) async fn keep_sweeping(
    sweeper: Sweeper,
    forgetter: Forgetter,
    runner: Arc<AnsibleRunner>,
    mut services: Source,
) {
    while let Err(error) = forgetter.begin().await {
        report(&error, "the newest job could not be looked at");
        sleep(FAULT_PAUSE).await;
    }
    loop {
        runner.tidy();
        tokio::task::block_in_place(|| services.refresh());
        match sweeper.sweep().await {
            Ok(swept) if swept.did_something() => {
                tracing::warn!(swept.lost, swept.dispatched, swept.abandoned, "swept");
            }
            Ok(_) => {}
            Err(error) => report(&error, "the sweep failed"),
        }
        if let Err(error) = forgetter.forget().await {
            report(&error, "expired data could not be removed");
        }
        sleep(SWEEP_EVERY).await;
    }
}

/// Removes containers that a process which has died has left, for as long as there are services that are containers.
pub(crate) async fn keep_reaping(containers: Arc<ContainerRunner>, registry: Arc<InForce>) {
    loop {
        let services = &registry.current().services;
        if services
            .iter()
            .any(|service| service.execution_type == ExecutionType::Container)
        {
            containers.tidy().await;
        }
        sleep(REAP_EVERY).await;
    }
}

fn report(error: &StoreError, message: &str) {
    tracing::error!(error = %causes(error), "{message}");
}
