//! What the end of a program means.

use callboard_core::job::Outcome;
use callboard_core::output::LastBytes;
use callboard_core::request::Reason;
use callboard_kind_service::config::ShellConfig;
use callboard_kind_service::detail::{EXIT_CODE, ISOLATION_UNAVAILABLE, OUTPUT_INVALID, RESOURCE_LIMIT};
use callboard_sandbox::{Cause, Ending, Failure, Limit, Limits};

use crate::printed::last_lines;

/// The exit code of a program that was killed.
const KILLED: i32 = 128 + 9;

/// Returns the outcome of a program that has ended by itself, or by a limit. Its error is no sentence yet.
pub(crate) fn outcome(
    ending: &Ending,
    limits: &Limits,
    config: &ShellConfig,
    fault: Option<String>,
    errors: &LastBytes,
    memory_ran_out: bool,
) -> Outcome {
    let code = ending.code;
    if let Some(limit) = ending.limit {
        return Outcome::failed(RESOURCE_LIMIT, told(limit, limits));
    }
    if u8::try_from(code).is_ok_and(|code| config.success_codes.contains(&code)) {
        return match fault {
            Some(fault) => Outcome::failed(OUTPUT_INVALID, fault),
            None => Outcome::successful(),
        };
    }
    if code == KILLED && memory_ran_out {
        return Outcome::failed(
            Reason::OUT_OF_MEMORY,
            "the system ended the program because memory ran out",
        );
    }
    let error = match last_lines(errors) {
        errors if errors.is_empty() => format!("the program ended with exit code {code}"),
        errors => format!("the program ended with exit code {code}: {errors}"),
    };
    Outcome::failed(EXIT_CODE, error)
}

fn told(limit: Limit, limits: &Limits) -> String {
    let mebibytes = |bytes: Option<u64>| bytes.unwrap_or_default() >> 20;
    let what = match limit {
        Limit::Cpu => format!("{} s of processor time", limits.cpu_seconds.unwrap_or_default()),
        Limit::Memory => format!("{} MiB of memory", mebibytes(limits.memory_bytes)),
        Limit::Disk => format!("{} MiB in its folder", mebibytes(limits.disk_bytes)),
        Limit::FileSize => format!("{} MiB in a file", mebibytes(limits.disk_bytes)),
        Limit::Processes => format!("{} processes and threads", limits.processes.unwrap_or_default()),
    };
    format!("the program was ended, since it used more than the {what} that the service's resource_limits allow")
}

/// Returns the outcome of a program that was not started. Its error is no sentence yet.
pub(crate) fn unstarted(failure: Failure) -> Outcome {
    let reason = match failure.cause {
        Cause::Isolation => ISOLATION_UNAVAILABLE,
        Cause::Program => Reason::SOURCE_UNAVAILABLE,
        Cause::Shortage | Cause::System => Reason::RUNNER_ERROR,
    };
    Outcome::failed(reason, failure.error)
}
