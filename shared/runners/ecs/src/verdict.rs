//! What the end of a task means.

use std::time::Duration;

use callboard_core::job::{Cost, Outcome};
use callboard_core::request::Reason;
use callboard_kind_service::attempt::told;
use callboard_kind_service::config::ContainerConfig;
use callboard_kind_service::detail::{EXIT_CODE, OUTPUT_INVALID, RESOURCE_LIMIT};

use crate::logs::Printed;
use crate::task::{Task, TaskContainer};

/// What a task's stop is told to be for.
pub(crate) const CANCELED: &str = "callboard: the job was canceled";
pub(crate) const TIMED_OUT: &str = "callboard: the job's time is over";
/// The region and the month that the prices are from: Fargate, Linux, x86.
const PRICE_TABLE: &str = "aws-fargate/us-east-1/2026-11";
const USD_PER_VCPU_HOUR: f64 = 0.040_48;
const USD_PER_GIB_HOUR: f64 = 0.004_445;
/// What a task costs at least.
const SHORTEST_BILLED: Duration = Duration::from_secs(60);

/// Makes the outcome of a task that has ended. `fault` is what is wrong with its output.
pub(crate) fn outcome(
    task: &Task,
    container: Option<&TaskContainer>,
    config: &ContainerConfig,
    limit: Duration,
    printed: &Printed,
    fault: Option<String>,
) -> Outcome {
    let code = container.and_then(|container| container.exit_code);
    let why = container
        .and_then(|container| container.reason.as_deref())
        .unwrap_or_default();
    if task.stopped_reason == TIMED_OUT {
        let error = format!(
            "The container did not end within {} s and was stopped.",
            limit.as_secs()
        );
        return Outcome::failed(Reason::TIMEOUT, error);
    }
    if why.contains("OutOfMemory") {
        return Outcome::failed(RESOURCE_LIMIT, told(&format!("the container ran out of memory: {why}")));
    }
    match (code, task.stop_code.as_str()) {
        (None, "TaskFailedToStart") => {
            let why = if why.is_empty() { &task.stopped_reason } else { why };
            Outcome::failed(
                Reason::SOURCE_UNAVAILABLE,
                told(&format!("the task could not start: {why}")),
            )
        }
        (Some(_), "UserInitiated") if task.stopped_reason != CANCELED => {
            let error = format!("somebody stopped the task: {}", task.stopped_reason);
            Outcome::failed(Reason::RUNNER_ERROR, told(&error))
        }
        (None, _) | (_, "SpotInterruption" | "ServiceSchedulerInitiated" | "TerminationNotice") => {
            let error = format!("AWS ended the task: {} {why}", task.stopped_reason);
            Outcome::failed(Reason::RUNNER_ERROR, told(error.trim()))
        }
        (Some(code), _) if !config.success_codes.iter().any(|good| i32::from(*good) == code) => {
            let error = match printed.tail.text().as_str() {
                "" => format!("the container ended with exit code {code}"),
                tail => format!("the container ended with exit code {code}: {tail}"),
            };
            Outcome::failed(EXIT_CODE, told(&error))
        }
        _ => match fault.or_else(|| {
            printed
                .unread
                .as_ref()
                .map(|why| format!("the output could not be read: {why}"))
        }) {
            Some(fault) => Outcome::failed(OUTPUT_INVALID, told(&fault)),
            None => Outcome::successful(),
        },
    }
}

/// Estimates what a task cost, by its size and from when its image was pulled until it stopped.
pub(crate) fn cost(task: &Task) -> Option<Cost> {
    let size = |text: &Option<String>| text.as_deref()?.parse::<f64>().ok();
    let (cpu, memory) = (size(&task.cpu)?, size(&task.memory)?);
    let seconds = task.stopped_at? - task.pull_started_at.or(task.created_at)?;
    let hours = seconds.max(SHORTEST_BILLED.as_secs_f64()) / 3600.0;
    Some(Cost {
        usd: hours * (cpu / 1024.0 * USD_PER_VCPU_HOUR + memory / 1024.0 * USD_PER_GIB_HOUR),
        price_table: PRICE_TABLE.to_owned(),
    })
}
