//! What an answer means.

use std::time::Duration;

use callboard_core::job::Outcome;
use callboard_core::request::Reason;
use callboard_kind_service::config::HttpConfig;
use callboard_kind_service::detail::{Detail, HTTP_STATUS, OUTPUT_INVALID, SERVICE_UNREACHABLE};
use callboard_kind_service::output;
use callboard_kind_service::request::Call;

use crate::answer::Answered;

/// Answers that another try may change.
pub(crate) const TRANSIENT: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];
/// Those with which a service says that it has done nothing.
pub(crate) const UNDONE: [u16; 2] = [425, 429];

/// What came of one try.
pub(crate) struct Tried {
    /// The outcome, without its detail.
    pub(crate) outcome: Outcome,
    pub(crate) detail: Detail,
    /// Whether another try may end differently.
    pub(crate) transient: bool,
    /// Whether the service may have done what it was asked to do.
    pub(crate) done: bool,
    /// What the service asks to wait.
    pub(crate) asked: Option<Duration>,
}

impl Tried {
    /// Reads an answer.
    pub(crate) fn answered(mut answered: Answered, config: &HttpConfig, call: &Call) -> Self {
        if let Some(broken) = answered.broken.take() {
            return Self::broken(answered, &broken);
        }
        let status = answered.status;
        let mut successful = config.success.status.iter();
        let is_success = successful.any(|(first, last)| (*first..=*last).contains(&status));
        let fault = if is_success {
            fault_of(&answered, config, call).map(|fault| (OUTPUT_INVALID, fault))
        } else {
            Some((HTTP_STATUS, format!("the service answered with status {status}")))
        };
        Self {
            outcome: match fault {
                Some((reason, error)) => Outcome::failed(reason, error),
                None => Outcome::successful(),
            },
            detail: Detail {
                output: Some(answered.output),
                output_truncated: answered.truncated,
                status_code: Some(status),
                ..Detail::default()
            },
            transient: !is_success && TRANSIENT.contains(&status),
            done: !UNDONE.contains(&status),
            asked: answered.retry_after,
        }
    }

    /// Makes the result of a try whose answer broke off.
    fn broken(answered: Answered, broken: &str) -> Self {
        Self {
            detail: Detail {
                output: Some(answered.output),
                output_truncated: true,
                status_code: Some(answered.status),
                ..Detail::default()
            },
            asked: answered.retry_after,
            ..Self::failed(broken.to_owned(), !UNDONE.contains(&answered.status), true)
        }
    }

    /// Makes the result of a try that could not show who sends it.
    pub(crate) fn unauthorized(told: String) -> Self {
        Self {
            outcome: Outcome::failed(Reason::CREDENTIAL_UNAVAILABLE, told),
            ..Self::failed(String::new(), false, false)
        }
    }

    /// Makes the result of a try that has no answer.
    pub(crate) fn failed(error: String, done: bool, transient: bool) -> Self {
        Self {
            outcome: Outcome::failed(SERVICE_UNREACHABLE, error),
            detail: Detail::default(),
            transient,
            done,
            asked: None,
        }
    }
}

/// Returns what is wrong with the output of a call that was successful.
fn fault_of(answered: &Answered, config: &HttpConfig, call: &Call) -> Option<String> {
    let schemas = [config.success.body.as_ref(), call.output_schema.as_ref()];
    schemas
        .into_iter()
        .flatten()
        .find_map(|schema| output::fault(schema, &answered.output, answered.truncated))
}
