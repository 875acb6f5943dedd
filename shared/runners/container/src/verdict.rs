//! What the end of a container means.

use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Outcome;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_kind_service::attempt::{shortened, told};
use callboard_kind_service::config::ContainerConfig;
use callboard_kind_service::detail::{Detail, EXIT_CODE, ISOLATION_UNAVAILABLE, OUTPUT_INVALID, RESOURCE_LIMIT};
use callboard_kind_service::output;
use callboard_kind_service::request::Call;

use crate::attempt::{Cause, End};
use crate::fault::Fault;
use crate::limits::Bounds;
use crate::printed::Printed;

/// 128 and the number of SIGXCPU.
const TOO_MUCH_TIME: i64 = 152;

/// Reads the end of a container into an outcome and its detail.
pub(crate) fn read(
    end: &End,
    printed: &Printed<'_>,
    (config, call, bounds): (&ContainerConfig, &Call, &Bounds),
    redactor: &Redactor,
    detail: &mut Detail,
) -> Outcome {
    let success = config
        .success_codes
        .iter()
        .any(|code| i64::from(*code) == end.exit_code);
    detail.exit_code = i32::try_from(end.exit_code).ok();
    detail.output_truncated = printed.stdout.truncated;
    let read = output::printed(&printed.stdout, config.output, call.output_schema.as_ref(), redactor);
    detail.output = Some(read.output);
    if end.cause == Cause::Deadline {
        return too_long(call);
    }
    if let (Cause::ProcessorTime, Some(time)) = (end.cause, bounds.cpu_seconds) {
        return too_much_time(time);
    }
    if !success {
        return failed(end, printed, bounds);
    }
    match read.fault {
        Some(fault) => Outcome::failed(OUTPUT_INVALID, told(&fault)),
        None => Outcome::successful(),
    }
}

/// Makes the outcome of a container that has used up the operation's time, or has not even started in it.
pub(crate) fn too_long(call: &Call) -> Outcome {
    let error = format!(
        "The container did not end within the operation's timeout of {} s and was stopped.",
        call.timeout
    );
    Outcome::failed(Reason::TIMEOUT, error)
}

/// Makes the outcome of a container that was to be stopped before it started.
pub(crate) fn not_started(told: &str) -> Outcome {
    Outcome::failed(Reason::RUNNER_ERROR, told)
}

fn failed(end: &End, printed: &Printed<'_>, bounds: &Bounds) -> Outcome {
    if end.out_of_memory {
        let error = format!(
            "The container needed more than its {} MiB of memory and was ended.",
            bounds.memory / (1024 * 1024)
        );
        return Outcome::failed(RESOURCE_LIMIT, error);
    }
    if let Some(time) = bounds.cpu_seconds.filter(|_| end.exit_code == TOO_MUCH_TIME) {
        return too_much_time(time);
    }
    let (code, tail) = (end.exit_code, printed.tail.text());
    let error = match tail.as_str() {
        "" => format!("The container ended with exit code {code}."),
        tail => format!("The container ended with exit code {code}: {tail}"),
    };
    Outcome::failed(EXIT_CODE, shortened(&error))
}

fn too_much_time(time: Duration) -> Outcome {
    let error = format!(
        "The container needed more than its {} s of processor time and was ended.",
        time.as_secs()
    );
    Outcome::failed(RESOURCE_LIMIT, error)
}

/// Makes the outcome of a container that does not have the isolation that was asked for.
pub(crate) fn unisolated(missing: &[&str]) -> Outcome {
    let error = format!(
        "The container engine did not apply {}, so the container was not started. Its system may lack what it needs for that, such as \
         cgroups that are delegated to the engine's user, or accounting of swap.",
        missing.join(", ")
    );
    Outcome::failed(ISOLATION_UNAVAILABLE, error)
}

/// Makes the outcome of a container that could not be run, or not to its end.
///
/// # Errors
/// That was because the log store refused a write.
pub(crate) fn broken(fault: Fault, redactor: &Redactor) -> Result<Outcome, StoreError> {
    let (reason, error) = match fault {
        Fault::Engine(doing, error) => (
            Reason::RUNNER_ERROR,
            told(&format!("the container engine could not {doing}: {}", causes(&error))),
        ),
        Fault::Refused(error) => (
            Reason::REQUEST_INVALID,
            told(&format!(
                "the container engine does not make such a container: {}",
                causes(&error)
            )),
        ),
        Fault::Alive => (
            Reason::RUNNER_ERROR,
            "The container was killed and does not end.".to_owned(),
        ),
        Fault::Store(error) => return Err(error),
    };
    Ok(Outcome::failed(reason, redactor.text(&error)))
}
