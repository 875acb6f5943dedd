//! Why a job did not reach an exit code, and the end that reports it.

use std::io;

use callboard_core::base::causes::causes;
use callboard_core::base::sentence::sentence;
use callboard_core::job::Outcome;
use callboard_core::redact::TooLarge;
use callboard_core::request::Reason;
use callboard_core::run::Ended;
use callboard_process::shortage;

use crate::host::HostError;
use crate::pump::PumpError;
use crate::unready::Unready;

/// Why a job did not reach an exit code.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error(transparent)]
    Unready(#[from] Unready),
    #[error("the job has too many secrets to keep them out of its output")]
    Secrets(#[from] TooLarge),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the job's folder could not be made ready")]
    Io(#[from] io::Error),
    #[error("the job's process could not be started")]
    Fork(#[source] io::Error),
    #[error(transparent)]
    Pump(#[from] PumpError),
    #[error(
        "the job was recorded by a newer release, and this release does not support everything that it asks for: {0}"
    )]
    Unknown(#[source] serde_json::Error),
}

impl RunError {
    /// Returns whether nothing was started because the machine was short of something.
    fn is_shortage(&self) -> bool {
        match self {
            Self::Unready(error) => error.short,
            Self::Host(_) | Self::Io(_) | Self::Fork(_) => shortage::is_behind(self),
            Self::Secrets(_) | Self::Pump(_) | Self::Unknown(_) => false,
        }
    }
}

/// Makes the end of a job that did not reach an exit code.
pub(super) fn failed(error: RunError) -> Ended {
    let short = error.is_shortage();
    let outcome = match error {
        RunError::Unready(error) if error.reason != Reason::RUNNER_ERROR => {
            tracing::warn!(job.reason = error.reason.as_str(), error = %causes(&error), "the job could not be started");
            Outcome::failed(error.reason, error.message)
        }
        other => {
            tracing::error!(error = %causes(&other), "the job could not be run");
            Outcome::failed(Reason::RUNNER_ERROR, sentence(&other.to_string()))
        }
    };
    Ended {
        short,
        ..Ended::with(outcome)
    }
}
